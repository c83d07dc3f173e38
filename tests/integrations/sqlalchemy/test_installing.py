"""Installing in any order relative to engines and connections, once, twice, for one engine or all; and leaving no trace."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event, exc, inspect, select, text
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from sqlalchemy.engine import Connection, Dialect, NestedTransaction, RootTransaction, Transaction
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

import dbprofile
import dbprofile_sqlalchemy
from dbprofile import hooks
from dbprofile.capture import stack
from dbprofile.findings import fixes
from dbprofile_sqlalchemy import databases, queries
from dbprofile_sqlalchemy.relations import _relations
from tests import services
from tests.integrations.sqlalchemy.models import Author, Book

STATEMENT = text("SELECT 1 AS one")


@pytest.fixture(autouse=True)
def uninstalled() -> Iterator[None]:
    yield
    dbprofile_sqlalchemy.uninstall()


def _seen(engine: Engine) -> int:
    with engine.connect() as connection, dbprofile.record() as recording:
        assert connection.execute(STATEMENT).scalar() == 1
    return len(recording.queries)


def test_an_engine_made_and_a_connection_opened_before_are_seen(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(STATEMENT)
        dbprofile_sqlalchemy.install()
        with dbprofile.record() as recording:
            connection.execute(STATEMENT)
    assert len(recording.queries) == 1


def test_an_engine_made_afterwards_is_seen() -> None:
    dbprofile_sqlalchemy.install()
    later = create_engine("sqlite://", poolclass=StaticPool)
    assert _seen(later) == 1
    later.dispose()


def test_installing_twice_records_once_and_uninstalling_once_is_enough(engine: Engine) -> None:
    dbprofile_sqlalchemy.install()
    dbprofile_sqlalchemy.install()
    assert _seen(engine) == 1
    dbprofile_sqlalchemy.uninstall()
    assert _seen(engine) == 0
    dbprofile_sqlalchemy.uninstall()
    assert _seen(engine) == 0


class Flight:
    """A statement on its way in another thread, recorded there, and one more after it."""

    def __init__(self, path: Path) -> None:
        self._away, self._back = threading.Event(), threading.Event()
        self._engine = create_engine(f"sqlite:///{path}")
        event.listen(self._engine, "connect", self._connected)

    def _connected(self, connection: Any, _record: object) -> None:
        connection.create_function("land", 0, self._wait)

    def _wait(self) -> int:
        self._away.set()
        return int(self._back.wait(10))

    def _fly(self) -> tuple[int, int]:
        with dbprofile.record() as recording, self._engine.connect() as connection:
            landed = connection.execute(text("SELECT land()")).scalar()
            assert connection.execute(text("SELECT 2")).scalar() == 2
        assert landed == 1
        return recording.query_count, len({query.error for query in recording.queries} - {None})

    @contextmanager
    def under_way(self) -> Iterator[Future[tuple[int, int]]]:
        self._away.clear()
        self._back.clear()
        with ThreadPoolExecutor(1) as pool:
            flown = pool.submit(self._fly)
            assert self._away.wait(10)
            yield flown
            self._back.set()
        self._engine.dispose()


@pytest.mark.parametrize("cursor_events", [False, True])
def test_a_statement_under_way_lands_whatever_is_installed_meanwhile(tmp_path: Path, cursor_events: bool) -> None:
    flight = Flight(tmp_path / "flight.sqlite3")
    doors: list[Callable[[], None]] = [
        lambda: dbprofile_sqlalchemy.install(cursor_events=cursor_events),
        dbprofile_sqlalchemy.uninstall,
        lambda: dbprofile_sqlalchemy.install(cursor_events=cursor_events),
    ]
    flights = []
    for change in doors:
        with flight.under_way() as flown:
            change()
        flights.append(flown.result())
    # What was sent before the hooks came is not seen; what was begun is not ended by hooks that are gone.
    assert flights == [(1, 0), (0 if cursor_events else 1, 0), (1, 0)]


@pytest.mark.parametrize("cursor_events", [False, True])
def test_one_engine_alone(engine: Engine, cursor_events: bool) -> None:
    other = create_engine("sqlite://", poolclass=StaticPool)
    dbprofile_sqlalchemy.install(engine, cursor_events=cursor_events)
    dbprofile_sqlalchemy.install(engine, cursor_events=cursor_events)
    assert (_seen(engine), _seen(other)) == (1, 0)
    dbprofile_sqlalchemy.uninstall(engine)
    assert (_seen(engine), _seen(other)) == (0, 0)
    other.dispose()


def test_the_class_wins_over_one_engine_in_either_order(engine: Engine) -> None:
    dbprofile_sqlalchemy.install(engine)
    dbprofile_sqlalchemy.install()
    assert _seen(engine) == 1
    dbprofile_sqlalchemy.install(engine)
    assert _seen(engine) == 1
    dbprofile_sqlalchemy.uninstall()
    assert _seen(engine) == 0


def test_uninstalling_one_engine_leaves_another(engine: Engine) -> None:
    other = create_engine("sqlite://", poolclass=StaticPool)
    dbprofile_sqlalchemy.install(engine)
    dbprofile_sqlalchemy.install(other)
    dbprofile_sqlalchemy.uninstall(engine)
    assert (_seen(engine), _seen(other)) == (0, 1)
    other.dispose()


def test_an_async_engine_can_be_named() -> None:
    asynchronous = create_async_engine("sqlite+aiosqlite://")
    dbprofile_sqlalchemy.install(asynchronous)
    assert event.contains(asynchronous.sync_engine, "do_execute", _listener(asynchronous.sync_engine))
    dbprofile_sqlalchemy.uninstall(asynchronous)
    assert not list(asynchronous.sync_engine.dialect.dispatch.do_execute)


def _listener(engine: Engine) -> Any:
    return next(iter(engine.dialect.dispatch.do_execute))


def _footprint(engine: Engine) -> list[object]:
    """All by which SQLAlchemy could know of us: listeners, flags, methods; and what our core knows of SQLAlchemy."""
    with Session(engine) as session:
        heard = {
            (name, event_name): list(getattr(dispatch, event_name))
            for name, dispatch in {
                "engine": engine.dispatch,
                "dialect": engine.dialect.dispatch,
                "pool": engine.pool.dispatch,
                "session": session.dispatch,
                "mapper": inspect(Author).dispatch,
            }.items()
            for event_name in dispatch._event_names  # type: ignore[attr-defined]  # SQLAlchemy keeps it to itself
        }
    flags = [vars(owner).get("_has_events") for owner in (Engine, Dialect, Connection, engine, engine.dialect)]
    methods = [dict(vars(owner)) for owner in (Connection, Transaction, RootTransaction, NestedTransaction, Session)]
    marks = [mark for mark in stack._classes.values() if isinstance(mark, hooks.Mark)]
    return [heard, flags, methods, marks, dict(fixes._providers), dict(databases.known_facts), dict(_relations)]


@pytest.mark.parametrize("cursor_events", [False, True])
@pytest.mark.parametrize("one", [False, True])
def test_uninstalling_leaves_nothing(
    engine: Engine, cursor_events: bool, one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for owner in (Engine, Dialect):
        monkeypatch.setattr(owner, "_has_events", False)  # as it is where nobody has listened before
    before = _footprint(engine)
    dbprofile_sqlalchemy.install(engine if one else None, cursor_events=cursor_events)
    with dbprofile.record() as recording, Session(engine) as session:
        for book in session.scalars(select(Book)):
            assert book.author.name
    assert len(recording.queries) == 6
    installed = _footprint(engine)
    dbprofile_sqlalchemy.uninstall()
    after = _footprint(engine)
    for was, is_now, meanwhile in zip(before, after, installed, strict=True):
        assert is_now == was != meanwhile


def test_uninstalling_leaves_what_others_listen_to(engine: Engine) -> None:
    heard: list[str] = []

    def listen(_cursor: object, statement: str, *_rest: object) -> None:
        heard.append(statement)

    def watch(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        heard.append(statement)

    for cursor_events in (False, True):
        dbprofile_sqlalchemy.install(cursor_events=cursor_events)
        event.listen(Engine, "do_execute", listen)
        event.listen(Engine, "before_cursor_execute", watch)
        try:
            dbprofile_sqlalchemy.uninstall()
            heard.clear()
            assert _seen(engine) == 0
            assert heard == [str(STATEMENT)] * 2
        finally:
            event.remove(Engine, "do_execute", listen)
            event.remove(Engine, "before_cursor_execute", watch)


def test_a_wrapper_that_somebody_put_round_ours_stays_and_works(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    dbprofile_sqlalchemy.install()
    ours = vars(Transaction)["rollback"]
    called: list[object] = []

    def theirs(transaction: Transaction) -> None:
        called.append(transaction)
        ours(transaction)

    monkeypatch.setattr(Transaction, "rollback", theirs)
    dbprofile_sqlalchemy.uninstall()
    with engine.connect() as connection:
        connection.execute(STATEMENT)
        connection.rollback()
        assert not connection.in_transaction()
    assert len(called) == 1


def test_installing_opens_nothing() -> None:
    opened: list[object] = []
    engine = create_engine("sqlite://", creator=lambda: opened.append(1))
    dbprofile_sqlalchemy.install(engine)
    dbprofile_sqlalchemy.install()
    assert not opened


def test_where_nobody_may_replace_a_driver_call_the_cursor_events_are_used(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listen = event.listen

    def refuse(target: Any, identifier: str, *arguments: Any, **keywords: Any) -> None:
        if identifier.startswith("do_execute"):
            raise exc.InvalidRequestError(f"No such event {identifier!r}")
        listen(target, identifier, *arguments, **keywords)

    monkeypatch.setattr(event, "listen", refuse)
    with caplog.at_level(logging.WARNING, "dbprofile"):
        dbprofile_sqlalchemy.install()
    assert len(caplog.records) == 1
    assert _seen(engine) == 1


def test_another_library_that_replaces_the_driver_call_still_does(engine: Engine) -> None:
    replaced: list[str] = []

    def replace(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        replaced.append(statement)
        cursor.execute(statement, parameters)
        return True

    dbprofile_sqlalchemy.install()
    event.listen(Dialect, "do_execute", replace)
    try:
        assert _seen(engine) == 1
        assert len(replaced) == 1
    finally:
        event.remove(Dialect, "do_execute", replace)


def _first(target: Any, caplog: pytest.LogCaptureFixture, engine: Engine, *, takes_over: bool) -> list[tuple[Any, ...]]:
    """What happens to two statements where another library has been there before us."""
    queries._warn_of_others.cache_clear()
    heard: list[tuple[Any, ...]] = []

    def first(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
        heard.append((statement, parameters))
        if takes_over:
            cursor.execute(statement, parameters)
        return takes_over

    event.listen(target, "do_execute", first)
    try:
        with caplog.at_level(logging.WARNING, "dbprofile"):
            dbprofile_sqlalchemy.install()
            dbprofile_sqlalchemy.install()
            assert (_seen(engine), _seen(engine)) == ((0, 0) if takes_over else (1, 1))
    finally:
        event.remove(target, "do_execute", first)
    assert len(heard) == 2
    return heard


@pytest.mark.parametrize("takes_over", [False, True])
@pytest.mark.parametrize("target", [Engine, Dialect, SQLiteDialect], ids=lambda target: target.__name__)
def test_a_listener_that_comes_first_is_warned_of_once(
    target: Any, takes_over: bool, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    _first(target, caplog, engine, takes_over=takes_over)
    (warning,) = caplog.records
    assert "another listener may replace SQLAlchemy's driver calls" in warning.getMessage()


def test_a_listener_that_comes_after_us_is_no_reason_to_warn(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    queries._warn_of_others.cache_clear()
    event.listen(engine, "do_execute", lambda *_: None)
    with caplog.at_level(logging.WARNING, "dbprofile"):
        dbprofile_sqlalchemy.install()
        assert _seen(engine) == 1
    assert not caplog.records


@pytest.mark.parametrize("cursor_events", [False, True])
@pytest.mark.parametrize("name", ["do_execute", "do_executemany", "do_execute_no_params", "before_cursor_execute"])
def test_a_statement_without_a_context_is_counted_as_untracked(engine: Engine, cursor_events: bool, name: str) -> None:
    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    with engine.connect() as connection, dbprofile.record() as recording:
        call: dict[str, tuple[Any, ...]] = {
            "do_execute": (None, "SELECT 1", (), None),
            "do_executemany": (None, "SELECT 1", [()], None),
            "do_execute_no_params": (None, "SELECT 1", None),
            "before_cursor_execute": (connection, None, "SELECT 1", (), None, False),
        }
        dispatch: Any = connection.dispatch if name == "before_cursor_execute" else engine.dialect.dispatch
        listeners = list(getattr(dispatch, name))
        assert len(listeners) == (cursor_events == (name == "before_cursor_execute"))
        taken_over = [listener(*call[name]) for listener in listeners]
    profile = recording.report.profile
    assert not any(value is True for value in taken_over)
    assert not profile.queries
    assert sum(profile.untracked.values()) == len(listeners)


def test_an_engine_is_named_by_its_logging_name() -> None:
    dbprofile_sqlalchemy.install()
    named = create_engine("sqlite://", poolclass=StaticPool, logging_name="replica")
    with named.connect() as connection, dbprofile.record() as recording:
        connection.execute(STATEMENT)
    assert recording.queries[0].database.name == "replica"
    named.dispose()


@pytest.mark.service("postgresql")
def test_what_a_dialect_sends_on_its_first_connection_does_not_count(
    postgresql_database: services.TemporaryDatabase,
) -> None:
    dbprofile_sqlalchemy.install()
    fresh = create_engine(postgresql_database.sqlalchemy_url("psycopg"))
    with dbprofile.record() as recording, fresh.connect() as connection:
        connection.execute(STATEMENT)
    assert recording.query_count == 1
    reasons = [query.provenance.infrastructure for query in recording.queries if query.provenance is not None]
    assert reasons == ["connect", "connect", "connect", ""]
    fresh.dispose()


@pytest.mark.service("mariadb")
@pytest.mark.parametrize("driver", ["pymysql"])
def test_mariadb_is_told_from_mysql_without_asking(mariadb_database: services.TemporaryDatabase, driver: str) -> None:
    dbprofile_sqlalchemy.install()
    fresh = create_engine(mariadb_database.sqlalchemy_url(driver))
    with dbprofile.record() as recording, fresh.connect() as connection:
        connection.execute(text("SELECT :n + 1"), {"n": 1})
    database = recording.queries[-1].database
    assert (database.system, database.dialect) == ("mariadb", "mysql")
    assert recording.query_count == 1
    fresh.dispose()


def test_each_statement_knows_its_connection_and_transaction(engine: Engine) -> None:
    dbprofile_sqlalchemy.install()
    with dbprofile.record() as recording, Session(engine) as session:
        session.execute(select(Author.id)).all()
        session.execute(select(Author.id)).all()
        session.commit()
        session.execute(select(Author.id)).all()
    first, second, third = (query.transaction for query in recording.queries)
    assert first == second != third
    assert len({query.connection for query in recording.queries}) == 1


def test_a_statement_in_autocommit_is_in_no_transaction(engine: Engine) -> None:
    dbprofile_sqlalchemy.install()
    with dbprofile.record() as recording, engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(STATEMENT)
    assert [(query.autocommit, query.transaction) for query in recording.queries] == [(True, None)]


def test_outside_a_request_a_session_is_the_unit(engine: Engine) -> None:
    dbprofile_sqlalchemy.install()
    with dbprofile.record() as recording:
        for _ in range(2):
            with Session(engine) as session:
                session.get(Author, 1)
                session.get(Author, 2)
    units = [query.unit for query in recording.queries]
    assert units[0] == units[1] != units[2] == units[3]
