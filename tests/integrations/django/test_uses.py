"""What nobody reads of what was loaded at once is told where somebody asks; rows are as they were in everything else."""

import copy
import pickle
from collections.abc import Callable, Iterator

import pytest
from django.db.models import Prefetch, prefetch_related_objects
from django.template import Context, Template

import dbprofile_django
from dbprofile import Profiler, record
from dbprofile_django import uses
from tests.integrations.django import project
from tests.scenarios.library.models import Author, Book, Country, Note, Tag, fill


@pytest.fixture(autouse=True)
def library(sqlite: object) -> Iterator[None]:
    fill(3)
    yield
    project.close()


@pytest.fixture
def auditor() -> Iterator[Profiler]:
    with Profiler(rules_on=["DBP301"]) as profiler:
        yield profiler


def unread(block: Callable[[], object], profiler: Profiler) -> list[str]:
    with record("block", profiler=profiler) as recording:
        block()
    return sorted(str(finding.relation) for finding in recording.findings if finding.code == "DBP301")


def drop(rows: object) -> None:
    """Look at each row and at nothing that hangs on it."""
    for row in rows:  # type: ignore[attr-defined]
        assert row.pk


UNREAD: list[tuple[Callable[[], object], list[str]]] = [
    (lambda: drop(Book.objects.select_related("author")), ["Book.author"]),
    (lambda: drop(Book.objects.select_related("author__country")), ["Author.country", "Book.author"]),
    (lambda: [book.author.name for book in Book.objects.select_related("author__country")], ["Author.country"]),
    (lambda: drop(Author.objects.prefetch_related("books")), ["Author.books"]),
    (lambda: drop(Book.objects.prefetch_related("author")), ["Book.author"]),
    (lambda: drop(Author.objects.prefetch_related("books__tags")), ["Author.books", "Book.tags"]),
    (lambda: [list(author.books.all()) for author in Author.objects.prefetch_related("books__tags")], ["Book.tags"]),
    (lambda: drop(Author.objects.select_related("profile")), ["Author.profile"]),
    (lambda: [book.save() for book in Book.objects.select_related("author")], ["Book.author"]),
    (lambda: drop(Author.objects.prefetch_related("books").iterator(chunk_size=2)), ["Author.books"]),
    (lambda: prefetch_related_objects(list(Author.objects.all()), "books"), ["Author.books"]),
]
READ: list[Callable[[], object]] = [
    lambda: [book.author.country.name for book in Book.objects.select_related("author__country")],
    lambda: [[list(book.tags.all()) for book in author.books.all()] for author in Author.objects.prefetch_related("books__tags")],
    lambda: [author.books.count() for author in Author.objects.prefetch_related("books")],
    lambda: [author.profile.motto for author in Author.objects.select_related("profile")],
    lambda: [note.target for note in Note.objects.prefetch_related("target")],
    lambda: [list(tag.books.all()) for tag in Tag.objects.prefetch_related("books")],
    lambda: next(iter(Book.objects.select_related("author"))).author.name,
    lambda: drop(Author.objects.prefetch_related(Prefetch("books", to_attr="all_books"))),
    lambda: drop(Country.objects.filter(name="nowhere").prefetch_related("authors")),
    lambda: drop(Book.objects.filter(editor=None).select_related("editor")),
    lambda: pickle.dumps(list(Book.objects.select_related("author").prefetch_related("tags"))),
    lambda: copy.deepcopy(list(Book.objects.select_related("author"))),
    lambda: Template("{% for book in books %}{{ book.author.name }}{% endfor %}").render(
        Context({"books": Book.objects.select_related("author")})
    ),
    lambda: drop(Book.objects.all()),
    lambda: [book.author.name for book in Book.objects.all()],
]  # fmt: skip


@pytest.mark.parametrize(("block", "relations"), UNREAD)
def test_what_nobody_read_is_named(block: Callable[[], object], relations: list[str], auditor: Profiler) -> None:
    assert unread(block, auditor) == relations


@pytest.mark.parametrize("block", READ)
def test_what_somebody_read_or_may_read_elsewhere_is_not(block: Callable[[], object], auditor: Profiler) -> None:
    assert unread(block, auditor) == []


def test_what_is_asked_for_again_is_not_read(auditor: Profiler) -> None:
    def narrowed() -> None:
        for author in Author.objects.prefetch_related("books"):
            list(author.books.filter(price=10))

    with record("block", profiler=auditor) as recording:
        narrowed()
    (finding,) = [finding for finding in recording.findings if finding.code == "DBP301"]
    assert "which do not serve filter()" in finding.message


def test_it_says_how_many_rows_and_where(auditor: Profiler) -> None:
    with record("block", profiler=auditor) as recording:
        drop(Book.objects.select_related("author"))

    (finding,) = recording.findings
    assert finding.message == "Book.author of 3 rows loaded at once, and never read"
    assert finding.fix is not None
    assert finding.fix.text == 'leave out select_related or prefetch_related of "author"'
    assert finding.trigger is not None
    assert finding.trigger.function == "drop"


def test_one_reader_among_the_loads_of_one_place_is_enough(auditor: Profiler) -> None:
    def books() -> None:
        for title in ("Book 1", "Book 2", "Book 3"):
            for book in Book.objects.filter(title=title).select_related("author"):
                if title == "Book 1":
                    book.author.name  # noqa: B018

    assert unread(books, auditor) == []


@pytest.mark.usefixtures("auditor")
def test_rows_can_be_pickled_and_copied_as_ever() -> None:
    with record("block"):
        book = pickle.loads(
            pickle.dumps(Book.objects.select_related("author").prefetch_related("tags").get(title="Book 1"))
        )

    assert type(book._state.fields_cache) is type(book._prefetched_objects_cache) is dict
    assert (book.author.name, [tag.name for tag in book.tags.all()]) == ("Author 1", ["Tag 1"])


def test_nothing_is_noted_while_nobody_asks() -> None:
    with Profiler(rules_on=["DBP301"]):
        assert uses.is_auditing()
    assert not uses.is_auditing()
    with record("block", profiler=Profiler()) as recording:
        book = Book.objects.select_related("author").get(title="Book 1")
    assert type(book._state.fields_cache) is dict
    assert recording.report.profile.eager_loads == ()


def test_who_is_installed_later_is_asked_too() -> None:
    dbprofile_django.uninstall()
    try:
        with Profiler(rules_on=["DBP301"]):
            dbprofile_django.install()
            assert uses.is_auditing()
    finally:
        dbprofile_django.install()


@pytest.mark.usefixtures("failing_open")
def test_a_fault_of_the_audit_changes_nothing(auditor: Profiler, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(uses, "relation_named")
    names: list[str] = []

    def read() -> None:
        names.extend(book.author.country.name for book in Book.objects.select_related("author__country"))
        names.extend(book.title for author in Author.objects.prefetch_related("books") for book in author.books.all())
        copy.copy(Author.objects.prefetch_related("books")[0])

    assert unread(read, auditor) == []
    assert len(names) == Book.objects.count() * 2
