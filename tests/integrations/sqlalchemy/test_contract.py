"""The contract of every adapter with statements, through both doors, on synchronous and asynchronous drivers."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, StaticPool, create_engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.orm import Session

import dbprofile_sqlalchemy
from dbprofile.testing import suite
from dbprofile_sqlalchemy import (
    cursor_events,
    databases,
    fetches,
    flags,
    lineages,
    provenance,
    queries,
    sessions,
    statements,
    transactions,
)
from tests import services
from tests.ledger import Ledger, telling

T = TypeVar("T")


class Synchronous:
    """A connection of SQLAlchemy; what the tests send goes to the driver as it is written."""

    def __init__(self, connection: Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Sequence[Any]:
        result = self._connection.exec_driver_sql(sql, tuple(parameters) or None)
        return result.fetchall() if result.returns_rows else ()

    def executemany(self, sql: str, sets: Iterable[Sequence[object]], /) -> None:
        self._connection.exec_driver_sql(sql, [tuple(parameters) for parameters in sets])

    def sent(self) -> Sequence[str]:
        return self._ledger.sent


class Asynchronous:
    """The same of an asynchronous engine, step by step on a loop of its own."""

    def __init__(self, runner: asyncio.Runner, connection: AsyncConnection, ledger: Ledger) -> None:
        self._runner = runner
        self._connection = connection
        self._ledger = ledger

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Sequence[Any]:
        async def executed() -> Sequence[Any]:
            result = await self._connection.exec_driver_sql(sql, tuple(parameters) or None)
            return result.fetchall() if result.returns_rows else ()

        return self.run(executed())

    def executemany(self, sql: str, sets: Iterable[Sequence[object]], /) -> None:
        self.run(self._connection.exec_driver_sql(sql, [tuple(parameters) for parameters in sets]))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine, context=copy_context())

    def sent(self) -> Sequence[str]:
        return self._ledger.sent


class Contract(suite.QueriesContract):
    modules = (
        cursor_events, databases, fetches, flags, lineages, provenance, queries, sessions, statements, transactions,
    )  # fmt: skip
    takes_iterators = False  # SQLAlchemy wants a list of parameter sets
    cursor_events = False
    driver = "pysqlite"
    database: services.TemporaryDatabase

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        system: services.System = "sqlite" if cls.driver.endswith("sqlite") else "postgresql"
        folder = tmp_path_factory.mktemp("contract")
        with services.temporary_database(system, folder) as cls.database, telling(cls.database):
            yield

    def install(self) -> None:
        dbprofile_sqlalchemy.install(cursor_events=self.cursor_events)

    def uninstall(self) -> None:
        dbprofile_sqlalchemy.uninstall()

    def footprint(self) -> object:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        dialect, round_cursors = engine.dialect.dispatch, engine.dispatch
        return [
            *(list(getattr(dialect, name)) for name in ("do_execute", "do_executemany", "do_execute_no_params")),
            *(list(getattr(dialect, name)) for name in ("handle_error",)),
            *(list(getattr(round_cursors, name)) for name in ("before_cursor_execute", "after_cursor_execute")),
            list(Session().dispatch.after_begin),
        ]

    @contextmanager
    def connect(self) -> Iterator[suite.Connection]:
        engine = create_engine(self.database.sqlalchemy_url(self.driver))
        with Ledger() as ledger:
            event.listen(engine, "connect", lambda connection, _: ledger.watch(connection))
            with engine.connect() as connection:
                yield Synchronous(connection, ledger)
            engine.dispose()


class TestDialectEvents(Contract):
    pass


class TestCursorEvents(Contract):
    cursor_events = True


@pytest.mark.service("postgresql")
class TestPsycopg(Contract):
    driver = "psycopg"
    percent = "%%"

    def mark(self, position: int) -> str:
        return "%s"


class ThroughALoop(Contract):
    keeps_to_one_task = False  # each call that the tests make is a task of its own

    @contextmanager
    def connect(self) -> Iterator[suite.Connection]:
        with asyncio.Runner() as runner, Ledger() as ledger:
            engine = create_async_engine(self.database.sqlalchemy_url(self.driver))
            event.listen(engine.sync_engine, "connect", lambda connection, _: ledger.watch(connection))
            connection = runner.run(engine.connect().start())
            yield Asynchronous(runner, connection, ledger)
            runner.run(connection.close())
            runner.run(engine.dispose())


class TestAiosqlite(ThroughALoop):
    driver = "aiosqlite"


@pytest.mark.service("postgresql")
class TestAsyncpg(ThroughALoop):
    driver = "asyncpg"

    def mark(self, position: int) -> str:
        return f"${position}"
