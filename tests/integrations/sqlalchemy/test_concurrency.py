"""Fifty requests at once, by threads and by tasks: each statement carries its request's number and is found in that scope."""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import AsyncAdaptedQueuePool, create_engine, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import dbprofile
from dbprofile.capture.profile import Profile
from tests import services
from tests.integrations.sqlalchemy.models import Book, fill

pytestmark = pytest.mark.usefixtures("installed")

REQUESTS = 50
STATEMENTS = 8


def _statement(request: int, turn: int) -> str:
    return f"SELECT {request} AS request, {turn} AS turn"


def _check(profiles: Sequence[Profile]) -> None:
    assert len(profiles) == REQUESTS
    for profile in profiles:
        number = profile.labels["request"]
        own = [query for query in profile.queries if "AS request" in query.sql]
        asked = [int(match[1]) for query in own if (match := re.search(r"(\d+) AS request", query.sql))]
        assert asked == [number] * STATEMENTS
        assert len(profile.queries) == STATEMENTS + 1 + 10
        assert not profile.late


@pytest.fixture
def profiles() -> list[Profile]:
    return []


@pytest.fixture
def profiler(profiles: list[Profile]) -> dbprofile.Profiler:
    return dbprofile.Profiler(sinks=[lambda report: profiles.append(report.profile)])


@pytest.mark.parametrize("system", services.DATABASES[:2])
def test_threads(
    system: services.System, tmp_path: Path, profiler: dbprofile.Profiler, profiles: list[Profile]
) -> None:
    with services.temporary_database(system, tmp_path) as database:
        engine = create_engine(database.sqlalchemy_url(), pool_size=10, max_overflow=0, pool_timeout=60)
        fill(engine, 10)

        def serve(number: int) -> None:
            with profiler.scope("request", "GET /", labels={"request": number}), Session(engine) as session:
                for turn in range(STATEMENTS):
                    session.execute(text(_statement(number, turn))).all()
                for book in session.scalars(select(Book).order_by(Book.id)):
                    assert book.author.name

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(serve, range(REQUESTS)))
        engine.dispose()
    _check(profiles)


@pytest.mark.parametrize(
    ("system", "driver"),
    [
        ("sqlite", "aiosqlite"),
        pytest.param("postgresql", "asyncpg", marks=pytest.mark.service("postgresql")),
        pytest.param("postgresql", "psycopg", marks=pytest.mark.service("postgresql")),
    ],
)
async def test_tasks(
    system: services.System, driver: str, tmp_path: Path, profiler: dbprofile.Profiler, profiles: list[Profile]
) -> None:
    with services.temporary_database(system, tmp_path) as database:
        preparing = create_engine(database.sqlalchemy_url())
        fill(preparing, 10)
        preparing.dispose()
        engine = create_async_engine(
            database.sqlalchemy_url(driver),
            poolclass=AsyncAdaptedQueuePool,
            pool_size=10,
            max_overflow=0,
            pool_timeout=60,
        )
        async with engine.connect():
            pass  # what a first connection sends for itself is no request's
        await asyncio.gather(*(_serve(engine, profiler, number) for number in range(REQUESTS)))
        await engine.dispose()
    _check(profiles)
    for profile in profiles:
        lazy = [query for query in profile.queries if query.provenance is not None and query.provenance.role == "lazy"]
        assert len(lazy) == 10
        assert {query.call_site.function for query in lazy if query.call_site is not None} == {"_read"}


async def _serve(engine: AsyncEngine, profiler: dbprofile.Profiler, number: int) -> None:
    with profiler.scope("request", "GET /", labels={"request": number}):
        async with AsyncSession(engine) as session:
            for turn in range(STATEMENTS):
                (await session.execute(text(_statement(number, turn)))).all()
            await session.run_sync(_read)


def _read(session: Session) -> None:
    for book in session.scalars(select(Book).order_by(Book.id)):
        assert book.author.name
