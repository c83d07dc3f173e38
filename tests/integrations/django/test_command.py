"""``manage.py dbprofile run``: every management command, from the shell and by ``call_command``, as it runs without us."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core import management
from django.core.management import BaseCommand, CommandError, call_command
from django.test import override_settings

from dbprofile import Profiler, set_default_profiler
from dbprofile_django import configuration
from tests.integrations.django.conftest import PARENTS
from tests.integrations.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture(autouse=True)
def _no_default() -> Iterator[None]:
    set_default_profiler(None)
    configuration._built.clear()
    yield
    configuration._built.clear()
    set_default_profiler(None)


class Names(BaseCommand):
    """A command of the application, with a query for each row."""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--fail", action="store_true")

    def handle(self, **options: Any) -> None:
        for order in Order.objects.all():
            self.stdout.write(order.customer.name)
        if options["fail"]:
            raise CommandError("it was asked to", returncode=7)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command above as ``names``."""
    commands = {**management.get_commands(), "names": Names()}
    monkeypatch.setattr(management, "get_commands", lambda: commands)


def called(*words: str, **options: Any) -> tuple[str, str]:
    """What a command printed, and what was printed about it."""
    out, err = io.StringIO(), io.StringIO()
    call_command("dbprofile", "run", *words, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


@pytest.mark.usefixtures("names")
def test_a_command_is_called_as_ever_and_reported() -> None:
    out, err = called("names")
    assert out.count("\n") == PARENTS
    assert err.startswith(f"dbprofile command names | {PARENTS + 1} queries |")
    assert f"N+1   {PARENTS} queries that one JOIN replaces" in err
    assert 'Order.objects.all().select_related("customer")' in err
    assert "\x1b[" not in err


@pytest.mark.usefixtures("names")
def test_an_error_of_the_command_is_raised_on_and_the_report_is_there_all_the_same() -> None:
    err = io.StringIO()
    with pytest.raises(CommandError, match="it was asked to") as raised:
        call_command("dbprofile", "run", "--fail-on", "info", "names", "--fail", stdout=io.StringIO(), stderr=err)
    assert raised.value.returncode == 7
    assert err.getvalue().startswith("dbprofile command names --fail |")


@pytest.mark.usefixtures("names")
def test_findings_fail_a_command_that_would_have_been_fine() -> None:
    with pytest.raises(CommandError, match=r"failed by --fail-on DBP101: 1 finding \(DBP101\)"):
        called("--fail-on", "DBP101", "names")
    assert called("--fail-on", "DBP201", "names")[0].count("\n") == PARENTS


@pytest.mark.usefixtures("names")
def test_settings_of_the_project_hold_and_its_sinks_are_not_told(tmp_path: Path) -> None:
    told: list[object] = []
    with override_settings(DBPROFILE={"profiler": Profiler(sinks=[told.append], rules_off=["DBP101"])}):
        _, err = called("--json", str(tmp_path / "names.json"), "names")
    assert "DBP101" not in err
    assert told == []
    assert json.loads((tmp_path / "names.json").read_text())["query_count"] == PARENTS + 1


@pytest.mark.usefixtures("names")
def test_colour_is_as_the_command_is_told() -> None:
    assert "\x1b[" in called("names", force_color=True)[1]


@pytest.mark.usefixtures("names")
def test_switched_off_the_command_runs_alone() -> None:
    with override_settings(DBPROFILE={"enabled": False}):
        out, err = called("names")
    assert out.count("\n") == PARENTS
    assert err == "dbprofile is switched off: nothing is counted\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no command given; write manage.py dbprofile run migrate"),
        (["--"], "no command given"),
        (["--fail-on", "DBP999", "check"], "is no code of a finding"),
        (["--accept", "check"], "name it with --baseline FILE"),
        (["--json", "/no/such/folder/x.json", "check"], "cannot write"),
    ],
)
def test_a_mistake_is_an_error_of_the_command(words: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        called(*words)


def test_a_wrong_setting_is_an_error_of_the_command() -> None:
    with override_settings(DBPROFILE={"slow_mss": 1}), pytest.raises(CommandError, match="Did you mean 'slow_ms'"):
        called("check")


def test_an_unknown_command_is_said_as_ever() -> None:
    with pytest.raises(CommandError, match="Unknown command: 'nothing'"):
        called("nothing")


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["migrate", "--noinput", "--verbosity=0"],
        ["showmigrations", "shop"],
        ["dumpdata", "shop.region"],
        ["inspectdb", "shop_region"],
        ["--", "sqlflush"],
    ],
    ids=" ".join,
)
def test_commands_of_django_print_what_they_print_and_have_no_loops_of_the_applications(words: list[str]) -> None:
    plain = io.StringIO()
    arguments = [word for word in words if word != "--"]
    call_command(*arguments, stdout=plain)
    out, err = called(*words)
    assert out == plain.getvalue()
    assert err.startswith(f"dbprofile command {' '.join(arguments)} | ")
    assert "DBP1" not in err


