"""Which transaction a statement ran in, and whether a rollback took it back: of Sessions and Connections, however they end."""

import gc
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

import dbprofile
import dbprofile_sqlalchemy
from dbprofile.capture.scope import recorded_since
from tests import services
from tests.integrations.sqlalchemy.models import Author, Tag, fill

pytestmark = pytest.mark.usefixtures("each_door")


@pytest.fixture(scope="module")
def library(database: services.TemporaryDatabase) -> Iterator[Engine]:
    engine = create_engine(database.sqlalchemy_url())
    fill(engine, 3)
    yield engine
    engine.dispose()


def _update(connection: Connection | Session, name: str = "changed") -> None:
    connection.execute(text(f"UPDATE author SET bio = '{name}' WHERE id = 1"))


def _writes(recording: dbprofile.Recording) -> list[bool]:
    return [query.undone for query in recording.queries if query.statement.verb in {"UPDATE", "INSERT"}]


class WorkFailedError(Exception):
    pass


def _fail(connection: Connection | Session) -> None:
    _update(connection)
    raise WorkFailedError


# --- each way in which a transaction can end ------------------------------------------------------------------------


def _session_commits(engine: Engine) -> None:
    with Session(engine) as session:
        _update(session)
        session.commit()


def _session_begins(engine: Engine) -> None:
    with sessionmaker(engine).begin() as session:
        _update(session)


def _connection_commits(engine: Engine) -> None:
    with engine.connect() as connection:
        _update(connection)
        connection.commit()
        connection.rollback()  # of the next transaction, which has done nothing


def _engine_begins(engine: Engine) -> None:
    with engine.begin() as connection:
        _update(connection)


def _commits_and_closes_the_transaction(engine: Engine) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        _update(connection)
        transaction.commit()
        transaction.close()


def _joins_and_is_closed(engine: Engine) -> None:
    """A Session that may only roll back what it has joined leaves it alone where it is closed."""
    with engine.connect() as connection, connection.begin() as outer:
        with Session(bind=connection, join_transaction_mode="rollback_only") as session:
            _update(session)
        outer.commit()


