"""Relations that load row by row: named, placed at the line that loaded and the line that asked, and cured by the fix."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from dbprofile import guard
from dbprofile_sqlalchemy import lineages, provenance
from tests.integrations.sqlalchemy.pages import Page, finding_of

pytestmark = pytest.mark.usefixtures("installed")


@dataclass(frozen=True)
class Case:
    relation: str
    kind: str
    option: str
    source: str
    code: str = "DBP101"


CASES = {
    "many to one": Case(
        "Book.author",
        "many_to_one",
        "joinedload(Book.author)",
        """
def page(session):
    books = session.scalars(select(Book)).all()  # origin
    for book in books:
        book.author.name  # trigger
""",
    ),
    "one to many": Case(
        "Author.books",
        "one_to_many",
        "selectinload(Author.books)",
        """
def page(session):
    for author in session.scalars(select(Author).order_by(Author.id)):  # origin
        len(author.books)  # trigger
""",
    ),
    "one to one": Case(
        "Author.profile",
        "reverse_one_to_one",
        "joinedload(Author.profile)",
        """
def page(session):
    stmt = select(Author)  # place
    authors = session.scalars(stmt).all()  # origin
    return [author.profile.text for author in authors]  # trigger
""",
    ),
    "many to many": Case(
        "Book.tags",
        "many_to_many",
        "selectinload(Book.tags)",
        """
def page(session):
    for book in session.query(Book).all():  # origin
        [tag.name for tag in book.tags]  # trigger
""",
    ),
    "behind a join": Case(
        "Author.country",
        "many_to_one",
        "joinedload(Book.author).joinedload(Author.country)",
        """
def page(session):
    for book in session.scalars(select(Book).options(joinedload(Book.author))):  # origin
        book.author.country.name  # trigger
""",
    ),
    "behind an eager load": Case(
        "Book.tags",
        "many_to_many",
        "selectinload(Author.books).selectinload(Book.tags)",
        """
def page(session):
    for author in session.scalars(select(Author).options(selectinload(Author.books))):  # origin
        for book in author.books:
            [tag.name for tag in book.tags]  # trigger
""",
    ),
    "two lazy levels": Case(
        "Book.tags",
        "many_to_many",
        "selectinload(Author.books).selectinload(Book.tags)",
        """
def page(session):
    for author in session.scalars(select(Author)):  # origin
        for book in author.books:
            [tag.name for tag in book.tags]  # trigger
""",
    ),
    "a to-one behind a collection": Case(
        "Book.editor",
        "many_to_one",
        "selectinload(Author.books).joinedload(Book.editor)",
        """
def page(session):
    for author in session.scalars(select(Author).options(selectinload(Author.books)).where(Author.id % 2 == 1)):  # origin
        for book in author.books:
            book.editor.name  # trigger
""",
    ),
    "a deferred column": Case(
        "Author.bio",
        "column",
        "undefer(Author.bio)",
        """
def page(session):
    for author in session.scalars(select(models.Author)):  # origin
        author.bio  # trigger
""",
    ),
    "the rows of one row": Case(
        "Book.tags",
        "many_to_many",
        "selectinload(Author.books).selectinload(Book.tags)",
        """
def page(session):
    author = session.get(Author, 1)  # origin
    for book in author.books:
        [tag.name for tag in book.tags]  # trigger
""",
    ),
    "a subclass": Case(
        "Person.country",
        "many_to_one",
        "joinedload(Reader.country)",
        """
def page(session):
    for reader in session.scalars(select(Reader)):  # origin
        reader.country.name  # trigger
""",
    ),
    "an immediate load": Case(
        "Book.author",
        "many_to_one",
        "joinedload(Book.author)",
        """
def page(session):
    books = session.scalars(select(Book).options(immediateload(Book.author))).all()  # origin
    return [book.author.name for book in books]
""",
    ),
}


def _option(case: Case) -> str:
    return case.option.replace("(Author.bio)", "(models.Author.bio)")


@pytest.mark.parametrize("name", CASES)
def test_the_relation_and_both_lines_are_named(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    page = Page(tmp_path, case.source)
    finding = finding_of(page.visit(5).findings, case.code, case.relation)
    assert finding.relation_kind == case.kind
    assert finding.origin is not None
    assert finding.trigger is not None
    # A query that is written on another line than it is sent from is shown where it is written: that is the line to edit.
    assert (finding.origin.file, finding.origin.line) == (str(page.path), page.line("place") or page.line("origin"))
    assert (finding.trigger.file, finding.trigger.line) == (str(page.path), page.line("trigger") or page.line("origin"))


@pytest.mark.parametrize("name", CASES)
def test_the_fix_put_into_the_page_makes_the_number_of_queries_the_same_at_any_size(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    page = Page(tmp_path, case.source)
    fix = finding_of(page.visit(5).findings, case.code, case.relation).fix
    assert fix is not None
    assert _option(case) in fix.text
    assert fix.place is not None
    assert fix.place.line == (page.line("place") or page.line("origin"))
    cured = page.cured(fix)
    small, large = cured.visit(2), cured.visit(5)
    assert len(small.queries) == len(large.queries)
    assert not large.findings


@pytest.mark.parametrize("name", CASES)
def test_what_a_fix_leaves_is_what_remains(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    page = Page(tmp_path, case.source)
    sick = page.visit(5)
    finding = finding_of(sick.findings, case.code, case.relation)
    fix = finding.fix
    assert fix is not None
    cured = page.cured(fix).visit(5)
    assert cured.query_count == sick.query_count - (fix.replaces or len(finding.queries)) + fix.leaves


def test_the_lines_of_one_relation_read_at_two_places_are_one_finding(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    books = session.scalars(select(Book)).all()
    for book in books[:4]:
        book.author.name  # trigger
    for book in books[4:]:
        book.author.name
""",
    )
    finding = finding_of(page.visit(5).findings, "DBP101", "Book.author")
    assert finding.count == 5
    assert finding.trigger is not None
    assert finding.trigger.line == page.line("trigger")


