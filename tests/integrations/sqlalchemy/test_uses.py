"""What nobody reads of what was loaded at once is told where somebody asks; objects are as they were in everything else."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event, func, select
from sqlalchemy.orm import Mapper, Session, joinedload, selectinload, subqueryload

import dbprofile_sqlalchemy
from dbprofile import Finding, Profiler, record
from dbprofile_sqlalchemy import uses
from tests.integrations.sqlalchemy.models import Author, Book, fill


@pytest.fixture(autouse=True)
def _installed() -> Iterator[None]:
    dbprofile_sqlalchemy.install()
    yield
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture(scope="module")
def filled() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    fill(engine, 3)
    yield engine
    engine.dispose()


@pytest.fixture
def auditor() -> Iterator[Profiler]:
    with Profiler(rules_on=["DBP301"]) as profiler:
        yield profiler


def found(
    engine: Engine, auditor: Profiler, entity: Any, options: list[Any], use: Callable[[Any], object]
) -> tuple[list[Finding], int]:
    """What is said of a list of objects that are each used in a way, and how many queries it took."""
    with Session(engine) as session, record("block", profiler=auditor) as recording:
        for row in session.scalars(select(entity).options(*options)).unique():
            use(row)
        session.flush()
    return [finding for finding in recording.findings if finding.code == "DBP301"], recording.query_count


def key(row: Any) -> object:
    return row.id


UNREAD = [
    (Book, [joinedload(Book.author)], key, ["Book.author"], 1),
    (Book, [selectinload(Book.author)], key, ["Book.author"], 2),
    (Author, [selectinload(Author.books)], key, ["Author.books"], 2),
    (Author, [subqueryload(Author.books)], key, ["Author.books"], 2),
    (Author, [joinedload(Author.books)], key, ["Author.books"], 1),
    (Author, [selectinload(Author.books).selectinload(Book.tags)], lambda author: len(author.books), ["Book.tags"], 3),
    (Book, [joinedload(Book.author).joinedload(Author.country)], lambda book: book.author.name, ["Author.country"], 1),
    (Book, [joinedload(Book.author)], lambda book: setattr(book, "title", book.title + "!"), ["Book.author"], 2),
]
READ = [
    (Book, [joinedload(Book.author)], lambda book: book.author.name, 1),
    (Author, [selectinload(Author.books).selectinload(Book.tags)], lambda author: [list(b.tags) for b in author.books], 3),
    (Author, [subqueryload(Author.books)], lambda author: len(author.books), 2),
    (Author, [joinedload(Author.books)], lambda author: [book.title for book in author.books], 1),
    (Book, [joinedload(Book.author)], lambda book: getattr(book, "author", None), 1),
    (Book, [joinedload(Book.author)], lambda book: vars(book)["author"], 1),
    (Book, [joinedload(Book.author)], pickle.dumps, 1),
    (Book, [joinedload(Book.author)], lambda book: dict(vars(book)), 1),
    (Book, [joinedload(Book.author)], lambda book: [*vars(book).values()], 1),
    (Book, [joinedload(Book.author)], lambda book: [*vars(book).items()], 1),
    (Book, [], key, 1),
    (Book, [], lambda book: book.author.name, 4),
]  # fmt: skip


@pytest.mark.parametrize(("entity", "options", "use", "relations", "queries"), UNREAD)
def test_what_nobody_read_is_named(
    entity: Any,
    options: list[Any],
    use: Callable[[Any], object],
    relations: list[str],
    queries: int,
    filled: Engine,
    auditor: Profiler,
) -> None:
    findings, count = found(filled, auditor, entity, options, use)

    assert [finding.relation for finding in findings] == relations
    assert count == queries


@pytest.mark.parametrize(("entity", "options", "use", "queries"), READ)
def test_what_somebody_read_or_may_read_elsewhere_is_not(
    entity: Any, options: list[Any], use: Callable[[Any], object], queries: int, filled: Engine, auditor: Profiler
) -> None:
    assert found(filled, auditor, entity, options, use) == ([], queries)


def test_a_deletion_reads_what_it_takes_with_it(filled: Engine, auditor: Profiler) -> None:
    with Session(filled) as session, record("block", profiler=auditor) as recording:
        for book in session.scalars(select(Book).options(selectinload(Book.tags))):
            session.delete(book)
        session.flush()
        session.rollback()

    assert "DBP301" not in {finding.code for finding in recording.findings}


def test_it_says_how_many_rows_and_where(filled: Engine, auditor: Profiler) -> None:
    ((finding,), _) = found(filled, auditor, Book, [joinedload(Book.author)], key)

    assert finding.message == "Book.author of 6 rows loaded at once, and never read"
    assert finding.fix is not None
    assert finding.fix.text == "leave out the loader option of Book.author, or lazy= of the relationship"
    assert finding.trigger is not None
    assert finding.trigger.function == "found"


@pytest.mark.usefixtures("auditor")
def test_objects_are_changed_expired_merged_and_pickled_as_ever(filled: Engine) -> None:
    with record("block"), Session(filled) as session:
        book = session.scalars(select(Book).options(joinedload(Book.author)).where(Book.id == 1)).one()
        copied: Book = pickle.loads(pickle.dumps(book))
        assert type(vars(copied)) is dict
        book.title = "changed"
        session.flush()
        assert session.scalar(select(Book.title).where(Book.id == 1)) == "changed"
        session.rollback()
        assert book.title != "changed"
        copied.title = "merged"
        assert session.merge(copied) is book
        assert (book.title, book.author.name) == ("merged", copied.author.name)
        session.refresh(book)
        assert book.title != "merged"


def test_nobody_listens_while_nobody_asks(filled: Engine) -> None:
    assert not event.contains(Mapper, "load", uses._load)
    with Profiler(rules_on=["DBP301"]):
        assert event.contains(Mapper, "load", uses._load)
        dbprofile_sqlalchemy.uninstall()
        assert not event.contains(Mapper, "load", uses._load)
        dbprofile_sqlalchemy.install()
        assert event.contains(Mapper, "load", uses._load)
    assert not event.contains(Mapper, "load", uses._load)
    with record("block", profiler=Profiler()) as recording, Session(filled) as session:
        assert type(vars(session.get(Book, 1))) is dict
    assert recording.report.profile.eager_loads == ()


@pytest.mark.usefixtures("failing_open")
def test_a_fault_of_the_audit_changes_nothing(
    filled: Engine, auditor: Profiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(uses, "relation_of")

    with record("block", profiler=auditor), Session(filled) as session:
        authors = session.scalars(select(Author).options(selectinload(Author.books))).all()
        titles = [book.title for author in authors for book in author.books]
        assert pickle.loads(pickle.dumps(authors[0])).books
        assert len(titles) == session.scalar(select(func.count()).select_from(Book))
