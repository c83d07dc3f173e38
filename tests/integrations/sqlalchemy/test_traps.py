"""What has gone wrong in tools of this kind: one test for each trap, named after it."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import greenlet
import psycopg
import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    StaticPool,
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
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

import dbprofile
from dbprofile import hooks
from tests import services
from tests.integrations.sqlalchemy.library import Library, on, on_asynchronous, sets
from tests.integrations.sqlalchemy.models import Author, Book, Tag
from tests.tree import REPOSITORY

pytestmark = pytest.mark.usefixtures("each_door")


# --- batches and what SQLAlchemy does on one context ----------------------------------------------------------------


def test_insertmanyvalues_calls(library: Library) -> None:
    """Each call of a batch is told to listeners as a statement of its own, with a text of its own: it is one query all the same."""
    told: list[str] = []

    def note(*arguments: Any) -> None:
        told.append(arguments[2])

    def add(session: Session) -> None:
        connection = session.connection(execution_options={"insertmanyvalues_page_size": 7})
        event.listen(connection, "before_cursor_execute", note)
        session.add_all([Tag(name=f"tag {number}") for number in range(20)])
        session.flush()

    with dbprofile.record() as recording:
        library.in_session(add)
    library.check(recording)
    (query,) = recording.queries
    assert query.batch_size == 20
    assert query.round_trips == len(told) == (20 if library.system == "sqlite" else 3)


class _Counted(str):
    """A value that counts how often it is hashed."""

    hashed = 0
    __slots__ = ()

    def __hash__(self) -> int:
        type(self).hashed += 1
        return super().__hash__()


def test_quadratic_parameters(engine: Engine) -> None:
    """At each of 200 calls all 200 parameter sets are at hand: who looks at them each time looks at 40,000."""

    def hashes() -> int:
        with Session(engine) as session:
            session.add_all([Tag(name=_Counted(f"tag {number}")) for number in range(200)])
            _Counted.hashed = 0
            session.flush()
            return _Counted.hashed

    alone = hashes()
    with dbprofile.record() as recording:
        assert hashes() == alone
    assert recording.queries[0].round_trips == 200


def test_default_on_the_same_context(engine: Engine) -> None:
    """Two columns whose defaults are asked for first: three statements on one context, which has no text of its own before the last."""
    contexts: list[Any] = []
    number = select(Author.id).where(Author.id == 2).scalar_subquery()
    made = Table(
        "made",
        MetaData(),
        Column("one", Integer, primary_key=True, default=number + 40),
        Column("two", Integer, primary_key=True, default=number + 50),
        Column("name", String),
        implicit_returning=False,
    )
    made.metadata.create_all(engine)
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", lambda *arguments: contexts.append(arguments[4]))
        with dbprofile.record() as recording:
            key = connection.execute(insert(made).values(name="given")).inserted_primary_key
            rows = connection.execute(select(made)).all()
    assert key is not None
    assert rows == [(42, 52, "given")] == [(*key, "given")]
    assert contexts[0] is contexts[1] is contexts[2] is not contexts[3]
    assert [query.statement.verb for query in recording.queries] == ["SELECT", "SELECT", "INSERT", "SELECT"]
    assert [(query.rows, query.affected_rows) for query in recording.queries] == [
        (None, None), (None, None), (None, 1), (1, None),
    ]  # fmt: skip


# --- other listeners ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("takes_over", [False, True])
@pytest.mark.parametrize("place", ["dialects", "engine"])
def test_another_librarys_do_execute_listener(engine: Engine, takes_over: bool, place: str) -> None:
    """It is asked once, it may make the driver call itself, and the statement is one query either way."""
    heard: Counter[str] = Counter()

    def execute(cursor: Any, statement: Any, parameters: Any, _context: Any) -> bool:
        heard["execute"] += 1
        if takes_over:
            cursor.execute(statement, parameters)
        return takes_over

    def execute_many(cursor: Any, statement: Any, parameters: Any, _context: Any) -> bool:
        heard["executemany"] += 1
        if takes_over:
            cursor.executemany(statement, parameters)
        return takes_over

    def execute_bare(cursor: Any, statement: Any, _context: Any) -> bool:
        heard["bare"] += 1
        if takes_over:
            cursor.execute(statement)
        return takes_over

    target: Any = Dialect if place == "dialects" else engine
    theirs: dict[str, Callable[..., bool]] = {
        "do_execute": execute,
        "do_executemany": execute_many,
        "do_execute_no_params": execute_bare,
    }
    for name, listener in theirs.items():
        event.listen(target, name, listener)
    try:
        with engine.connect() as connection, dbprofile.record() as recording:
            assert len(connection.execute(select(Author.id)).all()) == 5
            connection.execute(update(Author).where(Author.id == 0), [{"name": "a"}, {"name": "b"}])
            connection.exec_driver_sql("SELECT 1", execution_options={"no_parameters": True}).all()
            connection.execute(insert(Tag).returning(Tag.id), [{"name": "a"}, {"name": "b"}]).all()
    finally:
        for name, listener in theirs.items():
            event.remove(target, name, listener)
    assert heard == {"execute": 2, "executemany": 1, "bare": 1}
    assert [(query.rows, query.batch_size) for query in recording.queries] == [
        (5, None),
        (None, 2),
        (1, None),
        (None, 2),
    ]


def test_iterator_parameters(engine: Engine) -> None:
    """Another listener may hand the driver an iterator: it is the driver's to consume, once."""
    taken: list[int] = []

    def sets_of(parameters: Any) -> Iterator[Any]:
        for number, one in enumerate(parameters):
            taken.append(number)
            yield one

    def replace(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool
    ) -> tuple[str, Any]:
        return statement, sets_of(parameters) if many else parameters

    # Before ours, which through the fallback is told on the engine's class.
    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", replace, retval=True)
        with dbprofile.record() as recording:
            result = connection.execute(
                text("UPDATE author SET bio = :bio WHERE id = :id"),
                [{"bio": "x", "id": number} for number in (1, 2, 3)],
            )
            assert result.rowcount == 3
    assert taken == [0, 1, 2]
    assert [(query.batch_size, query.parameters) for query in recording.queries] == [(None, None)]


