"""The adapter, installed through each of its doors; engines whose driver tells what it was really sent."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event

import dbprofile_sqlalchemy
from dbprofile.capture.counters import is_transaction_control
from tests import services
from tests.integrations.sqlalchemy.models import fill


@pytest.fixture
def installed() -> Iterator[None]:
    dbprofile_sqlalchemy.install()
    yield
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture(params=["dialect events", "cursor events"])
def each_door(request: pytest.FixtureRequest) -> Iterator[str]:
    dbprofile_sqlalchemy.install(cursor_events=request.param == "cursor events")
    yield request.param
    dbprofile_sqlalchemy.uninstall()


class Traced:
    """An engine, and every text that its driver was handed, by the driver's own account."""

    def __init__(self, engine: Engine, texts: list[str]) -> None:
        self.engine = engine
        self._texts = texts

    def forget(self) -> None:
        self._texts.clear()

    @property
    def sent(self) -> int:
        """Statements since the last ``forget``, but for those that begin and end transactions."""
        return sum(not is_transaction_control(text) for text in self._texts)


def _sqlite(_database: services.TemporaryDatabase, texts: list[str]) -> Engine:
    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.set_trace_callback(texts.append)
        return connection

    return create_engine("sqlite://", creator=connect, poolclass=StaticPool)


def _psycopg(database: services.TemporaryDatabase, texts: list[str]) -> Engine:
    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **keywords: Any) -> Any:
            texts.append(query)
            return super().execute(query, *arguments, **keywords)

        def executemany(self, query: Any, *arguments: Any, **keywords: Any) -> Any:
            texts.append(query)
            return super().executemany(query, *arguments, **keywords)

    class ServerCursor(psycopg.ServerCursor[Any]):
        def execute(self, query: Any, *arguments: Any, **keywords: Any) -> Any:
            texts.append(query)
            return super().execute(query, *arguments, **keywords)

    def watch(connection: Any, _record: object) -> None:
        connection.server_cursor_factory = ServerCursor

    engine = create_engine(database.sqlalchemy_url("psycopg"), connect_args={"cursor_factory": Cursor})
    event.listen(engine, "connect", watch)
    return engine


_MAKERS: dict[str, Callable[[services.TemporaryDatabase, list[str]], Engine]] = {
    "sqlite": _sqlite,
    "postgresql": _psycopg,
}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgresql"))])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """Five authors on SQLite and on PostgreSQL, for tests that leave them as they are."""
    with services.temporary_database(request.param, tmp_path_factory.mktemp("database")) as database:
        texts: list[str] = []
        engine = _MAKERS[request.param](database, texts)
        fill(engine, 5)
        yield Traced(engine, texts)
        engine.dispose()


@pytest.fixture
def traced(library: Traced) -> Traced:
    """The library, and an account of what was sent since the test began."""
    with library.engine.connect():
        pass  # what a first connection sends for itself is not the test's
    library.forget()
    return library


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Five authors in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    fill(engine, 5)
    yield engine
    engine.dispose()
