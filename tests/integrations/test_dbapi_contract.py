"""Raw drivers keep the contract of every adapter with statements: by factories of their own, and by proxies."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import psycopg2
import pymysql
import pytest

import dbprofile_dbapi
from dbprofile.testing.suite import Connection, QueriesContract
from dbprofile_dbapi import (
    async_cursors,
    bridge,
    connections,
    cursors,
    doors,
    factories,
    mysql,
    postgresql,
    proxies,
    queries,
    sqlite,
    statements,
)
from tests import services
from tests.ledger import Ledger, telling

DRIVERS = (sqlite3, psycopg, psycopg2, pymysql)


class Raw:
    """A driver's own connection, or what stands for it."""

    def __init__(self, connection: Any, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Sequence[Any]:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql, parameters) if parameters else cursor.execute(sql)
            return list(cursor.fetchall()) if cursor.description else ()

    def executemany(self, sql: str, sets: Iterable[Sequence[object]], /) -> None:
        with closing(self._connection.cursor()) as cursor:
            cursor.executemany(sql, sets)

    def sent(self) -> Sequence[str]:
        return self._ledger.sent


class Contract(QueriesContract):
    modules = (
        async_cursors, bridge, connections, cursors, doors, factories, mysql, postgresql, proxies, queries, sqlite,
        statements,
    )  # fmt: skip
    sees_open_connections = False  # a driver makes its cursors where it connects
    leaves_open_connections = False  # for the same reason
    system: services.System = "sqlite"
    database: services.TemporaryDatabase

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        folder = tmp_path_factory.mktemp("contract")
        with services.temporary_database(cls.system, folder) as cls.database, telling(cls.database):
            yield

    def install(self) -> None:
        dbprofile_dbapi.install(*(driver.__name__ for driver in DRIVERS))

    def uninstall(self) -> None:
        dbprofile_dbapi.uninstall()

    def footprint(self) -> object:
        return [vars(driver)["connect"] for driver in DRIVERS]

    def opened(self) -> Any:
        return sqlite3.connect(self.database.name)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        with closing(self.opened()) as connection, Ledger() as ledger:
            ledger.watch(dbprofile_dbapi.unwrap(connection))
            yield Raw(connection, ledger)


class TestSqlite3(Contract):
    pass


class ServerContract(Contract):
    def mark(self, position: int) -> str:
        return "%s"


@pytest.mark.service("postgresql")
class TestPsycopg(ServerContract):
    system = "postgresql"

    def opened(self) -> Any:
        database = self.database
        return psycopg.connect(
            host=database.host, port=database.port, user=database.user, password=database.password, dbname=database.name
        )


@pytest.mark.service("postgresql")
class TestPsycopg2(ServerContract):
    system = "postgresql"

    def opened(self) -> Any:
        database = self.database
        return psycopg2.connect(
            host=database.host, port=database.port, user=database.user, password=database.password, dbname=database.name
        )


@pytest.mark.service("mariadb")
class TestPyMySQL(ServerContract):
    system = "mariadb"

    def opened(self) -> Any:
        database = self.database
        return pymysql.connect(
            host=database.host,
            port=database.port,
            user=database.user,
            password=database.password,
            database=database.name,
        )