# --- text and values ------------------------------------------------------------------------------------------------


def test_percent_and_braces_in_sql(library: Library) -> None:
    """SQL is data: nothing is ever put into it, and nothing in it is read as a place for a value."""
    sql = "SELECT '100%', '{}', '{0}', '%s', '%(name)s', '%%'"

    def ask(connection: Connection) -> None:
        bare = connection.exec_driver_sql(sql, execution_options={"no_parameters": True}).one()
        assert tuple(bare) == ("100%", "{}", "{0}", "%s", "%(name)s", "%%")
        bound = connection.execute(
            text("SELECT '100%', '{}', author.name FROM author WHERE name <> :name"), {"name": "{} %s"}
        )
        assert bound.first() == ("100%", "{}", "author 1")

    with dbprofile.record() as recording:
        library.in_connection(ask)
    library.check(recording)
    first, second = recording.queries
    assert first.sql == sql
    assert "'100%" in second.sql
    shown = str(recording)
    assert not [part for part in ("{} %s", "100%", "(name)s") if part in shown + first.statement.text]


def test_parameters_that_cannot_be_hashed(engine: Engine) -> None:
    """No digest rather than an error, and nobody's ``__hash__`` or ``__eq__`` reaches the application."""

    class Unhashable(bytearray):
        def __eq__(self, other: object) -> bool:
            raise LookupError

        __hash__ = None

    with engine.connect() as connection, dbprofile.record() as recording:
        assert connection.execute(text("SELECT :value"), {"value": Unhashable(b"abc")}).scalar() == b"abc"
        assert connection.exec_driver_sql("SELECT ?", (bytearray(b"abc"),)).scalar() == b"abc"
    assert [query.parameters for query in recording.queries] == [None, None]


@pytest.mark.service("postgresql")
def test_psycopg_description_never_read(postgresql_database: services.TemporaryDatabase) -> None:
    """psycopg builds its columns anew whenever somebody looks: SQLAlchemy looks as often with us as without."""
    looked: Counter[str] = Counter()

    class Cursor(psycopg.Cursor[Any]):
        @property
        def description(self) -> Any:
            looked["description"] += 1
            return super().description

        @property
        def rowcount(self) -> int:
            looked["rowcount"] += 1
            return super().rowcount

    engine = create_engine(
        postgresql_database.sqlalchemy_url("psycopg"), connect_args={"cursor_factory": Cursor}, poolclass=StaticPool
    )

    def work() -> Counter[str]:
        looked.clear()
        with Session(engine) as session:
            session.execute(text("SELECT generate_series(1, 10) AS n")).all()
            session.execute(text("SELECT generate_series(1, 10) AS n"), execution_options={"yield_per": 3}).all()
            session.execute(select(text("1"))).scalar()
        return looked.copy()

    work()
    with hooks.muted():
        alone = work()
    with dbprofile.record() as recording:
        assert work() == alone
    assert alone["description"] > 0
    assert [query.rows for query in recording.queries] == [10, 10, 1]
    engine.dispose()


