"""Async engines: the line that awaits, streamed results, cancelled statements."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncEngine, AsyncSession, create_async_engine

import dbprofile
from tests import services
from tests.integrations.sqlalchemy.models import Author, Book, fill
from tests.integrations.sqlalchemy.pages import finding_of

pytestmark = pytest.mark.usefixtures("each_door")


class Engines:
    """An async engine with five authors, and a statement that takes a while."""

    def __init__(self, engine: AsyncEngine, slow: str) -> None:
        self.engine = engine
        self.slow = slow


_SLOW_SQLITE = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT max(i) FROM n"


@pytest.fixture(
    params=[
        ("sqlite", "aiosqlite", _SLOW_SQLITE),
        pytest.param(("postgresql", "asyncpg", "SELECT pg_sleep(1)"), marks=pytest.mark.service("postgresql")),
        pytest.param(("postgresql", "psycopg", "SELECT pg_sleep(1)"), marks=pytest.mark.service("postgresql")),
    ],
    ids=lambda value: value[1],
)
async def asynchronous(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engines]:
    system, driver, slow = request.param
    with services.temporary_database(system, tmp_path) as database:
        preparing = create_engine(database.sqlalchemy_url())
        fill(preparing, 5)
        preparing.dispose()
        engine = create_async_engine(database.sqlalchemy_url(driver))
        async with engine.connect():
            pass
        yield Engines(engine, slow)
        await engine.dispose()


async def test_a_loop_over_a_relation_is_found_at_the_awaiting_line(asynchronous: Engines) -> None:
    with dbprofile.record() as recording:
        async with AsyncSession(asynchronous.engine) as session:
            books = (await session.scalars(select(Book))).all()
            for book in books:
                await session.refresh(book, ["author"])
            session.expunge_all()
            for number in range(1, 6):
                await session.get(Author, number)
    assert all(query.call_site is not None for query in recording.queries)
    functions = {query.call_site.function for query in recording.queries if query.call_site is not None}
    assert functions == {"test_a_loop_over_a_relation_is_found_at_the_awaiting_line"}
    (loop,) = (finding for finding in recording.findings if finding.code == "DBP102")
    assert (loop.count, loop.operation) == (5, "get")


async def test_awaitable_attributes_are_lazy_loads(asynchronous: Engines) -> None:
    with dbprofile.record() as recording:
        async with AsyncSession(asynchronous.engine) as session:
            for author in (await session.scalars(select(Author))).all():
                await AsyncAttrs._AsyncAttrGetitem(author).books  # what a class derived from AsyncAttrs offers
    finding = finding_of(recording.findings, "DBP101", "Author.books")
    assert finding.count == 5
    assert finding.origin is not None
    assert finding.trigger is not None
    assert finding.origin.line < finding.trigger.line


async def test_a_stream_counts_the_rows_that_were_fetched(asynchronous: Engines) -> None:
    with dbprofile.record() as recording:
        async with asynchronous.engine.connect() as connection:
            result = await connection.stream(select(Book.id))
            assert len([row async for row in result]) == 10
            result = await connection.stream(select(Book.id).execution_options(yield_per=2))
            async for _ in result:
                break
            await result.close()
    assert [query.error for query in recording.queries] == [None, None]
    whole, part = recording.queries
    assert whole.rows == 10
    assert part.rows is not None
    assert 1 <= part.rows <= 10


async def test_a_cancelled_statement_is_recorded_as_such(asynchronous: Engines) -> None:
    under_way = asyncio.Event()

    async def ask() -> Any:
        async with asynchronous.engine.connect() as connection:
            event.listen(connection.sync_connection, "before_cursor_execute", lambda *_: under_way.set())
            return await connection.execute(text(asynchronous.slow))

    with dbprofile.record() as recording:
        task = asyncio.create_task(ask())
        await under_way.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [query.error for query in recording.queries] == ["CancelledError"]
