"""SQLAlchemy on SQLite in memory, the cheapest statement there is: the worst ratio."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from flask import Flask
from sqlalchemy import Engine, ForeignKey, create_engine, event, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.pool import StaticPool

import dbprofile_flask
import dbprofile_sqlalchemy
from benchmarks.harness import Bench, Seen, main
from dbprofile import Profiler, Report

bench = Bench("bench_sqlalchemy", ["SQLAlchemy", "Flask"])

#: What the profiler of the running instrument is; the workload of a request builds its application with it.
profiling: list[Profiler] = []


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship()


def library() -> Engine:
    """An engine with 200 books of 200 authors, on one connection."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all([Book(title=f"Book {n}", author=Author(name=f"Author {n}")) for n in range(200)])
        session.commit()
    return engine


# --- instruments ----------------------------------------------------------------------------------------------------


@bench.instrument("none")
def none() -> Iterator[Seen]:
    yield None


@bench.instrument("none-again")
def none_again() -> Iterator[Seen]:
    yield None


@bench.instrument("floor")
def floor() -> Iterator[Seen]:
    """Two empty cursor-event listeners: what any tool pays that listens there."""

    def listener(*_arguments: object) -> None:
        pass

    event.listen(Engine, "before_cursor_execute", listener)
    event.listen(Engine, "after_cursor_execute", listener)
    yield None


@bench.instrument("off")
def off() -> Iterator[Seen]:
    """Installed, and no scope open."""
    dbprofile_sqlalchemy.install()
    yield None


@bench.instrument("counters")
def counters() -> Iterator[Seen]:
    yield from _profiled(detail_limit=0)


@bench.instrument("full")
def full() -> Iterator[Seen]:
    yield from _profiled()


def _profiled(detail_limit: int = 1_000) -> Iterator[Seen]:
    dbprofile_sqlalchemy.install()
    seen = 0

    def count(report: Report) -> None:
        nonlocal seen
        seen += report.profile.query_count

    profiling.append(Profiler(sinks=[count], detail_limit=detail_limit))
    yield lambda: seen


def in_scopes(chunk: Callable[[int], None], size: int) -> Callable[[int], None]:
    """Run a chunk in scopes of so many units, where the instrument has a profiler."""
    if not profiling:
        return chunk
    profiler = profiling[0]

    def run(units: int) -> None:
        for start in range(0, units, size):
            with profiler.scope("block", "chunk"):
                chunk(min(size, units - start))

    return run


# --- workloads ------------------------------------------------------------------------------------------------------


@bench.workload("core_select", units=2_000, statements=1)
def core_select() -> Callable[[int], None]:
    connection = library().connect()
    statement = select(Author.id).where(Author.id == 7)

    def run(units: int) -> None:
        for _ in range(units):
            connection.execute(statement).all()

    return in_scopes(run, 500)


@bench.workload("core_text", units=2_000, statements=1)
def core_text() -> Callable[[int], None]:
    connection = library().connect()
    statement = text("SELECT id FROM author WHERE id = :id")

    def run(units: int) -> None:
        for number in range(units):
            connection.execute(statement, {"id": number % 200}).all()

    return in_scopes(run, 500)


@bench.workload("n1", units=4, statements=201)
def n1() -> Callable[[int], None]:
    engine = library()

    def run(units: int) -> None:
        for _ in range(units):
            with Session(engine) as session:
                for book in session.scalars(select(Book)):
                    _ = book.author.name

    return in_scopes(run, 1)


@bench.workload("req30", units=30, statements=30)
def req30() -> Callable[[int], None]:
    engine = library()
    application = Flask(__name__)

    @application.get("/")
    def index() -> str:
        with Session(engine) as session:
            for number in range(10):
                session.scalars(select(Book).where(Book.id == number + 1)).all()
                session.scalars(select(Author).where(Author.name == f"Author {number}")).all()
                session.execute(select(Book.title).where(Book.author_id > number).limit(5)).all()
        return "done"

    if profiling:
        dbprofile_flask.DBProfile(application, profiler=profiling[0])
    client = application.test_client()

    def run(units: int) -> None:
        for _ in range(units):
            client.get("/").close()

    return run


if __name__ == "__main__":
    sys.exit(main(bench))
