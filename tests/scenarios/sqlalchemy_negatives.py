"""Functions whose queries only look like a loop, or are as few as they can be."""

# ruff: noqa: B018

import time

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session, joinedload, selectinload, subqueryload, undefer

from tests.integrations.sqlalchemy.models import Author, Book, Country, Node, Profile, Tag


def n01_joined(session: Session) -> None:
    query = select(Book).options(joinedload(Book.author).joinedload(Author.country), joinedload(Book.editor))
    for book in session.scalars(query):
        book.author.country.name


def n01_selected(session: Session) -> None:
    for author in session.scalars(select(Author).options(selectinload(Author.books).selectinload(Book.tags))):
        for book in author.books:
            len(book.tags)


def n01_by_a_subquery(session: Session) -> None:
    for author in session.scalars(select(Author).options(subqueryload(Author.books), undefer(Author.bio))):
        len(author.books)
        author.bio


def n02_two_relations_to_one_table(session: Session) -> None:
    for book in session.scalars(select(Book).options(selectinload(Book.author), selectinload(Book.editor))):
        book.author.name


def n03_in_pieces(session: Session) -> None:
    query = select(Author).options(selectinload(Author.books)).execution_options(yield_per=2)
    for author in session.scalars(query):
        len(author.books)


def n04_many_parents(session: Session) -> None:
    session.add_all([Country(id=number, name="new") for number in range(1_000, 2_200)])
    session.flush()
    session.add_all([Author(id=number, name="new", country_id=number) for number in range(1_000, 2_200)])
    session.flush()
    session.expunge_all()
    for author in session.scalars(select(Author).options(selectinload(Author.books))):
        len(author.books)


def n05_executemany(session: Session) -> None:
    session.execute(insert(Country), [{"id": number, "name": "new"} for number in range(1_000, 1_050)])
    session.execute(update(Country), [{"id": number, "name": "changed"} for number in range(1_000, 1_050)])


def n06_one_flush(session: Session) -> None:
    session.add_all([Country(id=number, name="new") for number in range(1_000, 1_050)])
    session.flush()


def n06_one_flush_of_changes(session: Session) -> None:
    for tag in session.scalars(select(Tag)):
        tag.name += "!"
    session.commit()


def n07_keyset(session: Session) -> None:
    last = 0
    while rows := session.scalars(select(Book).where(Book.id > last).order_by(Book.id).limit(2)).all():
        last = rows[-1].id


def n07_offset(session: Session) -> None:
    for start in range(0, 8, 2):
        session.scalars(select(Book).order_by(Book.id).limit(2).offset(start)).all()


def n08_chunks(session: Session) -> None:
    keys = list(session.scalars(select(Book.id).order_by(Book.id)))
    for start in range(0, len(keys), 2):
        session.scalars(select(Book).where(Book.id.in_(keys[start : start + 2]))).all()


def n09_savepoints(session: Session) -> None:
    for _ in range(5):
        with session.begin_nested():
            pass


def n10_three_lines(session: Session) -> None:
    session.get(Book, 1)
    session.get(Book, 2)
    session.get(Book, 3)


def n11_relations_of_one_row(session: Session) -> None:
    book = session.get(Book, 1)
    assert book
    book.author.name
    book.editor.name
    len(book.tags)


def n13_first_of_a_list(session: Session) -> None:
    books = session.scalars(select(Book)).all()
    books[0].author.name


def n12_two_rows(session: Session) -> None:
    one, other = session.get(Book, 1), session.get(Book, 3)
    assert one
    assert other
    one.author.name
    other.author.name


def n14_polling(session: Session) -> None:
    for _ in range(4):
        if session.scalar(select(Tag.id).where(Tag.name == "never")):
            break
        time.sleep(0.001)


def n16_cascade(session: Session) -> None:
    root = session.scalars(select(Node).where(Node.parent_id.is_(None))).one()
    session.delete(root)  # loads what it takes with it, node by node
    session.commit()


def n17_identity_map(session: Session) -> None:
    authors = session.scalars(select(Author)).all()
    assert authors  # held, because the map of identities does not
    for book in session.scalars(select(Book)):
        book.author.name


def n19_count_and_page(session: Session) -> None:
    session.scalar(select(func.count()).select_from(Book))
    session.scalars(select(Book).order_by(Book.id).limit(3)).all()


def n24_refresh_after_a_commit(session: Session) -> None:
    tag = session.get(Tag, 1)
    assert tag
    tag.name = "one"
    session.commit()
    tag.name
    tag.name = "two"
    session.commit()
    tag.name


def n33_two_hops(session: Session) -> None:
    node = session.get(Node, 1)
    assert node
    for child in node.children[:1]:
        child.children[:1]


def n43_queue(session: Session) -> None:
    session.execute(update(Tag).values(name="new"))
    while (tag := session.scalars(select(Tag).where(Tag.name == "new").order_by(Tag.id).limit(1)).first()) is not None:
        tag.name = "done"
        session.flush()


def n45_one_counter(session: Session) -> None:
    profile = session.get(Profile, 1)
    assert profile
    for number in range(5):
        profile.text = str(number)
        session.flush()


def n47_settings(session: Session) -> None:
    for _ in range(4):
        session.execute(text("PRAGMA foreign_keys"))
