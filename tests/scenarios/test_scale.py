"""The scale test on the patterns that people write: each N+1 is found with its line, and code that prefetches passes."""

import asyncio
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import RequestFactory
from sqlalchemy import Engine, StaticPool, create_engine, select
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload
from sqlalchemy.schema import ForeignKey

import dbprofile_django.queries
import dbprofile_sqlalchemy
from dbprofile.testing import QueryScale
from dbprofile.testing.project import Project, set_project
from tests.integrations.django import project
from tests.integrations.django.conftest import sqlite  # noqa: F401 - a fixture
from tests.integrations.sqlalchemy.models import Author, Book, fill
from tests.scenarios import sqlalchemy_positives
from tests.scenarios.library import models, positives, rest
from tests.scenarios.library.models import fill as fill_library
from tests.tree import REPOSITORY

Action = Callable[[], object]


@pytest.fixture(autouse=True)
def _project() -> Iterator[None]:
    before = set_project(Project(root=REPOSITORY))
    yield
    set_project(before)


def message(make: Callable[[int], object], action: Action) -> str:
    """What the scale test says; the rows are made anew for each size."""
    total = 0
    try:
        for n in (scale := QueryScale(2, 5)):
            total += n
            make(total)
            with scale:
                action()
    except AssertionError as error:
        return str(error)
    return ""


def is_placed(text: str, function: Callable[..., object], mark: str = "# trigger") -> bool:
    """Whether the first line names the line of the function that a comment marks."""
    lines, start = inspect.getsourcelines(function)
    marked = {start + place for place, line in enumerate(lines) if line.rstrip().endswith(mark)}
    found = re.match(r"queries grow with the data: .* \(\+[\d.]+ per row at \S+\.py:(\d+)\)\n", text)
    assert found, text
    return not marked or int(found[1]) in marked


# --- SQLAlchemy -------------------------------------------------------------------------------------------------------

SQLALCHEMY = [
    sqlalchemy_positives.s01_many_to_one,
    sqlalchemy_positives.s01_through_a_repository,
    sqlalchemy_positives.s02_one_to_many,
    sqlalchemy_positives.s03_one_to_one,
    sqlalchemy_positives.s04_many_to_many,
    sqlalchemy_positives.s05_deferred,
    sqlalchemy_positives.s10_chain,
    sqlalchemy_positives.s09_subclass_column,
    sqlalchemy_positives.s14_refresh,
    sqlalchemy_positives.s17_legacy_query,
    sqlalchemy_positives.l08_get,
]


@pytest.fixture
def engine() -> Iterator[Engine]:
    dbprofile_sqlalchemy.install()
    engine = create_engine("sqlite://", poolclass=StaticPool)
    yield engine
    engine.dispose()
    dbprofile_sqlalchemy.uninstall()


@pytest.mark.parametrize("pattern", SQLALCHEMY, ids=lambda function: function.__name__)
def test_an_n_plus_one_of_sqlalchemy_grows_at_its_line(pattern: Callable[[Session], object], engine: Engine) -> None:
    def action() -> None:
        with Session(engine) as session:
            pattern(session)

    assert is_placed(message(lambda rows: fill(engine, rows), action), pattern)


def test_eager_loads_of_sqlalchemy_are_constant(engine: Engine) -> None:
    def action() -> list[str]:
        with Session(engine) as session:
            options = selectinload(Author.books).selectinload(Book.tags)
            authors = session.scalars(select(Author).options(options))
            return [tag.name for author in authors for book in author.books for tag in book.tags]

    assert message(lambda rows: fill(engine, rows), action) == ""


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Shelf(Base):
    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    volumes: Mapped[list["Volume"]] = relationship()


class Volume(Base):
    __tablename__ = "volume"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))


async def volumes_one_by_one(session: AsyncSession) -> None:
    for shelf in await session.scalars(select(Shelf)):
        await shelf.awaitable_attrs.volumes  # trigger


@pytest.mark.usefixtures("engine")
def test_awaitable_attributes_grow_at_their_line() -> None:
    async def scaled() -> None:
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        try:
            for n in (scale := QueryScale(2, 5)):
                async with AsyncSession(engine) as session:
                    session.add_all([Shelf(volumes=[Volume()]) for _ in range(n)])
                    await session.commit()
                async with scale, AsyncSession(engine) as session:
                    await volumes_one_by_one(session)
        finally:
            await engine.dispose()

    # This file is the application here.
    set_project(Project(root=REPOSITORY, test_paths=()))
    with pytest.raises(AssertionError) as caught:
        asyncio.run(scaled())
    assert is_placed(str(caught.value), volumes_one_by_one)


# --- Django -----------------------------------------------------------------------------------------------------------

DJANGO = [
    positives.d01_forward_key,
    positives.d02_reverse_key,
    positives.d05_many_to_many,
    positives.d09_deferred_column,
    positives.d11_count_of_each,
    positives.d15_filter_after_prefetch,
    positives.d17_get_loop,
    positives.d21_property,
    positives.d31_prefetch_for_each,
    positives.d22_template,
]


@pytest.fixture
def library(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    dbprofile_django.queries.install()
    yield
    project.close()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("pattern", DJANGO, ids=lambda function: function.__name__)
def test_an_n_plus_one_of_django_grows_at_its_line(pattern: Action) -> None:
    text = message(fill_library, pattern)
    if pattern is positives.d22_template:
        assert re.match(
            r"queries grow with the data: 3 at 2 rows, 6 at 5 rows \(\+1 per row at <unknown source>:1\)\n", text
        ), text
    else:
        assert is_placed(text, pattern)


def requested(view: Any) -> Action:
    request = RequestFactory().get("/")
    return lambda: view(request).render()


@pytest.mark.usefixtures("library")
def test_a_serializers_method_grows_at_its_line() -> None:
    view = rest.Books.as_view(serializer_class=rest.MethodSerializer)
    assert is_placed(message(fill_library, requested(view)), rest.MethodSerializer.get_writer, "# the method")


@pytest.mark.usefixtures("library")
def test_a_prepared_viewset_is_constant() -> None:
    assert message(fill_library, requested(rest.PreparedBooks.as_view({"get": "list"}))) == ""


@pytest.mark.usefixtures("library")
def test_books_of_one_author_prove_nothing_where_the_orm_asks_once(engine: Engine) -> None:
    def make(rows: int) -> None:
        fill(engine, 1)
        with Session(engine) as session:
            session.add_all([Book(id=10 + number, title="", author_id=1, editor_id=1) for number in range(rows)])
            session.commit()

    def action() -> None:
        with Session(engine) as session:
            sqlalchemy_positives.s01_many_to_one(session)

    assert message(make, action).startswith("query_scale proves nothing: a loop loads Book.author, but no more often")


@pytest.mark.usefixtures("library")
def test_sums_that_change_are_data_that_was_read() -> None:
    assert message(fill_library, lambda: models.Book.objects.count()) == ""
