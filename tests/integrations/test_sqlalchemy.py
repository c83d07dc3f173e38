"""SQLAlchemy on every driver: one page that loads row by row, counted, explained and cured."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, joinedload

import dbprofile
import dbprofile_sqlalchemy
from tests import services
from tests.integrations.sqlalchemy.models import Book, Tag, fill

DRIVERS = [
    pytest.param("sqlite", "pysqlite"),
    pytest.param("sqlite", "aiosqlite"),
    pytest.param("postgresql", "psycopg", marks=pytest.mark.service("postgresql")),
    pytest.param("postgresql", "psycopg2", marks=pytest.mark.service("postgresql")),
    pytest.param("postgresql", "asyncpg", marks=pytest.mark.service("postgresql")),
    pytest.param("mariadb", "pymysql", marks=pytest.mark.service("mariadb")),
]
PARAMSTYLES = {"psycopg": "pyformat", "psycopg2": "pyformat", "asyncpg": "numeric_dollar", "pymysql": "pyformat"}
ASYNCHRONOUS = {"aiosqlite", "asyncpg"}


@pytest.fixture(autouse=True)
def installed() -> Iterator[None]:
    dbprofile_sqlalchemy.install()
    yield
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture
async def engine(system: services.System, driver: str, tmp_path: Path) -> AsyncIterator[AsyncEngine | str]:
    """An async engine, or the URL for a sync one; with four authors."""
    with services.temporary_database(system, tmp_path) as database:
        url = database.sqlalchemy_url()
        preparing = create_engine(url)
        fill(preparing, 4)
        preparing.dispose()
        if driver not in ASYNCHRONOUS:
            yield database.sqlalchemy_url(driver)
            return
        asynchronous = create_async_engine(database.sqlalchemy_url(driver))
        yield asynchronous
        await asynchronous.dispose()


def _sick(session: Session) -> list[str]:
    return [book.author.name for book in session.scalars(select(Book))]


def _cured(session: Session) -> list[str]:
    return [book.author.name for book in session.scalars(select(Book).options(joinedload(Book.author)))]


def _writing(session: Session) -> list[str]:
    session.add_all([Tag(id=5000 + number, name="new") for number in range(20)])
    session.flush()
    return []


async def _visit(engine: AsyncEngine | str, page: str) -> dbprofile.Recording:
    run = {"sick": _sick, "cured": _cured, "writing": _writing}[page]
    if isinstance(engine, str):
        synchronous = create_engine(engine)
        with dbprofile.record(page) as recording, Session(synchronous) as session:
            run(session)
        synchronous.dispose()
        return recording
    with dbprofile.record(page) as recording:
        async with AsyncSession(engine) as session:
            await session.run_sync(run)
    return recording


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
async def test_a_relation_that_loads_row_by_row_is_found_and_cured(engine: AsyncEngine | str, driver: str) -> None:
    sick = await _visit(engine, "sick")
    assert sick.query_count == 5
    (finding,) = (
        finding for finding in sick.findings if finding.code != "DBP501"
    )  # a synchronous driver blocks the loop
    assert (finding.code, finding.relation, finding.count) == ("DBP101", "Book.author", 4)
    assert finding.fix is not None
    assert finding.fix.text == "select(Book).options(joinedload(Book.author))"
    assert {query.rows for query in sick.queries if query.provenance and query.provenance.role == "lazy"} == {1}
    assert sick.queries[-1].database.paramstyle == PARAMSTYLES.get(driver, "qmark")
    cured = await _visit(engine, "cured")
    assert cured.query_count == 1
    assert {finding.code for finding in cured.findings} <= {"DBP501"}


@pytest.mark.parametrize(("system", "driver"), DRIVERS)
async def test_many_rows_added_at_once_are_one_query(engine: AsyncEngine | str) -> None:
    recording = await _visit(engine, "writing")
    (insert,) = (query for query in recording.queries if query.statement.verb == "INSERT")
    assert insert.batch_size == 20
    assert insert.statement.written == ("tag",)
