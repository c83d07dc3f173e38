"""The database servers that tests use where they run: how they are reached, and databases of a unique own name on them.

``python -m tests.services`` says which of them answer.
"""

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
import redis
from psycopg import sql

# Django's MySQL backend imports MySQLdb; PyMySQL answers to that name and needs no compiler.
pymysql.install_as_MySQLdb()

System: TypeAlias = Literal["sqlite", "postgresql", "mariadb"]
SYSTEMS: Final[tuple[System, ...]] = ("sqlite", "postgresql", "mariadb")
DATABASES: Final = ["sqlite", *(pytest.param(system, marks=pytest.mark.service(system)) for system in SYSTEMS[1:])]
"""Parameters for a test that runs on every database: ``@pytest.mark.parametrize("system", DATABASES)``."""

_CONNECT_SECONDS = 3
_DJANGO_ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgresql": "django.db.backends.postgresql",
    "mariadb": "django.db.backends.mysql",
}
_SQLALCHEMY_DRIVERS = {
    "sqlite": ("sqlite", "pysqlite"),
    "postgresql": ("postgresql", "psycopg"),
    "mariadb": ("mysql", "pymysql"),
}


@dataclass(frozen=True)
class TemporaryDatabase:
    """A database that belongs to one test, module or run, and how each library is told of it."""

    __test__ = False

    system: System
    name: str
    """The database's name on its server; of SQLite the path of its file."""
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""

    def sqlalchemy_url(self, driver: str = "") -> str:
        """The URL for ``create_engine``; ``driver`` is psycopg, psycopg2, asyncpg, pymysql, pysqlite or aiosqlite."""
        dialect, default_driver = _SQLALCHEMY_DRIVERS[self.system]
        scheme = f"{dialect}+{driver or default_driver}"
        if self.system == "sqlite":
            return f"{scheme}:///{self.name}"
        password = f":{self.password}" if self.password else ""
        return f"{scheme}://{self.user}{password}@{self.host}:{self.port}/{self.name}"

    def django_settings(self) -> dict[str, object]:
        """An entry of Django's ``DATABASES``."""
        settings: dict[str, object] = {"ENGINE": _DJANGO_ENGINES[self.system], "NAME": self.name}
        if self.system != "sqlite":
            settings |= {"HOST": self.host, "PORT": self.port, "USER": self.user, "PASSWORD": self.password}
        return settings


@dataclass(frozen=True)
class Service:
    """A server the tests use if it answers."""

    title: str
    variable: str
    """The environment variable that names another address."""
    default: str
    knock: Callable[[str], None]

    @property
    def url(self) -> str:
        return os.environ.get(self.variable) or self.default

    @property
    def place(self) -> str:
        """Host and port, without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port}"


def _knock_postgresql(url: str) -> None:
    psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()


def _connect_mariadb(url: str) -> "pymysql.Connection[pymysql.cursors.Cursor]":
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username or "root",
        password=parts.password or "",
        connect_timeout=_CONNECT_SECONDS,
    )


def _knock_mariadb(url: str) -> None:
    _connect_mariadb(url).close()


def _knock_redis(url: str) -> None:
    with closing(redis.Redis.from_url(url, socket_connect_timeout=_CONNECT_SECONDS)) as client:
        client.ping()


SERVICES: Final = {
    "postgresql": Service(
        "PostgreSQL", "DBPROFILE_TEST_POSTGRESQL", "postgresql://postgres@127.0.0.1:5432/postgres", _knock_postgresql
    ),
    "mariadb": Service("MariaDB", "DBPROFILE_TEST_MARIADB", "mysql://root@127.0.0.1:3306", _knock_mariadb),
    "redis": Service("Redis", "DBPROFILE_TEST_REDIS", "redis://127.0.0.1:6379", _knock_redis),
}


def required() -> bool:
    """Whether a missing service is an error, as it is in CI, and not a reason to leave tests out."""
    return os.environ.get("DBPROFILE_TEST_SERVICES") == "required"


@cache
def absence(name: str) -> str:
    """Why the service cannot be used, in one line; empty if it answers."""
    service = SERVICES[name]
    try:
        service.knock(service.url)
    except (psycopg.Error, pymysql.MySQLError, redis.RedisError, OSError) as error:
        return " ".join(f"{service.title} at {service.place}: {error}".split())
    return ""


def available_systems() -> tuple[System, ...]:
    """The database systems that tests can use here: SQLite, and the servers that answer."""
    return tuple(system for system in SYSTEMS if system == "sqlite" or not absence(system))


@contextmanager
def temporary_database(system: System, folder: Path) -> Iterator[TemporaryDatabase]:
    """Creates a database of a unique name and drops it afterwards; SQLite's file lies in ``folder``."""
    name = f"dbprofile_{uuid.uuid4().hex[:16]}"
    if system == "sqlite":
        yield TemporaryDatabase("sqlite", str(folder / f"{name}.sqlite3"))
        return
    create, drop = _CREATORS[system]
    url = SERVICES[system].url
    create(url, name)
    try:
        parts = urlsplit(url)
        yield TemporaryDatabase(
            system, name, parts.hostname or "127.0.0.1", parts.port or 0, parts.username or "", parts.password or ""
        )
    finally:
        drop(url, name)


def _create_postgresql(url: str, name: str) -> None:
    _tell_postgresql(url, sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))


def _drop_postgresql(url: str, name: str) -> None:
    # FORCE: a pool that a test left open must not keep the database alive.
    _tell_postgresql(url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _tell_postgresql(url: str, statement: sql.Composed) -> None:
    with closing(psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS)) as connection:
        connection.execute(statement)


def _create_mariadb(url: str, name: str) -> None:
    _tell_mariadb(url, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")


def _drop_mariadb(url: str, name: str) -> None:
    # A connection that a test left open may hold a metadata lock, for which DROP DATABASE would wait.
    with closing(_connect_mariadb(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = %s", (name,))
        for (number,) in cursor.fetchall():
            with suppress(pymysql.err.OperationalError):  # it may end between the two statements
                cursor.execute(f"KILL CONNECTION {int(number)}")
        cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")


def _tell_mariadb(url: str, statement: str) -> None:
    with closing(_connect_mariadb(url)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement)


_CREATORS: Final = {
    "postgresql": (_create_postgresql, _drop_postgresql),
    "mariadb": (_create_mariadb, _drop_mariadb),
}


@contextmanager
def empty_redis() -> Iterator[str]:
    """The URL of a numbered Redis database that was empty; it is emptied again afterwards."""
    url = SERVICES["redis"].url.rstrip("/")
    for number in range(15, 0, -1):
        with closing(redis.Redis.from_url(url, db=number, socket_connect_timeout=_CONNECT_SECONDS)) as client:
            if client.dbsize() == 0:
                yield f"{url}/{number}"
                client.flushdb()
                return
    raise RuntimeError(f"no empty database among 1 to 15 of Redis at {url}: flush one of them")


def main() -> int:
    """Prints each service's state; the exit code is 1 if one is missing."""
    for name, service in SERVICES.items():
        sys.stdout.write(f"{absence(name) or f'{service.title} at {service.place}: answers'}\n")
    return int(any(absence(name) for name in SERVICES))


if __name__ == "__main__":
    sys.exit(main())
