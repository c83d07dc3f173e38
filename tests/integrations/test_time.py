"""The time of a statement: a driver that takes 20 ms to execute and 30 to fetch, and 10 ms of Python between."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import connection as django_connection
from django.db.backends.sqlite3 import base
from sqlalchemy import Engine, StaticPool, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import dbprofile_dbapi
import dbprofile_sqlalchemy
from dbprofile import Profile, Profiler
from tests import services
from tests.clock import Clock, stopped
from tests.integrations.django import project
from tests.integrations.django.shop.models import Tag as DjangoTag
from tests.integrations.sqlalchemy import onloop
from tests.integrations.sqlalchemy.models import Author, Tag, fill

EXECUTE, FETCH, BETWEEN = 0.020, 0.030, 0.010
#: As far as it may be wrong, in seconds.
CLOSE = 0.002


@pytest.fixture
def clock() -> Iterator[Clock]:
    with stopped() as clock:
        yield clock


def slow(clock: Clock, base: type[sqlite3.Cursor]) -> type[sqlite3.Cursor]:
    """A class of cursors that takes its time."""

    class Slow(base):  # type: ignore[misc, valid-type]
        def execute(self, *arguments: Any) -> Any:
            clock.advance(EXECUTE)
            return super().execute(*arguments)

        def executemany(self, *arguments: Any) -> Any:
            clock.advance(EXECUTE)
            return super().executemany(*arguments)

        def fetchone(self) -> Any:
            clock.advance(FETCH)
            return super().fetchone()

        def fetchmany(self, *size: Any) -> Any:
            clock.advance(FETCH)
            return super().fetchmany(*size)

        def fetchall(self) -> Any:
            clock.advance(FETCH)
            return super().fetchall()

        def __next__(self) -> Any:
            clock.advance(FETCH)
            return super().__next__()

    return Slow


def check(profile: Profile, *, fetches: int = 1) -> None:
    """What is told of one statement, and of the scope in which it ran alone."""
    (query,) = profile.counted
    fetched = FETCH * fetches
    assert query.seconds == pytest.approx(EXECUTE, abs=CLOSE)
    assert query.fetch_seconds == pytest.approx(fetched, abs=CLOSE)
    assert query.total_seconds == pytest.approx(EXECUTE + fetched, abs=CLOSE)
    assert profile.execute_seconds == pytest.approx(EXECUTE, abs=CLOSE)
    assert profile.fetch_seconds == pytest.approx(fetched, abs=CLOSE)
    assert profile.database_seconds == pytest.approx(EXECUTE + fetched, abs=CLOSE)
    assert profile.seconds == pytest.approx(EXECUTE + BETWEEN + fetched, abs=CLOSE)


def profiled() -> Any:
    return Profiler().scope("request", "GET /")


# --- SQLAlchemy -----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["dialect events", "cursor events"])
def engine(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Engine]:
    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = slow(clock, sqlite3.Cursor)) -> Any:  # noqa: B008 - one class for all
            return super().cursor(factory)

    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"factory": Connection})
    fill(engine, 5)
    dbprofile_sqlalchemy.install(cursor_events=request.param == "cursor events")
    yield engine
    dbprofile_sqlalchemy.uninstall()
    engine.dispose()


def test_sqlalchemy_core(engine: Engine, clock: Clock) -> None:
    with engine.connect() as connection, profiled() as scope:
        result = connection.execute(text("SELECT name FROM tag"))
        clock.advance(BETWEEN)
        assert len(result.all()) == 10
    check(scope.profile())


def test_sqlalchemy_orm(engine: Engine, clock: Clock) -> None:
    with Session(engine) as session:
        session.connection()
        with profiled() as scope:
            assert len(session.scalars(select(Tag)).all()) == 10
            clock.advance(BETWEEN)
    check(scope.profile())


def test_rows_in_parts_of_sqlalchemy(engine: Engine, clock: Clock) -> None:
    with engine.connect() as connection, profiled() as scope:
        result = connection.execute(text("SELECT name FROM tag"))
        clock.advance(BETWEEN)
        assert [len(part) for part in (result.fetchmany(4), result.fetchmany(4), result.fetchmany(4))] == [4, 4, 2]
    check(scope.profile(), fetches=3)


def test_a_statement_of_sqlalchemy_without_rows(engine: Engine, clock: Clock) -> None:
    with engine.connect() as connection, profiled() as scope:
        connection.execute(text("UPDATE tag SET name = 'x'"))
        clock.advance(BETWEEN)
        connection.rollback()
    check(scope.profile(), fetches=0)


# --- SQLAlchemy's asyncio -------------------------------------------------------------------------------------------


async def _ask(engine: AsyncEngine, number: int) -> str | None:
    async with AsyncSession(engine) as session:
        return await session.scalar(select(Author.name).where(Author.id == number))


@pytest.mark.parametrize("together", [1, 3])
def test_statements_that_are_gathered_take_the_time_of_one(clock: Clock, together: int) -> None:
    async def run(engine: AsyncEngine) -> Profile:
        async with engine.connect():
            pass
        with profiled() as scope:
            names = await asyncio.gather(*(_ask(engine, number) for number in range(1, together + 1)))
            await asyncio.sleep(BETWEEN)
        assert names == [f"author {number}" for number in range(1, together + 1)]
        profile: Profile = scope.profile()
        return profile

    with closing(onloop.connect(execute=EXECUTE, fetch=FETCH)) as connection:
        preparing = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        fill(preparing, 3)
        engine = create_async_engine("sqlite+onloop://", creator=lambda: connection)
        dbprofile_sqlalchemy.install()
        try:
            with asyncio.Runner(loop_factory=clock.event_loop) as runner:
                profile = runner.run(run(engine))
        finally:
            dbprofile_sqlalchemy.uninstall()
            preparing.dispose()

    assert profile.database_seconds == pytest.approx(EXECUTE + FETCH, abs=CLOSE)
    assert profile.execute_seconds == pytest.approx(together * EXECUTE, abs=CLOSE)
    assert profile.fetch_seconds == pytest.approx(together * FETCH, abs=CLOSE)
    assert profile.seconds == pytest.approx(EXECUTE + FETCH + BETWEEN, abs=CLOSE)
    assert len({query.lane for query in profile.counted}) == together


# --- Django ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def django_database(
    request: pytest.FixtureRequest,
    clock: Clock,
    sqlite_database: services.TemporaryDatabase,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    with project.database_access(request), project.using(sqlite_database):
        DjangoTag.objects.all().delete()
        DjangoTag.objects.bulk_create(DjangoTag(name=f"tag {number}") for number in range(10))
        monkeypatch.setattr(base, "SQLiteCursorWrapper", slow(clock, base.SQLiteCursorWrapper))
        yield


@pytest.mark.usefixtures("django_database")
def test_a_cursor_of_django(clock: Clock) -> None:
    with django_connection.cursor() as cursor, profiled() as scope:
        cursor.execute("SELECT name FROM shop_tag")
        clock.advance(BETWEEN)
        assert len(cursor.fetchall()) == 10
    check(scope.profile())


@pytest.mark.usefixtures("django_database")
def test_a_queryset_of_django(clock: Clock) -> None:
    django_connection.ensure_connection()
    with profiled() as scope:
        rows = list(DjangoTag.objects.all())
        clock.advance(BETWEEN)
    assert len(rows) == 10
    (query,) = scope.profile().counted
    check(scope.profile(), fetches=query.fetches)


@pytest.mark.usefixtures("django_database")
def test_rows_of_a_cursor_of_django_one_by_one(clock: Clock) -> None:
    with django_connection.cursor() as cursor, profiled() as scope:
        cursor.execute("SELECT name FROM shop_tag")
        clock.advance(BETWEEN)
        assert len(list(cursor)) == 10
    check(scope.profile(), fetches=11)


# --- a driver -------------------------------------------------------------------------------------------------------


def test_a_raw_driver(clock: Clock) -> None:
    dbprofile_dbapi.install("sqlite3")
    try:
        with closing(sqlite3.connect(":memory:")) as connection:
            cursor = connection.cursor(slow(clock, sqlite3.Cursor))
            with profiled() as scope:
                cursor.execute("SELECT 1 UNION SELECT 2")
                clock.advance(BETWEEN)
                assert len(cursor.fetchall()) == 2
    finally:
        dbprofile_dbapi.uninstall()
    check(scope.profile())