# --- what ends a statement from outside -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit, MemoryError])
def test_cancelled_error_and_keyboard_interrupt(kind: type[BaseException]) -> None:
    """An exception that is no error passes unchanged, from an execute as from a fetch, and is recorded."""
    raising: list[str] = []

    class Cursor(sqlite3.Cursor):
        def execute(self, *arguments: Any) -> Any:
            if raising == ["execute"]:
                raise kind
            return super().execute(*arguments)

        def fetchall(self) -> Any:
            if raising == ["fetch"]:
                raise kind
            return super().fetchall()

    class Watched(sqlite3.Connection):
        def cursor(self, *_arguments: Any) -> Any:
            return super().cursor(Cursor)

    engine = create_engine("sqlite://", connect_args={"factory": Watched}, poolclass=StaticPool)

    def ask(number: int) -> int:
        with engine.connect() as connection:
            return len(connection.execute(text(f"SELECT {number}")).all())

    assert ask(0) == 1  # connected
    with dbprofile.record() as recording:
        for place in ("execute", "fetch"):
            raising[:] = [place]
            with pytest.raises(kind):
                ask(1)
        raising.clear()
        assert ask(2) == 1
    engine.dispose()
    profile = recording.report.profile
    assert [query.error for query in profile.queries] == [kind.__name__, kind.__name__, None]
    assert profile.unfinished == 0


@on_asynchronous
def test_cancelled_error_among_others(library: Library) -> None:
    """One of two tasks is cancelled: the other's statement is recorded as if nothing had happened."""

    async def ask(number: int, under_way: asyncio.Event) -> int:
        assert library.asynchronous is not None
        async with library.asynchronous.connect() as connection:
            under_way.set()
            for _ in range(200):
                await connection.execute(text(f"SELECT {number} FROM author"))
        return number

    async def both() -> None:
        under_way = asyncio.Event()
        cancelled, other = asyncio.create_task(ask(1, under_way)), asyncio.create_task(ask(2, asyncio.Event()))
        await under_way.wait()
        await asyncio.sleep(0.005)
        cancelled.cancel()
        assert await other == 2
        with pytest.raises(asyncio.CancelledError):
            await cancelled

    with dbprofile.record() as recording:
        library.run(both())
    errors: dict[str, Counter[str | None]] = {"1": Counter(), "2": Counter()}
    for query in recording.queries:
        if query.sql.startswith("SELECT"):
            errors[query.sql[7]][query.error] += 1
    assert errors["2"] == {None: 200}
    assert errors["1"].total() < 200
    assert errors["1"]["CancelledError"] <= 1


# --- greenlets, gevent, forks ---------------------------------------------------------------------------------------


def test_greenlets(engine: Engine) -> None:
    """The stack of a greenlet ends where it was started; the line of the application is in its parent."""

    def ask(connection: Connection) -> Any:
        child = greenlet.greenlet(connection.execute)
        child.gr_context = copy_context()
        return child.switch(select(Author.id)).all()

    with engine.connect() as connection, dbprofile.record() as recording:
        assert len(ask(connection)) == 5
    (query,) = recording.queries
    assert query.call_site is not None
    assert query.call_site.function == ask.__qualname__
    assert query.rows == 5


def test_greenlets_without_a_context(engine: Engine) -> None:
    """One that nobody gave a context is in no scope: its statements are untracked, never guessed into one."""
    with engine.connect() as connection, dbprofile.record() as recording:
        rows = greenlet.greenlet(lambda: connection.execute(select(Author.id)).all()).switch()
    assert len(rows) == 5
    profile = recording.report.profile
    assert not profile.queries
    assert sum(profile.untracked.values()) == 1


