"""Eager loading that does more harm than good: rows that multiply each other, and rows that serve nobody."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, joinedload, selectinload

from dbprofile import Finding, Profiler, record
from dbprofile.rules import CartesianProduct, UnusedEagerLoad
from tests.integrations.django import project
from tests.integrations.django.conftest import sqlite  # noqa: F401 - a fixture
from tests.integrations.sqlalchemy.models import Author as Writer
from tests.integrations.sqlalchemy.models import Book as Work
from tests.integrations.sqlalchemy.models import Country
from tests.scenarios.library.models import Author, Book
from tests.scenarios.library.models import fill as fill_library
from tests.scenarios.test_sqlalchemy_positives import _installed, engine, fill  # noqa: F401 - fixtures

PROFILER = Profiler(rules=[CartesianProduct(rows=5), UnusedEagerLoad()])


@pytest.fixture
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    fill_library(5)
    yield
    project.close()


def found(block: Callable[[], object]) -> list[Finding]:
    with record("block", profiler=PROFILER) as recording:
        block()
    return list(recording.findings)


def in_session(engine: Engine, *options: object, entity: object = Writer) -> list[Finding]:  # noqa: F811 - the fixture
    fill(engine, 5)
    query = select(entity).options(*options)  # type: ignore[call-overload]
    with Session(engine) as session:
        return found(lambda: session.scalars(query).unique().all())


def test_collections_that_are_joined_side_by_side_are_named(engine: Engine) -> None:  # noqa: F811 - the fixture
    options = (joinedload(Work.tags), joinedload(Work.author).joinedload(Writer.books))
    (finding,) = in_session(engine, *options, entity=Work)

    assert finding.code == "DBP303"
    assert "Author.books and Book.tags are joined side by side" in finding.message
    assert finding.fix is not None
    assert finding.fix.text == "selectinload(Book.tags) instead of joinedload(Book.tags)"


@pytest.mark.parametrize(
    "options",
    [
        (joinedload(Writer.books).joinedload(Work.tags),),
        (joinedload(Writer.books), selectinload(Writer.books, Work.tags)),
        (joinedload(Writer.books), joinedload(Writer.profile), joinedload(Writer.country)),
    ],
    ids=["one behind the other", "the other with a query of its own", "relations to one row"],
)
def test_a_chain_of_collections_multiplies_nothing(engine: Engine, options: tuple[object, ...]) -> None:  # noqa: F811 - the fixture
    assert in_session(engine, *options) == []


def test_tables_that_no_condition_joins_are_named(engine: Engine) -> None:  # noqa: F811 - the fixture
    fill(engine, 5)
    apart = select(Writer.name, Country.name).where(Writer.id > 0)
    with Session(engine) as session, pytest.warns(match="cartesian product"):
        (finding,) = found(lambda: session.execute(apart).all())

    assert finding.message == "25 rows: no condition joins author and country"


@pytest.mark.usefixtures("library")
def test_collections_that_values_joins_side_by_side_are_named() -> None:
    (finding,) = found(lambda: list(Book.objects.values("tags__name", "author__edited__title")))

    assert "Book.tags and Author.edited are joined side by side" in finding.message
    assert finding.fix is not None
    assert finding.fix.text == 'prefetch_related("edited") and read .edited.all(), instead of joining it'


@pytest.mark.parametrize(
    "rows",
    [
        lambda: Author.objects.values("books__tags__name"),
        lambda: Author.objects.filter(books__price__gt=0, edited__price__gt=0).distinct(),
        lambda: Author.objects.values("books__title", "country__name", "profile__motto"),
    ],
    ids=["one behind the other", "without doubles", "relations to one row"],
)
@pytest.mark.usefixtures("library")
def test_one_collection_multiplies_nothing(rows: Callable[[], object]) -> None:
    assert found(lambda: list(rows())) == []  # type: ignore[call-overload]


@pytest.mark.usefixtures("library")
def test_a_prefetch_that_a_filter_throws_away_serves_nobody() -> None:
    def narrowed() -> None:
        for author in Author.objects.prefetch_related("books"):
            list(author.books.filter(price=10))

    (finding,) = found(narrowed)

    assert (finding.code, finding.subject) == ("DBP301", "Author.books")
    assert finding.message == "5 rows of Author.books loaded at once, which do not serve filter()"
    assert finding.fix is not None
    assert "Prefetch(" in finding.fix.text


@pytest.mark.usefixtures("library")
def test_a_prefetch_that_is_read_serves() -> None:
    def read() -> None:
        for author in Author.objects.prefetch_related("books"):
            list(author.books.all())

    assert found(read) == []
