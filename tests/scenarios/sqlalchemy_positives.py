"""Functions with an N+1 or a loop in them. Comments name the lines: where the rows come from, where each of them asks."""

# ruff: noqa: B018

from collections.abc import Iterator

from sqlalchemy import delete, exists, func, insert, select, text, update
from sqlalchemy.orm import Session, defer, immediateload, joinedload, load_only

from tests.integrations.sqlalchemy.models import Author, Book, Country, Node, Person, Profile, Reader, Tag


def s01_many_to_one(session: Session) -> None:
    for book in session.scalars(select(Book)):  # origin
        book.author.name  # trigger


def s01_unfolded(session: Session) -> None:
    query = select(Book).where(Book.id > 0).order_by(Book.id)  # origin
    books = session.execute(query).scalars().all()
    [book.author.name for book in books]  # trigger


def s01_through_a_repository(session: Session) -> None:
    class Books:
        def __init__(self, session: Session) -> None:
            self.session = session

        def all(self) -> list[Book]:
            return list(self.session.scalars(select(Book)).all())  # origin

    def label(book: Book) -> str:
        return f"{book.title} by {book.author.name}"  # trigger

    for book in Books(session).all():
        label(book)


def s01_generator(session: Session) -> None:
    def names() -> Iterator[str]:
        for book in session.scalars(select(Book)):  # origin
            yield book.author.name  # trigger

    list(names())


def s02_one_to_many(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        len(author.books)  # trigger


def s03_one_to_one(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        author.profile.text  # trigger


def s03_one_to_one_forwards(session: Session) -> None:
    for profile in session.scalars(select(Profile)):  # origin
        profile.author.name  # trigger


def s04_many_to_many(session: Session) -> None:
    for book in session.scalars(select(Book)):  # origin
        list(book.tags)  # trigger


def s05_deferred(session: Session) -> None:
    for author in session.scalars(select(Author)):  # origin
        author.bio  # trigger


def s05_deferred_by_the_query(session: Session) -> None:
    for book in session.scalars(select(Book).options(defer(Book.title))):  # origin
        book.title  # trigger


def s05_left_out_by_the_query(session: Session) -> None:
    for book in session.scalars(select(Book).options(load_only(Book.id))):  # origin
        book.title  # trigger


def s06_expired(session: Session) -> None:
    tags = session.scalars(select(Tag)).all()  # origin
    session.commit()
    for tag in tags:
        tag.name  # trigger


def s09_subclass_column(session: Session) -> None:
    for person in session.scalars(select(Person)):  # origin
        assert isinstance(person, Reader)
        person.card  # trigger


def s10_chain(session: Session) -> None:
    for book in session.scalars(select(Book).options(joinedload(Book.author))):  # origin
        book.author.country.name  # trigger


def s14_refresh(session: Session) -> None:
    for tag in session.scalars(select(Tag)).all():  # origin
        session.refresh(tag)  # trigger


def s14_refresh_of_a_relation(session: Session) -> None:
    for author in session.scalars(select(Author)).all():  # origin
        session.refresh(author, ["books"])  # trigger


def s15_immediate(session: Session) -> None:
    session.scalars(select(Book).options(immediateload(Book.author))).all()


def s17_legacy_query(session: Session) -> None:
    for book in session.query(Book).filter(Book.id > 0).all():  # origin
        book.author.name  # trigger


def s19_two_places(session: Session) -> None:
    def one(book: Book) -> str:
        return book.author.name

    def other(book: Book) -> str:
        return book.author.name

    for number, book in enumerate(session.scalars(select(Book))):  # origin
        one(book) if number % 2 else other(book)


def s26_got_singly(session: Session) -> None:
    kept = [session.get(Book, 1), session.get(Book, 2)]
    assert kept
    for book in session.scalars(select(Book)).all():
        book.author.name  # trigger


def s33_tree(session: Session) -> None:
    def walk(node: Node) -> None:
        for child in node.children:  # trigger
            walk(child)

    walk(session.scalars(select(Node).where(Node.parent_id.is_(None))).first() or Node())


def l08_get(session: Session) -> None:
    for number in list(session.scalars(select(Tag.id))):
        session.get(Tag, number)  # trigger


def l08_where(session: Session) -> None:
    for number in list(session.scalars(select(Tag.id))):
        session.scalars(select(Tag).where(Tag.id == number)).one()  # trigger


def l11_count(session: Session) -> None:
    for author in list(session.scalars(select(Author.id))):
        session.scalar(select(func.count()).select_from(Book).where(Book.author_id == author))  # trigger


def l11_exists(session: Session) -> None:
    for author in list(session.scalars(select(Author.id))):
        session.scalar(select(exists().where(Book.author_id == author)))  # trigger


def l12_text(session: Session) -> None:
    for number in (1, 2, 3, 4):
        session.execute(text(f"SELECT name FROM tag WHERE id = {number}")).all()  # trigger


def l12_core(session: Session) -> None:
    connection = session.connection()
    for number in (1, 2, 3, 4):
        connection.execute(select(Tag.__table__).where(Tag.__table__.c.id == number)).all()  # trigger


def l20_overlapping_lists(session: Session) -> None:
    numbers = list(session.scalars(select(Tag.id)))
    for size in range(len(numbers)):
        session.scalars(select(Tag).where(Tag.id.in_(numbers[: size + 1]))).all()  # trigger


def l24_merge(session: Session) -> None:
    with session.no_autoflush:
        for number in (1, 2, 3, 4):
            session.merge(Tag(id=number, name="merged"))  # trigger


def w01_add_and_flush(session: Session) -> None:
    for number in range(4):
        session.add(Country(id=1_000 + number, name="new"))
        session.flush()  # trigger


def w01_add_and_commit(session: Session) -> None:
    for number in range(4):
        session.add(Country(id=1_000 + number, name="new"))
        session.commit()  # trigger


def w01_change_and_commit(session: Session) -> None:
    for tag in session.scalars(select(Tag)).all():
        tag.name += "!"
        session.commit()


def w02_update(session: Session) -> None:
    for number in (1, 2, 3, 4):
        session.execute(update(Tag).where(Tag.id == number).values(name=str(number)))  # trigger


def w02_insert(session: Session) -> None:
    for number in range(4):
        session.execute(insert(Country).values(id=1_000 + number, name="new"))  # trigger


def w03_delete_statement(session: Session) -> None:
    for number in (1, 2, 3, 4):
        session.execute(delete(Profile).where(Profile.id == number))  # trigger


def w03_delete_and_flush(session: Session) -> None:
    for profile in session.scalars(select(Profile)).all():
        session.delete(profile)
        session.flush()  # trigger
