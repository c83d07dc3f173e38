"""A small library: books with an author, a country behind each author, tags on the books, one profile an author."""

from typing import ClassVar

from sqlalchemy import Column, Engine, ForeignKey, String, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from dbprofile_sqlalchemy import databases, relations


class Base(DeclarativeBase):
    type_annotation_map: ClassVar = {str: String(80)}  # MySQL wants a length


class Country(Base):
    __tablename__ = "country"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Author(Base):
    __tablename__ = "author"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    country_id: Mapped[int] = mapped_column(ForeignKey("country.id"))
    bio: Mapped[str] = mapped_column(deferred=True, default="born somewhere")
    country: Mapped[Country] = relationship()
    books: Mapped[list["Book"]] = relationship(
        back_populates="author", foreign_keys="Book.author_id", order_by="Book.id"
    )
    profile: Mapped["Profile"] = relationship(back_populates="author", uselist=False)


class Profile(Base):
    __tablename__ = "profile"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"), unique=True)
    author: Mapped[Author] = relationship(back_populates="profile")


book_tags = Table(
    "book_tag",
    Base.metadata,
    Column("book_id", ForeignKey("book.id"), primary_key=True),
    Column("tag_id", ForeignKey("tag.id"), primary_key=True),
)


class Book(Base):
    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    editor_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books", foreign_keys=author_id)
    editor: Mapped[Author] = relationship(foreign_keys=editor_id)
    tags: Mapped[list["Tag"]] = relationship(secondary=book_tags, order_by="Tag.id")


class Person(Base):
    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    country_id: Mapped[int] = mapped_column(ForeignKey("country.id"))
    country: Mapped[Country] = relationship()

    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012 - SQLAlchemy declares it so


class Reader(Person):
    __tablename__ = "reader"

    id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    card: Mapped[int]

    __mapper_args__ = {"polymorphic_identity": "reader"}  # noqa: RUF012 - SQLAlchemy declares it so


class Tag(Base):
    __tablename__ = "tag"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Node(Base):
    __tablename__ = "node"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
    children: Mapped[list["Node"]] = relationship(order_by="Node.id", cascade="all")


def fill(engine: Engine, size: int) -> None:
    """As many authors as ``size``, each of another country, with two books, one profile, two tags on each book; as many readers."""
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        for number in range(1, size + 1):
            session.add(Country(id=number, name=f"country {number}"))
        session.flush()
        for number in range(1, size + 1):
            session.add(Author(id=number, name=f"author {number}", country_id=number))
            session.add(Reader(id=number, card=number, country_id=number))
        session.flush()
        for number in range(1, size + 1):
            session.add(Profile(id=number, text=f"profile {number}", author_id=number))
            session.add(Tag(id=2 * number - 1, name=f"tag {number} a"))
            session.add(Tag(id=2 * number, name=f"tag {number} b"))
            for book in (2 * number - 1, 2 * number):
                editor = number % size + 1
                session.add(Book(id=book, title=f"book {book}", author_id=number, editor_id=editor))
        session.flush()
        session.execute(
            book_tags.insert(),
            [
                {"book_id": book, "tag_id": tag}
                for number in range(1, size + 1)
                for book in (2 * number - 1, 2 * number)
                for tag in (2 * number - 1, 2 * number)
            ],
        )
        if engine.dialect.name == "postgresql":
            for table in ("author", "tag", "book"):
                session.execute(text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), 1000)"))
        session.commit()


def forget(engine: Engine) -> None:
    """Begin at nothing: what SQLAlchemy has compiled, and what we know of the engine and of relations."""
    engine.clear_compiled_cache()
    databases.known_facts.clear()
    relations._relations.clear()
