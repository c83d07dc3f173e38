"""Every kind of statement, through every driver and both doors: what was recorded is what the driver was really sent."""

import asyncio
import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    event,
    exc,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.orm import Session

import dbprofile
from dbprofile import hooks
from tests.integrations.sqlalchemy.library import Library, on, on_asynchronous, on_synchronous, sets
from tests.integrations.sqlalchemy.models import Author, Book, Profile, Tag

pytestmark = pytest.mark.usefixtures("each_door")


# --- reads ----------------------------------------------------------------------------------------------------------


def _core(session: Session) -> int:
    return len(session.connection().execute(select(Author.id, Author.name)).all())


def _core_first(session: Session) -> int:
    return len([session.connection().execute(select(Author.id).where(Author.id == 1)).first()])


def _core_none(session: Session) -> int:
    return len(session.connection().execute(select(Author.id).where(Author.id == 0)).all())


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


def _first(session: Session) -> int:
    assert session.scalars(select(Author).where(Author.id == 1)).first() is not None
    return 1


def _all(session: Session) -> int:
    return len(session.scalars(select(Author)).all())


def _legacy(session: Session) -> int:
    return len(session.query(Author).filter(Author.id < 4).all())


def _partitions(session: Session) -> int:
    return sum(len(part) for part in session.connection().execute(select(Book.id)).partitions(3))


def _yield_per(session: Session) -> int:
    return len(list(session.scalars(select(Book).execution_options(yield_per=3))))


def _stream(session: Session) -> int:
    return len(list(session.execute(select(Book.id).execution_options(stream_results=True, max_row_buffer=4))))


READS: list[Callable[[Session], int]] = [
    _core, _core_first, _core_none, _text, _driver, _bare, _scalar, _get, _first, _all, _legacy, _partitions, _yield_per, _stream,
]  # fmt: skip


@pytest.mark.parametrize("read", READS)
def test_a_read_is_one_query_with_exactly_its_rows(library: Library, read: Callable[[Session], int]) -> None:
    with dbprofile.record() as recording:
        rows = library.in_session(read)
    library.check(recording)
    (query,) = recording.queries
    assert (query.rows, query.error, query.batch_size, query.round_trips) == (rows, None, None, 1)
    assert query.fetches >= 1
    assert query.affected_rows is None
    assert (query.lane, query.phase, query.on_loop) == (library.lane, "handling", False)
    assert query.call_site is not None
    assert query.call_site.function == read.__qualname__


def test_a_lazy_load_is_one_query_with_its_rows(library: Library) -> None:
    def load(session: Session) -> dbprofile.Recording:
        author = session.get_one(Author, 1)
        library.ledger.forget()
        with dbprofile.record() as recording:
            assert len(author.books) == 2
        return recording

    recording = library.in_session(load)
    library.check(recording)
    (query,) = recording.queries
    assert query.rows == 2
    assert query.call_site is not None
    assert query.call_site.function == load.__qualname__


def test_a_result_closed_early_has_the_rows_that_were_fetched(library: Library) -> None:
    def read(connection: Connection) -> None:
        result = connection.execute(select(Book.id))
        result.fetchmany(3)
        result.fetchone()
        result.close()

    with dbprofile.record() as recording:
        library.in_connection(read)
    library.check(recording)
    assert [(query.rows, query.fetches) for query in recording.queries] == [(4, 2)]


def test_a_stream_closed_early_has_the_rows_that_the_driver_handed_over(library: Library) -> None:
    def read(connection: Connection) -> None:
        result = connection.execute(select(Book.id), execution_options={"yield_per": 2})
        assert [next(result)[0], next(result)[0]] == [1, 2]
        result.close()

    with dbprofile.record() as recording:
        library.in_connection(read)
    library.check(recording)
    (query,) = recording.queries
    fetched = [int(text.split()[2]) for text in library.ledger.sent_by_drivers if text.startswith("FETCH FORWARD")]
    assert bool(fetched) == (library.driver in {"psycopg", "psycopg2"})
    assert query.rows == sum(fetched or [1, 2])  # read ahead into a buffer: one row more than was asked for
    assert query.fetches == 2


async def _streamed(library: Library) -> None:
    assert library.asynchronous is not None
    async with library.asynchronous.connect() as connection:
        result = await connection.stream(select(Book.id))
        assert len([row async for row in result]) == 10
        result = await connection.stream(select(Book.id).execution_options(yield_per=2))
        async for _ in result:
            break
        await result.close()