def test_refreshes_after_a_commit_are_named_as_such(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    authors = session.scalars(select(Author)).all()  # origin
    session.commit()
    for author in authors:
        author.name  # trigger
        author.books
""",
    )
    findings = page.visit(5).findings
    refresh = finding_of(findings, "DBP101", "Author")
    assert refresh.variant == "refresh"
    assert refresh.fix is not None
    assert "expire_on_commit=False" in refresh.fix.text
    books = finding_of(findings, "DBP101", "Author.books")
    assert books.origin is not None
    assert books.origin.line == page.line("origin")


def test_a_fix_for_an_alias_is_one_to_try(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
from sqlalchemy.orm import aliased

def page(session):
    Writer = aliased(Author)
    for author in session.scalars(select(Writer)):  # origin
        author.country.name
""",
    )
    fix = finding_of(page.visit(5).findings, "DBP101", "Author.country").fix
    assert fix is not None
    assert fix.text == "select(Writer).options(joinedload(Writer.country))"
    assert not fix.certain
    assert len(page.cured(fix).visit(5).queries) == 1


def test_a_loop_of_refresh_is_told_from_rows_that_a_commit_expired(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    for author in session.scalars(select(Author)).all():
        session.refresh(author)
""",
    )
    finding = finding_of(page.visit(5).findings, "DBP101", "Author")
    assert (finding.variant, finding.operation) == ("refresh", "refresh")
    assert finding.fix is not None
    assert "populate_existing" in finding.fix.text


def test_columns_of_a_subclass_are_named(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    for person in session.scalars(select(models.Person)):  # origin
        person.card  # trigger
""",
    )
    finding = finding_of(page.visit(5).findings, "DBP101", "Reader.card")
    assert (finding.variant, finding.count) == ("polymorphic", 5)


def test_a_loop_of_get_is_a_query_loop(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    for number in range(1, 6):
        session.get(Author, number)  # trigger
""",
    )
    (finding,) = page.visit(5).findings
    assert (finding.code, finding.count, finding.operation) == ("DBP102", 5, "get")
    assert finding.trigger is not None
    assert finding.trigger.line == page.line("trigger")


def test_a_walk_down_a_tree_is_one_group(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def show(node):
    for child in node.children:  # trigger
        show(child)

def page(session):
    nodes = [Node(id=n, parent_id=None if n == 1 else n // 2) for n in range(1, 8)]
    session.add_all(nodes)
    session.commit()
    session.expunge_all()
    show(session.get(Node, 1))
""",
    )
    (finding,) = (finding for finding in page.visit(2).findings if finding.code == "DBP101")
    assert finding.relation == "Node.children"
    assert len(finding.queries) == 7


def test_a_flush_names_what_it_writes(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    session.add(Tag(name="new"))
    session.add(Author(name="new", country_id=1))
    session.flush()
    session.add(Tag(name="newer"))
    session.flush()
""",
    )
    whys = [query.provenance for query in page.visit(2).queries]
    assert [(why.role, why.operation, why.model) for why in whys if why is not None] == [
        ("write", "flush", "Author"),
        ("write", "flush", "Tag"),
        ("write", "flush", "Tag"),
    ]
    first, second, third = (why.invocation for why in whys if why is not None)
    assert first == second != third


def test_what_a_flush_loads_is_part_of_the_write(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
def page(session):
    book = session.get(Book, 1)
    session.delete(book)
    session.flush()
""",
    )
    roles = [query.provenance.role for query in page.visit(2).queries if query.provenance is not None]
    assert roles[0] == "read"
    assert set(roles[1:]) == {"write"}
    assert len(roles) > 1


def test_rows_of_an_outer_block_are_known_in_an_inner_one(tmp_path: Path) -> None:
    page = Page(
        tmp_path,
        """
import dbprofile

def page(session):
    books = session.scalars(select(Book)).all()  # origin
    with dbprofile.record("inner"):
        for book in books:
            book.author.name
""",
    )
    finding = finding_of(page.visit(5).findings, "DBP101", "Book.author")
    assert finding.origin is not None
    assert finding.origin.line == page.line("origin")


def test_a_version_that_no_longer_numbers_its_runs_costs_the_origin_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineages, "_take_number", None)
    page = Page(tmp_path, CASES["many to one"].source)
    finding = finding_of(page.visit(5).findings, "DBP101", "Book.author")
    assert finding.count == 5
    assert finding.origin is None
    assert finding.trigger is not None
    assert finding.trigger.line == page.line("trigger")
    assert finding.fix is not None
    assert not finding.fix.certain


def test_a_version_that_tells_nothing_of_its_loads_costs_the_relation_and_no_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "_LOAD_OPTIONS", "a key that nobody uses")
    monkeypatch.setattr(provenance, "_NO_OPTIONS", object())
    recording = Page(tmp_path, CASES["many to one"].source).visit(5)
    assert recording.query_count == 6
    assert all(query.provenance is not None for query in recording.queries)


def test_a_fault_in_the_explanation_of_a_query_costs_no_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(tmp_path, CASES["many to one"].source)
    guard.reraising(False)
    monkeypatch.delattr(provenance, "lineage_of")
    recording = page.visit(5)
    assert recording.query_count == 6
    places = {query.call_site.line for query in recording.queries if query.call_site is not None}
    assert places == {page.line("origin"), page.line("trigger")}
