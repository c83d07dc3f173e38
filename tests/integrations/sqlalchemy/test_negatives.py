"""Pages that only look like loops: none of them is one."""

from pathlib import Path

import pytest

from tests.integrations.sqlalchemy.pages import Page

pytestmark = pytest.mark.usefixtures("installed")

PAGES = {
    "joinedload": """
def page(session):
    for book in session.scalars(select(Book).options(joinedload(Book.author))):
        book.author.name
""",
    "selectinload": """
def page(session):
    for author in session.scalars(select(Author).options(selectinload(Author.books).selectinload(Book.tags))):
        for book in author.books:
            [tag.name for tag in book.tags]
""",
    "subqueryload": """
def page(session):
    for author in session.scalars(select(Author).options(subqueryload(Author.books))):
        len(author.books)
""",
    "two relations to one table": """
def page(session):
    for book in session.scalars(select(Book).options(selectinload(Book.author), selectinload(Book.editor))):
        book.author.name, book.editor.name
""",
    "chunks with an eager load each": """
def page(session):
    query = select(Author).options(selectinload(Author.books)).execution_options(yield_per=2)
    for author in session.scalars(query):
        len(author.books)
""",
    "one flush of many rows": """
def page(session):
    session.add_all([Tag(name=f"tag {number}") for number in range(50)])
    session.add_all([Profile(text="new", author_id=1000 + number) for number in range(50)])
    session.flush()
""",
    "one executemany": """
def page(session):
    session.execute(text("UPDATE author SET name = :name WHERE id = :id"), [{"id": n, "name": "x"} for n in range(50)])
""",
    "batches in a loop": """
def page(session):
    for start in range(0, 40, 10):
        session.add_all([Tag(name=f"tag {number}") for number in range(start, start + 10)])
        session.flush()
""",
    "three lines": """
def page(session):
    session.get(Author, 1)
    session.get(Author, 2)
    session.get(Author, 3)
""",
    "two on one line": """
def page(session):
    return session.get(Author, 1), session.get(Author, 2)
""",
    "one function from two places": """
def author(session, number):
    return session.get(Author, number)

def page(session):
    first = author(session, 1)
    second = author(session, 2)
""",
    "one row and its relations": """
def page(session):
    book = session.get(Book, 1)
    book.author.name
    book.editor.name
    [tag.name for tag in book.tags]
    book.author.country.name
""",
    "only the first row": """
def page(session):
    books = session.scalars(select(Book)).all()
    books[0].author.name
""",
    "the first and the last row": """
def page(session):
    books = session.scalars(select(Book)).all()
    books[0].author.name
    books[-1].author.name
""",
    "two rows loaded one by one": """
def page(session):
    first = session.get(Book, 1)
    second = session.get(Book, 10)
    first.author.name
    second.author.name
""",
    "rows that are there already": """
def page(session):
    authors = session.scalars(select(Author)).all()
    for book in session.scalars(select(Book)):
        book.author.name
""",
    "two joined rows of one class": """
def page(session):
    book = session.scalars(select(Book).options(joinedload(Book.author), joinedload(Book.editor)).limit(1)).one()
    book.author.country.name
    book.editor.country.name
""",
}


@pytest.mark.parametrize("name", PAGES)
def test_no_loop_is_seen_in(name: str, tmp_path: Path) -> None:
    recording = Page(tmp_path, PAGES[name]).visit(5)
    assert recording.queries
    assert [finding.code for finding in recording.findings if finding.code[:4] == "DBP1"] == []


def test_one_flush_on_a_database_that_takes_row_by_row_is_one_unit_of_work(tmp_path: Path) -> None:
    page = Page(tmp_path, PAGES["one flush of many rows"])
    queries = page.visit(5).queries
    assert [(query.batch_size, query.round_trips) for query in queries] == [(50, 50), (50, 50)]
