"""A library of five authors through each driver, sync or async, beside the account of what its driver was really sent."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from dbprofile import Profile, Query, Recording
from dbprofile.sql.statement import Statement
from tests import services
from tests.integrations.sqlalchemy.models import fill
from tests.ledger import Ledger, telling

__all__ = ["DRIVERS", "Library", "on", "on_asynchronous", "on_synchronous", "opened", "round_trips", "sets"]

_Result = TypeVar("_Result")

_ASYNCHRONOUS: Final = {"aiosqlite", "asyncpg"}
_ON_POSTGRESQL: Final = pytest.mark.service("postgresql")
DRIVERS: Final = [
    pytest.param(("sqlite", "pysqlite"), id="pysqlite"),
    pytest.param(("sqlite", "aiosqlite"), id="aiosqlite"),
    pytest.param(("postgresql", "psycopg"), marks=_ON_POSTGRESQL, id="psycopg"),
    pytest.param(("postgresql", "psycopg2"), marks=_ON_POSTGRESQL, id="psycopg2"),
    pytest.param(("postgresql", "asyncpg"), marks=_ON_POSTGRESQL, id="asyncpg"),
    pytest.param(("mariadb", "pymysql"), marks=pytest.mark.service("mariadb"), id="pymysql"),
]
"""Parameters for a test or fixture on every driver: each is the database's system and the driver."""


def on(*drivers: str) -> pytest.MarkDecorator:
    """A mark for tests that ask for ``library``: on these drivers alone."""
    chosen = [parameter for parameter in DRIVERS if parameter.id in drivers]
    return pytest.mark.parametrize("library", chosen, indirect=True)


on_synchronous = on("pysqlite", "psycopg", "psycopg2", "pymysql")
on_asynchronous = on(*_ASYNCHRONOUS)


def round_trips(query: Query) -> int:
    """How often a query was sent, if its driver sends what it is handed as it is."""
    return query.round_trips


def sets(query: Query) -> int:
    """How often a query was sent, if its driver sends each parameter set of a batch by itself."""
    return query.batch_size or 1


class Library:
    """An engine, sync or async, on five authors; what is sent over its connections is in its ledger."""

    def __init__(self, system: services.System, driver: str, ledger: Ledger) -> None:
        self.system = system
        self.driver = driver
        self.ledger = ledger
        self.engine: Engine
        """The engine, for all that is not sent; of an async one the engine inside."""
        self.asynchronous: AsyncEngine | None = None
        self._runner: asyncio.Runner | None = None

    @property
    def lane(self) -> int:
        """The lane of what ``in_session`` and ``in_connection`` run: of an async driver a task, of another the test's own thread."""
        return 0 if self.asynchronous is None else 1

    def in_session(self, work: Callable[[Session], _Result]) -> _Result:
        """Run a function with a Session of its own, of an async driver within a task."""
        if self.asynchronous is None:
            with Session(self.engine) as session:
                return work(session)
        result: _Result = self.run(self._in_async_session(work))
        return result

    def in_connection(self, work: Callable[[Connection], _Result]) -> _Result:
        """Run a function with a Connection of its own, of an async driver within a task."""
        if self.asynchronous is None:
            with self.engine.connect() as connection:
                return work(connection)
        result: _Result = self.run(self._in_async_connection(work))
        return result

    async def _in_async_session(self, work: Callable[[Session], _Result]) -> _Result:
        async with AsyncSession(self.asynchronous) as session:
            return await session.run_sync(work)

    async def _in_async_connection(self, work: Callable[[Connection], _Result]) -> _Result:
        assert self.asynchronous is not None
        async with self.asynchronous.connect() as connection:
            return await connection.run_sync(work)

    def run(self, work: Any) -> Any:
        """Run a coroutine where the async engine lives, in a copy of the context of this moment."""
        assert self._runner is not None
        result = self._runner.run(work, context=copy_context())
        self._runner.run(asyncio.sleep(0))  # asyncpg tells of a message in a callback
        return result

    # --- what was sent --------------------------------------------------------------------------------------------

    def forget(self) -> None:
        """Begin at nothing: connected, and without what has been sent so far."""
        self.in_connection(lambda _: None)
        self.ledger.forget()

    @property
    def sent(self) -> list[str]:
        """The verb and tables of each statement that was sent since, but for what drivers send by themselves."""
        return [self._brief(Statement.of(text, self.engine.dialect.name)) for text in self.ledger.sent]

    def check(
        self,
        recorded: Profile | Recording,
        *,
        times: Callable[[Query], int] = round_trips,
        unseen: int = 0,
        set_up: bool = False,
    ) -> None:
        """What was recorded, with what was counted as untracked or late, is what was sent.

        Args:
            recorded: by us.
            times: how often a query was sent.
            unseen: how many statements are in no query, because they are gaps that the documentation names.
            set_up: whether the connection was set up meanwhile.
        """
        profile = recorded.report.profile if isinstance(recorded, Recording) else recorded
        sent = Counter(self.sent)
        seen: Counter[str] = Counter()
        for query in profile.queries:
            if set_up or query.provenance is None or query.provenance.infrastructure != "connect":
                seen[self._brief(query.statement)] += times(query)
        assert not profile.counters
        assert not seen - sent, "recorded, and not sent"
        missing = sent - seen
        told = sum(profile.untracked.values()) + sum(profile.late.values())
        assert missing.total() == told + unseen, missing

    def _brief(self, statement: Statement) -> str:
        return " ".join((statement.verb, *statement.tables))

    # --- opening and closing --------------------------------------------------------------------------------------

    @contextmanager
    def connected(self, database: services.TemporaryDatabase, **options: Any) -> Iterator["Library"]:
        """Open the engine; ``options`` are ``create_engine``'s."""
        url = database.sqlalchemy_url(self.driver)
        if self.driver in _ASYNCHRONOUS:
            self.asynchronous = create_async_engine(url, **options)
            self.engine = self.asynchronous.sync_engine
        else:
            self.engine = create_engine(url, **options)
        # First: the dialect asks a server whose acquaintance it makes several questions.
        event.listen(self.engine, "connect", lambda connection, _record: self.ledger.watch(connection), insert=True)
        try:
            if self.asynchronous is None:
                yield self
            else:
                with asyncio.Runner(loop_factory=asyncio.new_event_loop) as self._runner:
                    yield self
                    self.run(self.asynchronous.dispose())
        finally:
            self.engine.dispose()


@contextmanager
def opened(system: services.System, driver: str, folder: Path, **options: Any) -> Iterator[Library]:
    """A library on a database of its own."""
    with services.temporary_database(system, folder) as database:
        preparing = create_engine(database.sqlalchemy_url())
        fill(preparing, 5)
        preparing.dispose()
        with (
            telling(database),
            Ledger() as ledger,
            Library(system, driver, ledger).connected(database, **options) as library,
        ):
            yield library