def _told(program: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.integrations.sqlalchemy.{program}", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.service("mariadb")
def test_gevent(mariadb_database: services.TemporaryDatabase, each_door: str) -> None:
    """A greenlet of gevent's starts with an empty context, and runs whenever another waits for its database."""
    told = _told("gevented", mariadb_database.sqlalchemy_url("pymysql"), each_door)
    assert told == {
        "_in_a_scope_round_them": {"seen": 0, "untracked": 24, "sent": 24},
        "_in_a_scope_of_the_process": {"seen": 24, "untracked": 0, "sent": 24},
        "_in_scopes_of_their_own": {"seen": 24, "right": 24, "interleaved": True, "sent": 24},
        "_in_a_copied_context": {"seen": 3, "lanes": [1], "lines": ["_ask"], "sent": 3},
        "_on_a_loop": {"seen": 3, "blocking": 0, "sent": 3},
    }


def test_fork_after_import(tmp_path: Path, each_door: str) -> None:
    """A child begins with nothing: no open scope, no counts; and nothing of it reaches the parent. No thread was started."""
    told = _told("forked", str(tmp_path / "forked.sqlite3"), each_door)
    parent, child = told["parent"], told["child"]
    assert parent["texts"] == ["SELECT 'parent'", "SELECT 'parent again'"]
    assert child["texts"] == ["SELECT 'child'"]
    assert child["inherited"] == 1
    assert (parent["sent"], child["sent"]) == (2, 2)
    assert (parent["untracked"], child["untracked"]) == (0, 1)
    assert (parent["late"], child["late"]) == (0, 0)
    assert (parent["threads"], child["threads"]) == (1, 1)


# --- two that look at once ------------------------------------------------------------------------------------------


def test_nested_profilers(library: Library) -> None:
    """A fixture's scope round a request's: both count, and the database is asked once."""
    with dbprofile.Profiler().scope("test", "outer") as outer, dbprofile.Profiler().scope("request", "inner") as inner:
        library.in_session(lambda session: session.scalars(select(Book)).all())
    for scope in (outer, inner):
        library.check(scope.profile())
        assert [query.rows for query in scope.profile().queries] == [10]


@on("pysqlite", "psycopg")
def test_recursion(library: Library) -> None:
    """What we ask the database ourselves is none of the application's, also in the middle of a statement of its."""

    def ask(connection: Connection) -> None:
        def look(*_arguments: Any) -> None:
            with hooks.muted(), library.engine.connect() as own:
                own.exec_driver_sql("SELECT 'ours'").all()

        event.listen(connection, "after_cursor_execute", look)
        connection.execute(select(Author.id)).all()

    with dbprofile.record() as recording:
        library.in_connection(ask)
    assert sum("'ours'" in sent for sent in library.ledger.sent) == 1
    assert [query.statement.tables for query in recording.queries] == [("author",)]
    assert not recording.report.profile.untracked


def test_blocking_calls_on_a_loop(library: Library) -> None:
    """Only a driver that nobody awaits blocks the loop of its thread, and only there."""

    async def ask() -> None:
        if library.asynchronous is not None:
            async with library.asynchronous.connect() as connection:
                (await connection.execute(select(Author.id))).all()
            return
        with library.engine.connect() as connection:
            connection.execute(select(Author.id)).all()

    def ask_elsewhere() -> None:
        with library.engine.connect() as connection:
            connection.execute(select(Author.id)).all()

    with dbprofile.record() as recording:
        if library.asynchronous is not None:
            library.run(ask())
            assert [query.on_loop for query in recording.queries] == [False]
            return
        asyncio.run(ask())
        if library.driver != "pysqlite":  # whose connections stay in their thread
            asyncio.run(asyncio.to_thread(ask_elsewhere))
        ask_elsewhere()
    on_loop = [query.on_loop for query in recording.queries]
    assert on_loop == [True, *[False] * (len(on_loop) - 1)]


def test_executemany_is_one_query_even_where_its_sets_differ(library: Library) -> None:
    """Sets of other lengths or keys are refused by SQLAlchemy itself, with and without us."""
    rows: Any = [{"id": 1, "name": "a"}, {"id": 2}]
    with dbprofile.record() as recording, pytest.raises(exc.StatementError):
        library.in_connection(
            lambda connection: connection.execute(text("UPDATE author SET name = :name WHERE id = :id"), rows)
        )
    library.check(recording, times=sets)
    assert not recording.queries
