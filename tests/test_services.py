"""The temporary databases that other tests stand on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis
import sqlalchemy

from tests import services
from tests.tree import REPOSITORY

ASK_DJANGO = """
import json, sys
from django.conf import settings
from django.db import connection
from tests import services

settings.configure(DATABASES={"default": json.loads(sys.argv[1])})
with connection.cursor() as cursor:
    cursor.execute("SELECT 1")
    print(cursor.fetchone())
"""
SUITE = """
import pytest

pytest_plugins = ["tests.conftest"]

def test_without_a_server() -> None:
    pass

@pytest.mark.service("mariadb")
def test_on_mariadb() -> None:
    raise AssertionError("must not run")
"""


def test_sqlalchemy_writes_and_reads_a_temporary_database(database: services.TemporaryDatabase) -> None:
    engine = sqlalchemy.create_engine(database.sqlalchemy_url())
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("CREATE TABLE word (text VARCHAR(20))"))
            connection.execute(sqlalchemy.text("INSERT INTO word VALUES ('née')"))
            assert connection.execute(sqlalchemy.text("SELECT text FROM word")).scalar() == "née"
    finally:
        engine.dispose()


def test_django_reads_a_temporary_database(database: services.TemporaryDatabase) -> None:
    # Django's settings are one to a process, and the tests of the adapter have theirs.
    command = [sys.executable, "-c", ASK_DJANGO, json.dumps(database.django_settings())]
    assert _run(command, Path.cwd()).stdout.strip() == "(1,)"


@pytest.mark.parametrize("system", services.DATABASES)
def test_a_temporary_database_is_dropped_though_a_connection_is_open(system: services.System, tmp_path: Path) -> None:
    with services.temporary_database(system, tmp_path) as database:
        engine = sqlalchemy.create_engine(database.sqlalchemy_url())
        connection = engine.connect()
        connection.execute(sqlalchemy.text("SELECT 1"))
    if system != "sqlite":
        stranger = sqlalchemy.create_engine(database.sqlalchemy_url())
        with pytest.raises(sqlalchemy.exc.OperationalError, match=database.name):
            stranger.connect()
        stranger.dispose()
    connection.invalidate()
    engine.dispose()


@pytest.mark.service("redis")
def test_redis_hands_out_an_empty_database(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("key", "value")


def _run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path} | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _run_suite(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "pytest.ini").write_text("[pytest]\n")  # no settings from a folder above
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_suite.py"]
    return _run(command, folder, DBPROFILE_TEST_MARIADB="mysql://root@127.0.0.1:9", **environment)


def test_a_missing_server_leaves_its_tests_out_and_one_line_says_so(tmp_path: Path) -> None:
    result = _run_suite(tmp_path, DBPROFILE_TEST_SERVICES="")
    assert result.returncode == 0, result.stdout
    assert "1 passed, 1 deselected" in result.stdout
    assert result.stdout.count("Left out, for want of a server: MariaDB at 127.0.0.1:9") == 1


def test_a_missing_server_is_an_error_where_all_are_required(tmp_path: Path) -> None:
    result = _run_suite(tmp_path, DBPROFILE_TEST_SERVICES="required")
    assert result.returncode == pytest.ExitCode.USAGE_ERROR
    assert "MariaDB at 127.0.0.1:9" in result.stderr