def _commits_itself(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        _update(connection)


def _session_rolls_back(engine: Engine) -> None:
    with Session(engine) as session:
        _update(session)
        session.rollback()


def _session_is_closed(engine: Engine) -> None:
    with Session(engine) as session:
        _update(session)


def _session_is_reset(engine: Engine) -> None:
    session = Session(engine)
    _update(session)
    session.reset()


def _session_is_invalidated(engine: Engine) -> None:
    session = Session(engine)
    _update(session)
    session.invalidate()


def _session_writes_objects(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(Tag(name="unwanted"))
        session.flush()


def _session_block_fails(engine: Engine) -> None:
    with pytest.raises(WorkFailedError), Session(engine) as session, session.begin():
        _fail(session)


def _connection_rolls_back(engine: Engine) -> None:
    with engine.connect() as connection:
        _update(connection)
        connection.rollback()


def _connection_is_closed(engine: Engine) -> None:
    with engine.connect() as connection:
        _update(connection)


def _engine_block_fails(engine: Engine) -> None:
    with pytest.raises(WorkFailedError), engine.begin() as connection:
        _fail(connection)


def _transaction_is_closed(engine: Engine) -> None:
    with engine.connect() as connection:
        transaction = connection.begin()
        _update(connection)
        transaction.close()


def _commit_fails(engine: Engine) -> None:
    def refuse(_connection: Connection) -> None:
        raise WorkFailedError

    with engine.connect() as connection:
        event.listen(connection, "commit", refuse)
        _update(connection)
        with pytest.raises(WorkFailedError):
            connection.commit()
        connection.rollback()


KEPT: list[Callable[[Engine], None]] = [
    _session_commits, _session_begins, _connection_commits, _engine_begins, _commits_and_closes_the_transaction, _joins_and_is_closed,
    _commits_itself,
]  # fmt: skip
TAKEN_BACK: list[Callable[[Engine], None]] = [
    _session_rolls_back, _session_is_closed, _session_is_reset, _session_is_invalidated, _session_writes_objects, _session_block_fails,
    _connection_rolls_back, _connection_is_closed, _engine_block_fails, _transaction_is_closed, _commit_fails,
]  # fmt: skip


@pytest.mark.parametrize("work", KEPT)
def test_what_is_committed_is_not_undone(library: Engine, work: Callable[[Engine], None]) -> None:
    with dbprofile.record() as recording:
        work(library)
    assert _writes(recording) == [False]


@pytest.mark.parametrize("work", TAKEN_BACK)
def test_what_is_not_committed_is_undone(library: Engine, work: Callable[[Engine], None]) -> None:
    with dbprofile.record() as recording:
        work(library)
    assert _writes(recording) == [True]


# --- what a rollback takes back, and what not -----------------------------------------------------------------------


def test_only_statements_of_the_transaction_that_is_rolled_back_are_undone(library: Engine) -> None:
    with dbprofile.record() as recording, library.connect() as first, library.connect() as second:
        first.execute(text("UPDATE author SET bio = 'a' WHERE id = 1"))
        first.commit()
        first.execute(text("UPDATE author SET bio = 'b' WHERE id = 1"))
        first.rollback()
        second.execute(text("UPDATE author SET bio = 'c' WHERE id = 2"))
        second.commit()
        first.execute(text("UPDATE author SET bio = 'd' WHERE id = 1"))
        first.commit()
    assert _writes(recording) == [False, True, False, False]


def test_a_savepoint_takes_back_what_came_after_it(library: Engine) -> None:
    with dbprofile.record() as recording, Session(library) as session:
        _update(session, "kept")
        with session.begin_nested():
            _update(session, "kept too")
        savepoint = session.begin_nested()
        _update(session, "lost")
        with session.begin_nested():
            _update(session, "lost with the savepoint round it")
        savepoint.rollback()
        _update(session, "kept again")
        session.commit()
    assert _writes(recording) == [False, False, True, True, False]


def test_savepoints_of_a_connection_are_told_apart(library: Engine) -> None:
    with dbprofile.record() as recording, library.connect() as connection:
        outer = connection.begin_nested()
        _update(connection, "outer")
        inner = connection.begin_nested()
        _update(connection, "inner")
        inner.rollback()
        _update(connection, "outer again")
        released = connection.begin_nested()
        released.commit()
        outer.rollback()
        _update(connection, "kept")
        connection.commit()
    assert _writes(recording) == [True, True, True, False]
    assert not any(query.undone for query in recording.queries if query.statement.verb in {"SAVEPOINT", "ROLLBACK"})


def test_a_rollback_takes_nothing_back_from_reads(library: Engine) -> None:
    with dbprofile.record() as recording, Session(library) as session:
        session.scalars(select(Author)).all()
        session.rollback()
    assert [query.undone for query in recording.queries] == [False]


def test_a_transaction_that_ends_in_a_scope_inside_is_undone_in_both(library: Engine) -> None:
    with dbprofile.record() as outer, Session(library) as session:
        _update(session)
        with dbprofile.record() as inner:
            _update(session)
            session.rollback()
    assert _writes(inner) == [True]
    assert _writes(outer) == [True, True]


def test_what_belongs_to_a_scope_that_is_over_stays_as_it_is(library: Engine) -> None:
    with Session(library) as session:
        with dbprofile.record() as recording:
            _update(session)
        session.rollback()
    assert _writes(recording) == [False]


def test_a_session_that_another_thread_closes_is_undone_too(library: Engine) -> None:
    """As FastAPI does with what synchronous dependencies opened."""
    with dbprofile.Profiler(follow_threads=True) as profiler, profiler.scope("request", "GET /") as scope:
        session = Session(library)
        _in_thread(lambda: _update(session))
        _in_thread(session.close)
    assert [query.undone for query in scope.profile().queries] == [True]


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


async def test_an_async_session_that_is_closed_is_undone(tmp_path: Path) -> None:
    with services.temporary_database("sqlite", tmp_path) as database:
        preparing = create_engine(database.sqlalchemy_url())
        fill(preparing, 1)
        preparing.dispose()
        engine = create_async_engine(database.sqlalchemy_url("aiosqlite"))
        with dbprofile.record() as recording:
            async with AsyncSession(engine) as session:
                await session.execute(text("UPDATE author SET bio = 'x'"))
            async with AsyncSession(engine) as session:
                await session.execute(text("UPDATE author SET bio = 'y'"))
                await session.commit()
        await engine.dispose()
    assert _writes(recording) == [True, False]


# --- its cost, and what it leaves -----------------------------------------------------------------------------------


def test_many_transactions_are_each_looked_through_once(library: Engine) -> None:
    looked_at = 0
    with dbprofile.record() as recording:
        for _ in range(50):
            with Session(library) as session:
                session.scalars(select(Author.id)).all()
                (began,) = {query.started for query in list(recording.queries)[-1:]}
                looked_at += len(list(recorded_since(began)))
    assert looked_at == 50


def test_a_connection_that_nobody_closed_goes_back_to_its_pool(library: Engine) -> None:
    with dbprofile.record():
        connection = library.connect()
        _update(connection)
        connection.begin_nested()
        before = library.pool.checkedout()  # type: ignore[attr-defined]  # its pool counts
        del connection
        gc.collect()
        assert library.pool.checkedout() == before - 1  # type: ignore[attr-defined]  # as above


def test_a_connection_that_was_never_watched_is_rolled_back_as_ever(library: Engine) -> None:
    dbprofile_sqlalchemy.uninstall()
    with library.connect() as connection:
        _update(connection)
        savepoint = connection.begin_nested()
        dbprofile_sqlalchemy.install()
        with dbprofile.record() as recording:
            _update(connection)
            savepoint.rollback()
            assert connection.scalar(text("SELECT bio FROM author WHERE id = 1")) == "changed"
            connection.rollback()
    assert _writes(recording) == [True]
