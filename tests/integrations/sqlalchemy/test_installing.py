"""Installing in any order relative to engines and connections, once, twice, for one engine or all; and leaving no trace."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, event, exc, select, text
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session

import dbprofile
import dbprofile_sqlalchemy
from dbprofile_sqlalchemy import queries
from tests import services
from tests.integrations.sqlalchemy.models import Author

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


def test_nothing_listens_after_uninstalling(engine: Engine) -> None:
    for cursor_events in (False, True):
        dbprofile_sqlalchemy.install(cursor_events=cursor_events)
        dbprofile_sqlalchemy.uninstall()
        assert not list(engine.dialect.dispatch.do_execute)
        assert not list(engine.dispatch.before_cursor_execute)
        assert not list(Session().dispatch.after_begin)


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


def test_a_listener_that_comes_first_is_warned_of_once(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    queries._warn_of_others.cache_clear()
    heard: list[object] = []

    def first(*arguments: Any) -> None:
        heard.append(arguments)

    event.listen(Dialect, "do_execute", first)
    try:
        dbprofile_sqlalchemy.install()
        with caplog.at_level(logging.WARNING, "dbprofile"):
            assert (_seen(engine), _seen(engine)) == (1, 1)
    finally:
        event.remove(Dialect, "do_execute", first)
    assert len(heard) == 2
    assert len(caplog.records) == 1


@pytest.mark.parametrize("cursor_events", [False, True])
def test_a_listener_that_raises_before_leaves_nothing(engine: Engine, cursor_events: bool) -> None:
    def refuse(*_arguments: Any) -> None:
        raise LookupError

    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    event.listen(engine, "before_cursor_execute", refuse)
    with engine.connect() as connection, dbprofile.record() as recording, pytest.raises(LookupError):
        connection.execute(STATEMENT)
    # Through the fallback a statement that was begun may end as a failed one; it is never taken for one that was answered.
    assert [query.error for query in recording.queries] in ([], ["LookupError"])
    if not cursor_events:
        assert not recording.queries


def test_a_listener_that_raises_afterwards_leaves_a_query_that_was_answered(engine: Engine) -> None:
    def refuse(*_arguments: Any) -> None:
        raise LookupError

    dbprofile_sqlalchemy.install()
    event.listen(engine, "after_cursor_execute", refuse)
    with engine.connect() as connection, dbprofile.record() as recording, pytest.raises(LookupError):
        connection.execute(STATEMENT)
    assert [query.error for query in recording.queries] == [None]


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


def test_what_a_rollback_took_back_is_marked(engine: Engine) -> None:
    dbprofile_sqlalchemy.install()
    with dbprofile.record() as recording, Session(engine) as session:
        session.execute(text("UPDATE author SET name = 'kept'"))
        savepoint = session.begin_nested()
        session.execute(text("UPDATE author SET name = 'lost'"))
        savepoint.rollback()
        session.commit()
        session.execute(text("UPDATE author SET name = 'lost too'"))
        session.rollback()
    updates = [query.undone for query in recording.queries if query.statement.verb == "UPDATE"]
    assert updates == [False, True, True]


def test_outside_a_request_a_session_is_the_unit(engine: Engine) -> None:
    dbprofile_sqlalchemy.install()
    with dbprofile.record() as recording:
        for _ in range(2):
            with Session(engine) as session:
                session.get(Author, 1)
                session.get(Author, 2)
    units = [query.unit for query in recording.queries]
    assert units[0] == units[1] != units[2] == units[3]
