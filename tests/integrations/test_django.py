"""Setting Django up: in which order anything may happen, and what the system checks say of a mistake.

What the adapter sees and says is tested in the folder beside this file.
"""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.test import override_settings

import dbprofile_django
from dbprofile import Profiler, set_default_profiler
from dbprofile_django import configuration
from dbprofile_django.checks import check_middleware, check_settings
from tests.integrations.django import project


@pytest.fixture(autouse=True)
def _no_default() -> Iterator[None]:
    set_default_profiler(None)
    configuration._built.clear()
    yield
    configuration._built.clear()
    set_default_profiler(None)


def run(program: str) -> str:
    """What a program prints, in an interpreter of its own in which a warning is an error."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=project.FOLDER,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_package_is_imported_before_there_are_settings() -> None:
    assert run("import dbprofile_django; print(dbprofile_django.ProfileMiddleware.sync_capable)") == "True\n"


def test_it_is_installed_before_there_are_settings_and_sees_connections_that_come_later() -> None:
    program = """
        import dbprofile_django
        dbprofile_django.install()
        import django
        from django.conf import settings
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        django.setup()
        import dbprofile
        from django.db import connection
        with dbprofile.record("block") as recording:
            connection.cursor().execute("SELECT 1")
        print(recording.query_count)
        connection.close()
    """
    assert run(program) == "1\n"


def test_it_is_installed_when_a_connection_is_open_already() -> None:
    program = """
        import django
        from django.conf import settings
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
        django.setup()
        import dbprofile, dbprofile_django
        from django.db import connection
        connection.cursor().execute("SELECT 1")
        dbprofile_django.install()
        with dbprofile.record("block") as recording:
            connection.cursor().execute("SELECT 1")
        print(recording.query_count)
        connection.close()
    """
    assert run(program) == "1\n"


def test_switched_off_in_the_environment_the_middleware_takes_itself_out() -> None:
    program = """
        import os
        os.environ["DBPROFILE"] = "0"
        from django.conf import settings
        settings.configure(DEBUG=True)
        from django.core.exceptions import MiddlewareNotUsed
        import dbprofile_django
        try:
            dbprofile_django.ProfileMiddleware(lambda request: None)
        except MiddlewareNotUsed:
            print("not used")
    """
    assert run(program) == "not used\n"


def test_the_application_names_itself() -> None:
    config = apps.get_app_config("dbprofile_django")
    assert config.verbose_name == "dbprofile"
    assert list(config.get_models()) == []


def found(**settings: Any) -> list[str | None]:
    with override_settings(**settings):
        return [message.id for message in run_checks() if str(message.id).startswith("dbprofile.")]


OURS = project.MIDDLEWARE
OTHER = "django.middleware.common.CommonMiddleware"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"MIDDLEWARE": [OURS, OTHER]}, []),
        ({"MIDDLEWARE": ["opentelemetry.instrumentation.django.middleware", OURS, OTHER]}, []),
        ({"MIDDLEWARE": [OTHER]}, ["dbprofile.W001"]),
        ({"MIDDLEWARE": [OURS, OTHER, OURS]}, ["dbprofile.W002"]),
        ({"MIDDLEWARE": [OTHER, OURS]}, ["dbprofile.W003"]),
        ({"DBPROFILE": {"slow_ms": 250}, "MIDDLEWARE": [OURS]}, []),
        ({"DBPROFILE": {"slow_mss": 250}, "MIDDLEWARE": [OURS]}, ["dbprofile.E001"]),
        ({"DBPROFILE": {"slow_ms": "fast"}, "MIDDLEWARE": [OURS]}, ["dbprofile.E001"]),
        ({"DBPROFILE": 250, "MIDDLEWARE": [OURS]}, ["dbprofile.E001"]),
        ({"DBPROFILE": {"profiler": "shop.nowhere"}, "MIDDLEWARE": [OURS]}, ["dbprofile.E001"]),
        ({"DBPROFILE": {"profiler": Profiler(sinks=[print])}, "MIDDLEWARE": [OURS]}, ["dbprofile.W004"]),
        ({"DBPROFILE": {"profiler": Profiler(sinks=[print], sample=0.1)}, "MIDDLEWARE": [OURS]}, []),
        ({"DBPROFILE": {"profiler": Profiler(sinks=[print])}, "MIDDLEWARE": [OURS], "DEBUG": True}, []),
    ],
)
def test_the_checks_name_a_mistake(settings: dict[str, Any], expected: list[str]) -> None:
    assert found(**settings) == expected


def test_consumers_of_channels_need_middleware_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    is_installed = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: name == "channels" or is_installed(name))
    assert found(MIDDLEWARE=[OURS]) == ["dbprofile.W005"]


def test_an_error_says_what_was_meant() -> None:
    with override_settings(DBPROFILE={"slow_mss": 250}):
        (message,) = check_settings()
    assert "slow_ms" in message.msg


def test_a_second_middleware_is_told_once() -> None:
    with override_settings(MIDDLEWARE=[OURS, OURS]):
        (message,) = check_middleware()
    assert "2 times" in message.msg


def test_installing_is_idempotent() -> None:
    dbprofile_django.install()
    dbprofile_django.install()
