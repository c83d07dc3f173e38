"""What is recorded of a statement besides its rows: its text, its database, and nothing of the application's."""

import gc
import uuid
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.orm import Session

import dbprofile
from dbprofile_sqlalchemy.fetches import FetchTimer, new_timer, set_cursor, set_query
from tests.integrations.sqlalchemy.library import Library, on_synchronous
from tests.integrations.sqlalchemy.models import Author, Book, Tag

pytestmark = pytest.mark.usefixtures("each_door")


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


@on_synchronous
def test_the_cursor_of_a_result_is_the_drivers_to_whoever_asks(library: Library) -> None:
    given: list[Any] = []

    def note(_connection: Any, cursor: Any, *_rest: Any) -> None:
        given.append(cursor)

    event.listen(library.engine, "after_cursor_execute", note)
    try:
        with library.engine.connect() as connection, dbprofile.record() as recording:
            cursor: Any = connection.execute(select(Author.id).order_by(Author.id)).cursor
            assert isinstance(cursor, type(given[0]))
            assert cursor == given[0]
            assert {cursor: "known"}[given[0]] == "known"
            assert next(cursor) == (1,)
            assert [row[0] for row in cursor] == [2, 3, 4, 5]
            with pytest.raises(StopIteration):
                next(cursor)
    finally:
        event.remove(library.engine, "after_cursor_execute", note)
    assert [(query.rows, query.fetches) for query in recording.queries] == [(5, 5)]


def test_the_text_is_recorded_without_a_comment_that_another_listener_adds(library: Library) -> None:
    numbers = iter(range(100))

    def comment(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> tuple[str, Any]:
        return f"{statement} /* {next(numbers)} */", parameters

    def ask(session: Session) -> None:
        for number in (1, 2):
            session.get(Author, number)

    event.listen(library.engine, "before_cursor_execute", comment, retval=True)
    try:
        with dbprofile.record() as recording:
            library.in_session(ask)
    finally:
        event.remove(library.engine, "before_cursor_execute", comment)
    library.check(recording)
    assert all("/*" in sent for sent in library.ledger.sent)
    assert len({query.sql for query in recording.queries}) == 1
    assert "/*" not in recording.queries[0].sql


def _signature() -> str:
    return uuid.uuid4().hex


def test_signatures_that_a_listener_adds_hide_no_n_plus_one(engine: Engine) -> None:
    signatures: list[str] = []

    def sign(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> tuple[str, Any]:
        signatures.append(_signature())
        return f"{statement} /* traceparent='{signatures[-1]}' */", parameters

    event.listen(engine, "before_cursor_execute", sign, retval=True)
    with Session(engine) as session, dbprofile.record() as recording:
        assert [author.country.name for author in session.scalars(select(Author))]
    (finding,) = recording.findings
    assert (finding.code, finding.subject, finding.count) == ("DBP101", "Author.country", 5)
    assert len(signatures) == recording.query_count == 6
    assert not [signature for signature in signatures if signature in str(recording)]


@pytest.mark.parametrize("number", [12, 60], ids=["in detail", "beyond the detail limit"])
def test_signatures_written_into_the_text_hide_no_loop(engine: Engine, number: int) -> None:
    signatures = [_signature() for _ in range(number)]
    profiler = dbprofile.Profiler(detail_limit=20)
    with engine.connect() as connection, dbprofile.record(profiler=profiler) as recording:
        for turn, signature in enumerate(signatures):
            statement = f"/* request {signature} */ SELECT name FROM author WHERE id = :id -- {signature}"
            connection.execute(text(statement), {"id": turn}).scalar()
    (finding,) = recording.findings
    assert (finding.code, finding.count, recording.query_count) == ("DBP102", number, number)
    assert not [signature for signature in signatures if signature in str(recording)]


@on_synchronous
def test_a_plan_that_the_application_asks_for_is_sent_once_and_counted(library: Library) -> None:
    texts: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        texts.append(statement)  # SQLite's own account does not tell of plans

    word = "EXPLAIN QUERY PLAN" if library.engine.dialect.name == "sqlite" else "EXPLAIN"
    event.listen(library.engine, "before_cursor_execute", note)
    try:
        with library.engine.connect() as connection, dbprofile.record() as recording:
            assert connection.execute(text(f"{word} SELECT name FROM author WHERE id = :id"), {"id": 1}).all()
            assert connection.execute(text("SELECT name FROM author WHERE id = :id"), {"id": 1}).all()
        assert str(recording)
    finally:
        event.remove(library.engine, "before_cursor_execute", note)
    assert [sent.partition(" ")[0] for sent in texts] == ["EXPLAIN", "SELECT"]
    assert [query.statement.verb for query in recording.queries] == ["EXPLAIN", "SELECT"]
    assert (recording.query_count, recording.findings) == (2, ())


def test_everything_a_session_does_counts_as_the_driver_counts_it(library: Library) -> None:
    def work(session: Session) -> None:
        for book in session.scalars(select(Book)):
            assert book.author.country.name
            assert book.tags
        session.add(Author(id=100, name="new", country_id=1))
        session.flush()
        session.delete(session.get_one(Author, 100))
        session.commit()

    with dbprofile.record() as recording:
        library.in_session(work)
    library.check(recording)
    assert recording.query_count == len(library.sent)


_DRIVERS = {
    "pysqlite": ("sqlite", "sqlite", "qmark"),
    "aiosqlite": ("sqlite", "sqlite", "qmark"),
    "psycopg": ("postgresql", "postgresql", "pyformat"),
    "psycopg2": ("postgresql", "postgresql", "pyformat"),
    "asyncpg": ("postgresql", "postgresql", "numeric_dollar"),
    "pymysql": ("mariadb", "mysql", "pyformat"),
}


def test_the_database_is_known_without_user_or_password(library: Library) -> None:
    with dbprofile.record() as recording:
        library.in_connection(lambda connection: connection.execute(select(Author.id)).all())
    database = recording.queries[0].database
    assert (database.name, database.library) == ("default", "sqlalchemy")
    assert (database.system, database.dialect, database.paramstyle) == _DRIVERS[library.driver]
    assert database.awaited == (library.asynchronous is not None)
    url = library.engine.url
    assert (database.namespace, database.host, database.port) == (url.database, url.host, url.port)
    shown = repr(database).replace("postgresql", "")
    assert not [secret for secret in (url.username, url.password) if secret and secret in shown]


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


def test_nothing_of_the_application_is_kept(engine: Engine) -> None:
    _application(engine)
    gc.collect()
    gc.disable()
    try:
        with dbprofile.record() as recording:
            kept = _application(engine)
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
