"""What SQLAlchemy sends is what is recorded: against the driver's own account, on SQLite and PostgreSQL, through both doors."""

import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    exc,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

import dbprofile
from dbprofile_sqlalchemy.fetches import FetchTimer, new_timer, set_cursor, set_query
from tests.integrations.sqlalchemy.conftest import Traced
from tests.integrations.sqlalchemy.models import Author, Book, Tag

pytestmark = pytest.mark.usefixtures("each_door")


def _core(session: Session) -> int:
    return len(session.connection().execute(select(Author.id, Author.name)).all())


def _first(session: Session) -> int:
    return len([session.connection().execute(select(Author.id).where(Author.id == 1)).first()])


def _text(session: Session) -> int:
    return len(session.connection().execute(text("SELECT id FROM author WHERE id > :low"), {"low": 2}).all())


def _driver(session: Session) -> int:
    return len(session.connection().exec_driver_sql("SELECT id FROM author").all())


def _bare(session: Session) -> int:
    bare = {"no_parameters": True}
    return len(
        session.connection().exec_driver_sql("SELECT id, '100%', '{}' FROM author", execution_options=bare).all()
    )


def _scalar(session: Session) -> int:
    assert session.scalar(select(Author.name).where(Author.id == 2)) == "author 2"
    return 1


def _get(session: Session) -> int:
    assert session.get(Author, 3) is not None
    return 1


def _objects(session: Session) -> int:
    return len(session.scalars(select(Author)).all())


def _legacy(session: Session) -> int:
    return len(session.query(Author).filter(Author.id < 4).all())


def _partitions(session: Session) -> int:
    return sum(len(part) for part in session.connection().execute(select(Book.id)).partitions(3))


def _yield_per(session: Session) -> int:
    return len(list(session.scalars(select(Book).execution_options(yield_per=3))))


READS: list[Callable[[Session], int]] = [
    _core, _first, _text, _driver, _bare, _scalar, _get, _objects, _legacy, _partitions, _yield_per,
]  # fmt: skip


@pytest.mark.parametrize("read", READS)
def test_a_read_is_one_query_with_exactly_its_rows(traced: Traced, read: Callable[[Session], int]) -> None:
    with Session(traced.engine) as session, dbprofile.record() as recording:
        session.connection()
        rows = read(session)
    assert len(recording.queries) == traced.sent == 1
    query = recording.queries[0]
    assert query.rows == rows
    assert query.fetches >= 1
    assert query.error is None
    assert query.call_site is not None
    assert query.call_site.function == read.__qualname__


def test_a_lazy_load_is_one_query_with_its_rows(traced: Traced) -> None:
    with Session(traced.engine) as session:
        author = session.get(Author, 1)
        assert author is not None
        traced.forget()
        with dbprofile.record() as recording:
            assert len(author.books) == 2
        assert [query.rows for query in recording.queries] == [2]
        assert traced.sent == 1


def test_a_fetch_that_fails_while_a_driver_cursor_is_iterated_is_an_error_of_its_query() -> None:
    class Breaking:
        def __iter__(self) -> Iterator[tuple[int]]:
            yield (1,)
            raise ConnectionError

    query = dbprofile.Query("SELECT 1", dbprofile.Database("default"))
    timer = new_timer(FetchTimer)
    set_cursor(timer, Breaking())
    set_query(timer, query)
    with pytest.raises(ConnectionError):
        list(timer)
    assert (query.rows, query.fetches, query.error) == (1, 2, "ConnectionError")


def test_the_cursor_of_a_result_is_the_drivers_to_whoever_asks(traced: Traced) -> None:
    given: list[Any] = []

    def note(_connection: Any, cursor: Any, *_rest: Any) -> None:
        given.append(cursor)

    event.listen(traced.engine, "after_cursor_execute", note)
    try:
        with traced.engine.connect() as connection, dbprofile.record() as recording:
            cursor: Any = connection.execute(select(Author.id).order_by(Author.id)).cursor
            assert isinstance(cursor, type(given[0]))
            assert cursor == given[0]
            assert {cursor: "known"}[given[0]] == "known"
            assert next(cursor) == (1,)
            assert [row[0] for row in cursor] == [2, 3, 4, 5]
            with pytest.raises(StopIteration):
                next(cursor)
    finally:
        event.remove(traced.engine, "after_cursor_execute", note)
    assert [(query.rows, query.fetches) for query in recording.queries] == [(5, 5)]


def test_a_result_closed_early_is_recorded_with_what_was_fetched(traced: Traced) -> None:
    with traced.engine.connect() as connection, dbprofile.record() as recording:
        result = connection.execute(select(Book.id))
        result.fetchmany(3)
        result.fetchone()
        result.close()
    assert [(query.rows, query.fetches) for query in recording.queries] == [(4, 2)]


def test_an_executemany_of_2500_is_one_query(traced: Traced) -> None:
    rows = [{"number": number, "name": "new"} for number in range(2500)]
    statement = text("UPDATE author SET name = :name WHERE id = :number")
    with traced.engine.connect() as connection, dbprofile.record() as recording:
        connection.execute(statement, rows)
    assert [(query.batch_size, query.round_trips) for query in recording.queries] == [(2500, 1)]
    assert recording.queries[0].parameters is None