@on_asynchronous
def test_an_async_stream_is_one_query_with_the_rows_of_its_driver(library: Library) -> None:
    with dbprofile.record() as recording:
        library.run(_streamed(library))
    library.check(recording)
    assert [(query.rows, query.error) for query in recording.queries] == [(10, None), (1, None)]
    assert {query.call_site.function for query in recording.queries if query.call_site} == {"_streamed"}


# --- writes ---------------------------------------------------------------------------------------------------------


def test_an_executemany_of_2500_is_one_query(library: Library) -> None:
    rows = [{"number": number, "name": "new"} for number in range(2500)]
    statement = text("UPDATE author SET name = :name WHERE id = :number")
    with dbprofile.record() as recording:
        library.in_connection(lambda connection: connection.execute(statement, rows))
    library.check(recording, times=sets)
    (query,) = recording.queries
    assert (query.batch_size, query.round_trips, query.parameters, query.rows) == (2500, 1, None, None)


def _round_trips(library: Library, size: int) -> int:
    """How many calls SQLAlchemy cuts an INSERT into whose keys it wants to know."""
    return size if library.system == "sqlite" else -(-size // 1000)


@pytest.mark.parametrize("size", [1, 2500])
def test_what_is_added_at_once_is_one_query_of_many_round_trips(library: Library, size: int) -> None:
    if library.driver == "aiosqlite":
        size = min(size, 100)  # each round trip is one between threads

    def add(session: Session) -> None:
        session.add_all([Tag(name=f"tag {number}") for number in range(size)])
        session.flush()

    with dbprofile.record() as recording:
        library.in_session(add)
    library.check(recording)
    (query,) = recording.queries
    assert query.round_trips == _round_trips(library, size)
    assert (query.batch_size, query.rows) == (
        (None, 1) if size == 1 and query.rows else (size if size > 1 else None, None)
    )
    assert query.statement.summary.startswith("INSERT tag")


class _Counted(str):
    """A value that counts how often it is hashed: who digests the values of a batch at each of its calls is quadratic."""

    hashed = 0
    __slots__ = ()

    def __hash__(self) -> int:
        type(self).hashed += 1
        return super().__hash__()


def _work_of_batch(library: Library, size: int) -> Counter[str]:
    found: Counter[str] = Counter()

    def count(_frame: FrameType, what: str, _argument: Any) -> None:
        found[what] += 1

    def add(session: Session) -> None:
        session.connection(execution_options={"insertmanyvalues_page_size": 100})
        session.add_all([Tag(name=_Counted(f"tag {number}")) for number in range(size)])
        _Counted.hashed = 0
        sys.setprofile(count)
        try:
            session.flush()
        finally:
            sys.setprofile(None)
        found["hash"] = _Counted.hashed

    with dbprofile.record() as recording:
        library.in_session(add)
    library.check(recording)
    library.forget()
    (query,) = recording.queries
    assert (query.batch_size, query.round_trips) == (size, size if library.system == "sqlite" else -(-size // 100))
    return found


@on_synchronous  # an async driver is called in another greenlet, which is profiled by itself
def test_a_batch_twice_as_long_is_at_most_two_and_a_half_times_the_work(library: Library) -> None:
    _work_of_batch(library, 10)
    short, long = _work_of_batch(library, 250), _work_of_batch(library, 500)
    for what in ("call", "c_call"):
        assert short[what] < long[what] < 2.5 * short[what]
    assert long["hash"] <= 2 * short["hash"]


def test_a_default_that_is_asked_for_first_is_a_query_of_its_own(library: Library) -> None:
    contexts: list[Any] = []
    default = select(Author.id + 40).where(Author.id == 2).scalar_subquery()
    counted = Table(
        "counted",
        MetaData(),
        Column("id", Integer, primary_key=True, default=default, autoincrement=False),
        Column("name", String(20)),
        implicit_returning=False,
    )

    def write(connection: Connection) -> None:
        connection.execute(
            text("CREATE TEMPORARY TABLE IF NOT EXISTS counted (id INTEGER PRIMARY KEY, name VARCHAR(20))")
        )
        library.ledger.forget()
        event.listen(connection, "before_cursor_execute", lambda *arguments: contexts.append(arguments[4]))
        with dbprofile.record() as recording:
            result = connection.execute(insert(counted).values(name="one"))
        assert result.inserted_primary_key is not None
        assert result.inserted_primary_key[0] == 42
        library.check(recording)
        asked, written = recording.queries
        assert (asked.statement.tables, asked.rows, asked.fetches) == (("author",), None, 0)
        assert (written.statement.summary, written.affected_rows) == ("INSERT counted", 1)
        assert asked.parameters != written.parameters

    library.in_connection(write)
    assert contexts[0] is contexts[1]


def test_a_write_says_how_many_rows_it_met(library: Library) -> None:
    def write(session: Session) -> None:
        session.execute(
            update(Author).where(Author.id < 4).values(name="x").execution_options(synchronize_session=False)
        )
        session.execute(text("UPDATE author SET name = 'y' WHERE id < 3"))
        session.connection().exec_driver_sql("DELETE FROM profile WHERE id < 2")

    with dbprofile.record() as recording:
        library.in_session(write)
    library.check(recording)
    assert [query.affected_rows for query in recording.queries] == [3, 2, 1]
    assert [query.rows for query in recording.queries] == [None, None, None]


@on("pysqlite", "aiosqlite", "psycopg", "psycopg2", "asyncpg")  # no UPDATE of MariaDB's returns rows
def test_a_write_that_returns_rows_counts_those(library: Library) -> None:
    returning = update(Author).where(Author.id < 4).values(name="x").returning(Author.id)
    with dbprofile.record() as recording:
        rows = library.in_connection(lambda connection: connection.execute(returning).all())
    library.check(recording)
    assert len(rows) == 3
    assert [query.rows for query in recording.queries] == [3]


def test_savepoints_are_recorded_and_do_not_count(library: Library) -> None:
    def work(session: Session) -> None:
        with session.begin_nested():
            session.scalar(select(func.count()).select_from(Author))
        savepoint = session.begin_nested()
        session.scalar(select(func.count()).select_from(Author))
        savepoint.rollback()

    with dbprofile.record() as recording:
        library.in_session(work)
    library.check(recording)
    profile = recording.report.profile
    assert (profile.query_count, profile.not_counted) == (2, {"tx": 4})


# --- failures -------------------------------------------------------------------------------------------------------


def test_a_failing_statement_is_recorded_with_the_class_and_the_code_of_its_error(library: Library) -> None:
    again = {"id": 1, "text": "again", "author_id": 1}

    def write(connection: Connection) -> BaseException:
        with pytest.raises(exc.IntegrityError) as raised:
            connection.execute(insert(Profile), again)
        assert raised.value.orig is not None
        return raised.value.orig

    with dbprofile.record() as recording:
        error = library.in_connection(write)
    library.check(recording)
    (query,) = recording.queries
    assert query.error in {base.__name__ for base in type(error).__mro__} | {type(error.__cause__).__name__}
    assert query.error_code in {"SQLITE_CONSTRAINT_PRIMARYKEY", "23505", "1062"}
    assert query.rows is None


def test_a_call_of_a_batch_that_fails_counts_as_sent(library: Library) -> None:
    def write(session: Session) -> None:
        session.connection(execution_options={"insertmanyvalues_page_size": 100})
        session.add_all([Tag(name="tag") for _ in range(200)] + [Tag(name=None)])
        with pytest.raises(exc.IntegrityError):
            session.flush()
        session.rollback()

    with dbprofile.record() as recording:
        library.in_session(write)
    library.check(recording)
    (query,) = recording.queries
    assert (query.batch_size, query.round_trips) == (201, 201 if library.system == "sqlite" else 3)
    assert query.error is not None
    assert query.error_code in {"SQLITE_CONSTRAINT_NOTNULL", "23502", "1048"}


_SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(10)",
}


@on_asynchronous
def test_a_cancelled_await_is_recorded_as_cancelled(library: Library) -> None:
    async def ask(under_way: asyncio.Event) -> None:
        assert library.asynchronous is not None
        async with library.asynchronous.connect() as connection:
            event.listen(connection.sync_connection, "before_cursor_execute", lambda *_: under_way.set())
            await connection.execute(text(_SLOW[library.system]))

    async def cancel() -> None:
        under_way = asyncio.Event()
        task = asyncio.create_task(ask(under_way))
        await under_way.wait()
        await asyncio.sleep(0.01)  # it has left this process
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with dbprofile.record() as recording:
        library.run(cancel())
    library.check(recording)
    assert [query.error for query in recording.queries] == ["CancelledError"]


class RefusedError(Exception):
    pass


def _refuse(*_arguments: Any) -> None:
    raise RefusedError


#: Where another listener stands and when it raises: the queries that are recorded, and the statements that are unfinished.
REFUSALS = {
    ("dialect events", "engine", "before_cursor_execute"): (0, 0),
    ("dialect events", "engine", "after_cursor_execute"): (1, 0),
    ("dialect events", "connection", "before_cursor_execute"): (0, 0),
    ("dialect events", "connection", "after_cursor_execute"): (1, 0),
    ("cursor events", "engine", "before_cursor_execute"): (0, 1),  # we were told first
    ("cursor events", "engine", "after_cursor_execute"): (1, 0),
    ("cursor events", "connection", "before_cursor_execute"): (0, 0),  # they were, and we never
    ("cursor events", "connection", "after_cursor_execute"): (0, 1),
}


@pytest.mark.parametrize("named", ["before_cursor_execute", "after_cursor_execute"])
@pytest.mark.parametrize("place", ["engine", "connection"])
def test_another_listener_that_raises(library: Library, each_door: str, place: str, named: str) -> None:
    contexts: list[weakref.ref[Any]] = []

    def note(*arguments: Any) -> None:
        contexts.append(weakref.ref(arguments[4]))

    def ask(connection: Connection) -> None:
        target = library.engine if place == "engine" else connection
        event.listen(target, "before_cursor_execute", note)
        event.listen(target, named, _refuse)
        try:
            with pytest.raises(RefusedError):
                connection.execute(select(Author.id))
        finally:
            event.remove(target, "before_cursor_execute", note)
            event.remove(target, named, _refuse)

    with dbprofile.record() as recording:
        library.in_connection(ask)
    profile = recording.report.profile
    assert (len(profile.queries), profile.unfinished) == REFUSALS[each_door, place, named]
    assert {query.error for query in profile.queries} <= {None}
    assert len(profile.queries) <= len(library.sent) <= len(profile.queries) + profile.unfinished
    assert len(library.sent) == (named == "after_cursor_execute")
    gc.collect()
    assert [context() for context in contexts] == [None]


def test_a_failure_that_an_option_keeps_from_listeners_is_unfinished_through_the_fallback(
    library: Library, each_door: str
) -> None:
    def ask(connection: Connection) -> None:
        quiet = connection.execution_options(skip_user_error_events=True)
        with pytest.raises(exc.IntegrityError):
            quiet.execute(insert(Profile), {"id": 1, "text": "again", "author_id": 1})

    with dbprofile.record() as recording:
        library.in_connection(ask)
    profile = recording.report.profile
    assert library.sent == ["INSERT profile"]
    assert len(profile.queries) + profile.unfinished == 1
    assert profile.unfinished == (1 if each_door == "cursor events" else 0)


# --- where it was recorded ------------------------------------------------------------------------------------------


def test_outside_any_scope_everything_is_counted_as_untracked(library: Library) -> None:
    watching = dbprofile.Profiler().scope("block", "open, but not current")
    library.in_session(_all)
    library.in_session(lambda session: session.execute(text("UPDATE author SET name = name")))
    profile = watching.profile()
    library.check(profile)
    assert not profile.queries
    assert sum(profile.untracked.values()) == 2


def test_what_a_scope_sends_after_it_is_over_is_late(library: Library) -> None:
    profiler = dbprofile.Profiler()
    watching = profiler.scope("block", "watching")
    scope = profiler.scope("request", "over")
    with scope.entered():
        library.in_session(_all)
        scope.close()
        library.in_session(_first)
    whole = watching.profile()
    assert [query.rows for query in scope.profile().queries] == [5]
    assert sum(whole.late.values()) == 1
    assert len(library.sent) == 2


def test_what_is_muted_is_neither_recorded_nor_counted(library: Library) -> None:
    with dbprofile.record() as recording, hooks.muted():
        library.in_session(_all)
    library.check(recording, unseen=1)
    assert not recording.report.profile.untracked


def test_beyond_the_detail_limit_statements_are_summed(library: Library) -> None:
    def read(session: Session) -> None:
        for _ in range(12):
            assert _core(session) == 5

    with dbprofile.Profiler(detail_limit=0, slow_ms=60_000).scope("block", "summed") as scope:
        library.in_session(read)
    profile = scope.profile()
    assert profile.query_count == len(library.sent) == 12
    assert profile.rows == 60
