"""Engines, tasks and libraries on top of SQLAlchemy: what was recorded, and in whose scope, is what the driver was really sent."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel
from sqlmodel import Session as SQLModelSession
from sqlmodel import select as sqlmodel_select

import dbprofile
import dbprofile_sqlalchemy
from dbprofile import Profile, Profiler
from tests.integrations.sqlalchemy.library import Library, on_asynchronous, opened
from tests.integrations.sqlalchemy.models import Author
from tests.ledger import Ledger

DOORS = pytest.mark.parametrize("cursor_events", [False, True], ids=["dialect events", "cursor events"])


@pytest.fixture(autouse=True)
def _uninstalled() -> Iterator[None]:
    yield
    dbprofile_sqlalchemy.uninstall()


def _ask(connection: Connection | Session) -> None:
    assert len(connection.execute(select(Author.id)).all()) == 5


# --- tasks ----------------------------------------------------------------------------------------------------------

TASKS = 20
TURNS = 3


async def _three_questions(library: Library, task: int) -> None:
    assert library.asynchronous is not None
    async with library.asynchronous.connect() as connection:
        for turn in range(TURNS):
            result = await connection.execute(text(f"SELECT {task} AS task, {turn} AS turn FROM author WHERE id = 1"))
            assert result.all() == [(task, turn)]


def _line_of(function: Callable[..., object], part: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return next(first + number for number, line in enumerate(lines) if part in line)


def _check_places(profile: Profile) -> None:
    line = _line_of(_three_questions, "await connection.execute")
    sites = {(query.call_site.function, query.call_site.line) for query in profile.queries if query.call_site}
    assert sites == {("_three_questions", line)}
    assert {query.rows for query in profile.queries} == {1}
    assert not any(query.on_loop for query in profile.queries)


@DOORS
@on_asynchronous
def test_each_of_twenty_tasks_has_its_own_three_statements(library: Library, cursor_events: bool) -> None:
    profiles: list[Profile] = []
    profiler = Profiler(sinks=[lambda report: profiles.append(report.profile)])

    async def serve(task: int) -> None:
        with profiler.scope("request", "GET /", labels={"task": task}):
            await _three_questions(library, task)

    async def serve_all() -> None:
        await asyncio.gather(*(serve(task) for task in range(TASKS)))

    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    library.run(serve_all())
    assert len(profiles) == TASKS
    assert len(library.sent) == TASKS * TURNS + _set_up(library)
    for profile in profiles:
        own = [f"SELECT {profile.labels['task']} AS task, {turn} AS turn" for turn in range(TURNS)]
        asked = [
            query for query in profile.queries if query.provenance and query.provenance.infrastructure != "connect"
        ]
        assert [query.sql.partition(" FROM")[0] for query in asked] == own
        assert {query.lane for query in asked} == {0}
        assert (profile.untracked, profile.late, profile.unfinished) == ({}, {}, 0)
        _check_places(profile)


@DOORS
@on_asynchronous
def test_twenty_tasks_of_one_scope_have_a_lane_each(library: Library, cursor_events: bool) -> None:

    async def ask_all() -> None:
        await asyncio.gather(*(_three_questions(library, task) for task in range(TASKS)))

    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    with dbprofile.record() as recording:
        library.run(ask_all())
    library.check(recording, unseen=_set_up(library))
    by_lane: dict[int, list[str]] = {}
    for query in recording.queries:
        by_lane.setdefault(query.lane, []).append(query.sql)
    assert len(by_lane) == TASKS
    for texts in by_lane.values():
        assert len({text.partition(" AS task")[0] for text in texts}) == 1
        assert len(set(texts)) == len(texts) == TURNS
    profile = recording.report.profile
    _check_places(profile)
    assert profile.database_seconds <= profile.execute_seconds + profile.fetch_seconds


def _set_up(library: Library) -> int:
    """Statements by which drivers and dialects set up further connections, with cursors of their own."""
    return sum("read_uncommitted" in text for text in library.ledger.sent)


# --- engines and connections, before and after ----------------------------------------------------------------------


@DOORS
def test_a_connection_that_was_open_is_seen_from_the_installation_to_its_end(
    library: Library, cursor_events: bool
) -> None:
    def work(connection: Connection) -> None:
        _ask(connection)
        library.ledger.forget()
        with dbprofile.record() as recording:
            dbprofile_sqlalchemy.install(cursor_events=cursor_events)
            _ask(connection)
            _ask(connection)
            dbprofile_sqlalchemy.uninstall()
        library.check(recording)
        assert len(recording.queries) == 2
        library.ledger.forget()
        with dbprofile.record() as recording:
            _ask(connection)
        library.check(recording, unseen=1)
        assert not recording.queries
        assert not recording.report.profile.untracked

    library.in_connection(work)


@DOORS
def test_what_a_first_connection_sends_is_infrastructure_or_a_gap_that_is_named(
    library: Library, cursor_events: bool, tmp_path: Path
) -> None:
    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    with opened(library.system, library.driver, tmp_path) as fresh:
        with dbprofile.record() as recording:
            fresh.in_connection(_ask)
        profile = recording.report.profile
        assert profile.query_count == 1
        assert profile.counted[0].statement.tables == ("author",)
        set_up = [query for query in profile.queries if query is not profile.counted[0]]
        assert fresh.sent[-1] == "SELECT author"
        fresh.check(recording, set_up=True, unseen=len(fresh.sent) - 1 - len(set_up))
        assert profile.not_counted == ({"connect": len(set_up)} if set_up else {})
        # SQLAlchemy keeps the first connection of a dialect from listeners round a cursor; SQLite's is asked nothing through it.
        assert len(set_up) == (0 if cursor_events or fresh.system == "sqlite" else 3)
        for query in set_up:
            assert query.provenance is not None
            assert (query.provenance.role, query.provenance.infrastructure) == ("infra", "connect")
        with dbprofile.record() as again:
            fresh.in_connection(_ask)
        assert [query.statement.tables for query in again.queries] == [("author",)]


@DOORS
def test_two_engines_are_told_apart(cursor_events: bool, tmp_path: Path) -> None:
    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    with (
        opened("sqlite", "pysqlite", tmp_path, logging_name="first") as first,
        opened("sqlite", "pysqlite", tmp_path, logging_name="second") as second,
    ):
        first.forget()
        second.forget()
        with dbprofile.record() as recording:
            first.in_connection(_ask)
            second.in_connection(_ask)
            second.in_connection(_ask)
    assert [query.database.name for query in recording.queries] == ["first", "second", "second"]
    assert (first.sent, second.sent) == (["SELECT author"], ["SELECT author"] * 2)
    assert len({query.connection for query in recording.queries}) == 2


# --- libraries on top -----------------------------------------------------------------------------------------------


def _watched(engine: Engine, ledger: Ledger) -> None:
    event.listen(engine, "connect", lambda connection, _record: ledger.watch(connection))


@DOORS
@pytest.mark.parametrize("early", [False, True], ids=["installed first", "installed afterwards"])
def test_flask_sqlalchemy(cursor_events: bool, early: bool, tmp_path: Path) -> None:
    if not early:
        dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path}/one.sqlite3"
    app.config["SQLALCHEMY_BINDS"] = {"other": f"sqlite:///{tmp_path}/other.sqlite3"}
    database = SQLAlchemy(app)

    class Page(database.Model):  # type: ignore[name-defined,misc]  # made at run time
        id = database.Column(database.Integer, primary_key=True)

    class Visit(database.Model):  # type: ignore[name-defined,misc]  # as above
        __bind_key__ = "other"
        id = database.Column(database.Integer, primary_key=True)

    with app.app_context(), Ledger() as ledger:
        for engine in database.engines.values():
            _watched(engine, ledger)
        database.create_all()
        if early:
            dbprofile_sqlalchemy.install(cursor_events=cursor_events)
        ledger.forget()

        def work() -> None:
            database.session.add_all([Page(), Visit()])
            database.session.commit()
            assert len(database.session.scalars(database.select(Page)).all()) == len(Visit.query.all()) == count
            assert database.paginate(database.select(Page)).total == count
            database.session.remove()

        count = 1
        with dbprofile.record() as recording:
            work()
        assert len(ledger.sent) == recording.query_count == 6
        assert sorted(query.rows or 0 for query in recording.queries) == [0, 0, 1, 1, 1, 1]
        assert {query.call_site.function for query in recording.queries if query.call_site} == {work.__qualname__}
        dbprofile_sqlalchemy.uninstall()
        count = 2
        with dbprofile.record() as recording:
            work()
        assert (recording.query_count, len(ledger.sent)) == (0, 12)
        for engine in database.engines.values():
            engine.dispose()


class Ship(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str


@DOORS
def test_sqlmodel(cursor_events: bool) -> None:
    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    engine = create_engine("sqlite://")
    with Ledger() as ledger, SQLModelSession(engine) as session:
        _watched(engine, ledger)
        SQLModel.metadata.create_all(session.connection(), tables=[SQLModel.metadata.tables["ship"]])
        ledger.forget()
        with dbprofile.record() as recording:
            session.add(Ship(name="Vasa"))
            session.commit()
            ships = session.exec(sqlmodel_select(Ship)).all()
            assert [ship.name for ship in ships] == ["Vasa"]
            assert session.get(Ship, 1) is ships[0]
        assert len(ledger.sent) == recording.query_count == 2
        assert [query.rows for query in recording.queries][-1] == 1
        dbprofile_sqlalchemy.uninstall()
        with dbprofile.record() as recording:
            session.exec(sqlmodel_select(Ship)).all()
        assert (recording.query_count, len(ledger.sent)) == (0, 3)
    engine.dispose()