def test_add_all_of_2500_is_one_query_of_many_round_trips(traced: Traced) -> None:
    with Session(traced.engine) as session, dbprofile.record() as recording:
        session.add_all([Tag(name=f"tag {number}") for number in range(2500)])
        session.flush()
    (query,) = recording.queries
    assert query.batch_size == 2500
    assert query.round_trips == traced.sent
    assert query.round_trips == (2500 if traced.engine.dialect.name == "sqlite" else 3)
    assert query.rows is None


def test_a_default_computed_by_the_database_is_a_query_of_its_own(traced: Traced) -> None:
    counted = Table("counted", MetaData(), Column("id", Integer, primary_key=True), Column("name", String(20)))
    counted.metadata.create_all(traced.engine)
    table = Table(
        "counted",
        MetaData(),
        Column("id", Integer, primary_key=True, default=select(Author.id + 40).where(Author.id == 2).scalar_subquery()),
        Column("name", String(20)),
    )
    try:
        traced.forget()
        with traced.engine.begin() as connection, dbprofile.record() as recording:
            result = connection.execute(insert(table).values(name="one"))
            assert result.inserted_primary_key is not None
            assert result.inserted_primary_key[0] == 42
        assert len(recording.queries) == traced.sent
        assert recording.queries[-1].statement.verb == "INSERT"
    finally:
        counted.drop(traced.engine)


def test_a_write_says_how_many_rows_it_met(traced: Traced) -> None:
    with Session(traced.engine) as session, dbprofile.record() as recording:
        session.execute(
            update(Author).where(Author.id < 4).values(name="x").execution_options(synchronize_session=False)
        )
        session.execute(text("UPDATE author SET name = 'y' WHERE id < 3"))
        session.connection().exec_driver_sql("DELETE FROM profile WHERE id < 2")
    assert [query.affected_rows for query in recording.queries] == [3, 2, 1]
    assert [query.rows for query in recording.queries] == [None, None, None]


def test_a_write_that_returns_rows_counts_those(traced: Traced) -> None:
    with traced.engine.connect() as connection, dbprofile.record() as recording:
        rows = connection.execute(update(Author).where(Author.id < 4).values(name="x").returning(Author.id)).all()
    assert len(rows) == 3
    assert [query.rows for query in recording.queries] == [3]


def test_a_failing_statement_is_recorded_with_the_class_of_its_error(traced: Traced) -> None:
    with (
        traced.engine.connect() as connection,
        dbprofile.record() as recording,
        pytest.raises(exc.DBAPIError) as raised,
    ):
        connection.execute(text("SELECT nothing FROM nowhere"))
    assert [query.error for query in recording.queries] == [type(raised.value.orig).__name__]


def test_the_text_is_recorded_without_a_comment_that_another_listener_adds(traced: Traced) -> None:
    numbers = iter(range(100))

    def comment(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> tuple[str, Any]:
        return f"{statement} /* {next(numbers)} */", parameters

    event.listen(traced.engine, "before_cursor_execute", comment, retval=True)
    try:
        with Session(traced.engine) as session, dbprofile.record() as recording:
            for number in (1, 2):
                session.get(Author, number)
    finally:
        event.remove(traced.engine, "before_cursor_execute", comment)
    assert len({query.sql for query in recording.queries}) == 1
    assert "/*" not in recording.queries[0].sql


def test_everything_a_session_does_counts_as_the_driver_counts_it(traced: Traced) -> None:
    with Session(traced.engine) as session, dbprofile.record() as recording:
        for book in session.scalars(select(Book)):
            assert book.author.country.name
            assert book.tags
        session.add(Author(id=100, name="new", country_id=1))
        session.flush()
        session.delete(session.get_one(Author, 100))
        session.commit()
    assert recording.query_count == traced.sent


def test_the_database_is_known_without_user_or_password(traced: Traced) -> None:
    with dbprofile.record() as recording, traced.engine.connect() as connection:
        connection.execute(select(Author.id)).all()
    database = recording.queries[0].database
    name = traced.engine.dialect.name
    assert (database.name, database.system, database.dialect, database.library) == ("default", name, name, "sqlalchemy")
    assert database.paramstyle == traced.engine.dialect.paramstyle
    assert database.namespace == traced.engine.url.database
    assert "postgres" not in repr(database).replace("postgresql", "")


class _Local:
    """Something that the application has in a variable."""


def _application(engine: Engine) -> list[weakref.ref[Any]]:
    local = _Local()
    with Session(engine) as session:
        book = session.get_one(Book, 1)
        assert book.author.name
        session.add_all([Tag(name="a"), Tag(name="b")])
        session.flush()
        session.rollback()
        return [weakref.ref(local), weakref.ref(session)]


def test_nothing_of_the_application_is_kept(traced: Traced) -> None:
    _application(traced.engine)
    gc.collect()
    gc.disable()
    try:
        with dbprofile.record() as recording:
            kept = _application(traced.engine)
            assert [reference() for reference in kept] == [None, None]
    finally:
        gc.enable()
    assert len(recording.queries) == 3


def test_an_engine_can_be_collected() -> None:
    engine = create_engine("sqlite://")
    with dbprofile.record() as recording, engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    engine.dispose()
    reference = weakref.ref(engine)
    del engine, connection
    gc.collect()
    assert reference() is None
    assert recording.queries[0].database.system == "sqlite"
