"""What Sessions hold when a test begins to count, and how they let it go."""

import gc
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, StaticPool, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import dbprofile_sqlalchemy
from dbprofile import ConfigurationError
from dbprofile.capture.objects import held_objects
from dbprofile.testing import QueryScale, assert_queries, record_queries
from dbprofile.testing.project import Project, set_project
from tests.integrations.sqlalchemy.models import Author, Base, Book, Tag
from tests.tree import REPOSITORY

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture(autouse=True)
def _asked(installed: None) -> Iterator[None]:
    """Somebody asked, so that Sessions are remembered from now on."""
    before = set_project(Project(root=REPOSITORY))
    held_objects()
    yield
    set_project(before)


def names(session: Session) -> list[str]:
    return [book.author.name for book in session.scalars(select(Book))]


def test_objects_that_a_session_holds_are_not_loaded_and_the_message_says_so(engine: Engine) -> None:
    with Session(engine) as session:
        kept = session.scalars(select(Author)).all()
        with assert_queries(1) as log:
            names(session)
        assert log.held == len(kept)
        with (
            pytest.raises(AssertionError, match=r"hint: the Session held \d+ objects already: fresh=True lets it load"),
            assert_queries(6),
        ):
            names(session)


def test_a_fresh_block_loads_again_and_counts_nothing_for_it(engine: Engine) -> None:
    with Session(engine) as session, record_queries() as outer:
        kept = session.scalars(select(Author)).all()
        session.add(Tag(id=100, name="not yet sent"))
        before = outer.count
        with assert_queries(1 + len(kept), fresh=True, nplusone=True) as log:
            names(session)
        assert outer.count == before + log.count
        assert session.get(Tag, 100) is not None
        assert kept[0] not in session


def test_sessions_that_send_nothing_in_the_block_do_not_matter(engine: Engine) -> None:
    with Session(engine) as other:
        kept = other.scalars(select(Author)).all()
        other.commit()
        with Session(engine) as session, record_queries() as log:
            names(session)
    assert kept
    assert log.held == 0


def test_a_scale_test_in_the_session_that_made_the_rows_proves_nothing_unless_it_is_fresh(engine: Engine) -> None:
    def scaled(*, fresh: bool) -> str:
        kept: list[Book] = []
        with Session(engine, expire_on_commit=False) as session:
            try:
                for n in (scale := QueryScale(2, 5, fresh=fresh)):
                    session.add_all(
                        made := [Book(title="", author=Author(name="", country_id=1), editor_id=1) for _ in range(n)]
                    )
                    kept += made
                    session.commit()
                    with scale:
                        names(session)
            except AssertionError as error:
                return str(error).splitlines()[0]
        return ""

    assert scaled(fresh=False).startswith("query_scale proves nothing: the Session that sent the queries held")
    assert scaled(fresh=True).startswith("queries grow with the data: ")


def test_a_session_that_is_gone_is_forgotten(engine: Engine) -> None:
    session = Session(engine)
    names(session)
    number = session.hash_key
    assert number in {held.session for held in held_objects()}
    session.close()
    del session
    gc.collect()
    assert number not in {held.session for held in held_objects()}


def test_nothing_is_remembered_once_we_are_uninstalled(engine: Engine) -> None:
    with Session(engine) as session:
        names(session)
        dbprofile_sqlalchemy.uninstall()
        assert held_objects() == []


async def test_changes_of_an_async_session_are_to_be_flushed_by_the_test() -> None:
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session:
        assert (await session.scalars(select(Tag))).all() == []
        session.add(Tag(id=1, name="new"))
        with pytest.raises(ConfigurationError, match=r"await session\.flush\(\)"):
            await assert_queries(1, fresh=True).__aenter__()
        await session.flush()
        async with assert_queries(1, fresh=True):
            assert (await session.scalars(select(Tag))).all()
    await engine.dispose()