# --- from the shell -------------------------------------------------------------------------------------------------

MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
execute_from_command_line(sys.argv)
"""
SETTINGS = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["dbprofile_django", "shop"]
MIDDLEWARE = ["dbprofile_django.ProfileMiddleware"]
SECRET_KEY = "not secret"
USE_TZ = True
"""
COUNT = """
import sqlite3, sys
from django.core.management.base import BaseCommand
from shop.models import Customer

class Command(BaseCommand):
    def handle(self, **options):
        connection = sqlite3.connect(":memory:")
        connection.execute("SELECT 1")
        connection.close()
        self.stdout.write(sys.stdin.read() + str(Customer.objects.count()))
        sys.exit(5)
"""


@pytest.fixture(scope="module")
def project_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Django project as a person has it, with a fixture of three rows."""
    folder = tmp_path_factory.mktemp("project")
    rows = [{"model": "shop.customer", "pk": number, "fields": {"name": f"c{number}"}} for number in (1, 2, 3)]
    files = {
        "manage.py": MANAGE,
        "settings.py": SETTINGS,
        "other_settings.py": SETTINGS.replace("shop.sqlite3", "other.sqlite3"),
        "shop/__init__.py": "",
        "shop/models.py": "from django.db import models\n\nclass Customer(models.Model):\n    name = models.TextField()\n",
        "shop/management/__init__.py": "",
        "shop/management/commands/__init__.py": "",
        "shop/management/commands/count.py": COUNT,
        "shop/fixtures/customers.json": json.dumps(rows),
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def manage(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "manage.py", *words]
    return subprocess.run(command, cwd=folder, input=given, capture_output=True, text=True, check=False, timeout=60)


def test_from_the_shell_options_input_and_exit_codes_are_the_commands(project_folder: Path) -> None:
    migrated = manage(
        project_folder, "dbprofile", "run", "migrate", "--noinput", "--run-syncdb", "--settings=other_settings"
    )
    assert migrated.returncode == 0, migrated.stderr
    assert "Synchronizing apps without migrations" in migrated.stdout
    assert migrated.stderr.startswith(
        "dbprofile command manage.py migrate "
    )  # a longer name gives way to a longer time
    assert (project_folder / "other.sqlite3").exists()

    loaded = manage(project_folder, "dbprofile", "run", "loaddata", "customers", "--settings=other_settings")
    assert (loaded.returncode, loaded.stdout) == (0, "Installed 3 object(s) from 1 fixture(s)\n")
    assert loaded.stderr.startswith("dbprofile command manage.py loaddata")

    counted = manage(project_folder, "dbprofile", "run", "count", "--settings", "other_settings", given="rows: ")
    assert (counted.returncode, counted.stdout) == (5, "rows: 3\n")
    assert "| 2 queries |" in counted.stderr  # the raw driver's too


def test_from_the_shell_an_error_reads_as_without_us(project_folder: Path) -> None:
    plain = manage(project_folder, "loaddata", "nothing")
    ours = manage(project_folder, "dbprofile", "run", "loaddata", "nothing")
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert ours.stderr.startswith(plain.stderr)


# --- the verbs about saved reports --------------------------------------------------------------------------------------


@pytest.fixture
def saved(names: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A report of the command with a query for each row, in a file."""
    monkeypatch.chdir(tmp_path)
    called("--json", "names.json", "names")
    return "names.json"


def told(*words: str, **options: Any) -> str:
    """What another verb printed."""
    out = io.StringIO()
    call_command("dbprofile", *words, stdout=out, **options)
    return out.getvalue()


def test_a_saved_report_is_shown_again(saved: str) -> None:
    assert told("report", saved).startswith(f"dbprofile command names | {PARENTS + 1} queries |")
    assert told("report", saved, "--format", "markdown").startswith(f"### command names | {PARENTS + 1} queries |")
    assert "\x1b[" in told("report", saved, force_color=True)


def test_two_reports_of_commands_are_compared(saved: str) -> None:
    assert told("compare", "--fail-on-more", saved, saved).startswith(f"names: {PARENTS + 1} -> {PARENTS + 1} queries")


def test_what_is_found_fails_the_list(saved: str) -> None:
    with pytest.raises(CommandError, match="findings: exit code 1") as raised:
        told("findings", saved)
    assert raised.value.returncode == 1
    assert told("findings", saved, "--status", "fixed") == "0 fixed findings\n"


def test_a_wrong_file_is_an_error_of_the_command(saved: str) -> None:
    with pytest.raises(CommandError, match="cannot read missing") as raised:
        told("report", "missing")
    assert raised.value.returncode == 2
