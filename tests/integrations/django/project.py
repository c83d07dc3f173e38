"""The Django project of the tests: configured when it is imported, on a database that a fixture chooses."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import django
import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings
from django.core.management import call_command
from django.db import connections

from tests.services import TemporaryDatabase

FOLDER = Path(__file__).parent
MIDDLEWARE = "dbprofile_django.ProfileMiddleware"

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "dbprofile_django",
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "django.contrib.sessions",
            "tests.integrations.django.shop",
            "tests.scenarios.library",
        ],
        MIDDLEWARE=[MIDDLEWARE],
        MIGRATION_MODULES=dict.fromkeys(("contenttypes", "auth", "sessions", "shop", "library")),
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF="tests.integrations.django.urls",
        SECRET_KEY="not secret",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [FOLDER / "templates"]}],
        USE_TZ=True,
    )
    django.setup()


def _entry(database: TemporaryDatabase, **more: object) -> dict[str, Any]:
    entry = {**database.django_settings(), **more}
    if database.system == "sqlite":
        # Threads of one test write to one file.
        entry["OPTIONS"] = {"timeout": 30, "transaction_mode": "IMMEDIATE"}
    return dict(connections.configure_settings({"default": entry})["default"])


@contextmanager
def naming(database: TemporaryDatabase) -> Iterator[None]:
    """Have the alias ``default`` mean this database, as it is."""
    before = connections.settings["default"]
    close()
    connections.settings["default"] = _entry(database)
    try:
        yield
    finally:
        close()
        connections.settings["default"] = before


@contextmanager
def using(database: TemporaryDatabase) -> Iterator[None]:
    """Have the alias ``default`` mean this database, with the tables of the shop in it."""
    with naming(database):
        call_command("migrate", run_syncdb=True, verbosity=0)
        yield


def database_access(request: pytest.FixtureRequest) -> AbstractContextManager[object]:
    """Access to the database, which pytest-django refuses to tests that do not ask for it in its own way."""
    if not request.config.pluginmanager.hasplugin("django"):
        return nullcontext()
    blocker: Any = request.getfixturevalue("django_db_blocker")
    access: AbstractContextManager[object] = blocker.unblock()
    return access


def close() -> None:
    """Close the connections of this thread, and of the one in which asynchronous tests do synchronous work."""
    _close_here()
    SyncToAsync.single_thread_executor.submit(_close_here).result()


def _close_here() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()
        del connections[connection.alias]
