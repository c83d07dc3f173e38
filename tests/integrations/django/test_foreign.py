"""Connections and cursors that are not Django's own, but ask its execute wrappers: they work as before, and are seen."""

import functools
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

import dbprofile_django
from dbprofile import Profiler, Recording, record
from dbprofile_django.foreign import record_foreign

pytestmark = pytest.mark.usefixtures("shop")


class Connection:
    """A connection of a package of its own, to which Django's class is no base."""

    alias, vendor, autocommit = "events", "postgresql", True

    def __init__(self) -> None:
        self.settings_dict = {"NAME": "events", "HOST": "elsewhere"}
        self.execute_wrappers: list[Callable[..., Any]] = []


class Cursor:
    """A cursor as Django's is, but closed for attributes of others."""

    __slots__ = ("_answer", "db")

    def __init__(self, db: Any, answer: Callable[[str], Any]) -> None:
        self.db = db
        self._answer = answer

    def execute(self, sql: str, params: object = None) -> Any:
        executor: Callable[..., Any] = lambda text, _params, _many, _context: self._answer(text)  # noqa: E731
        for wrapper in reversed(self.db.execute_wrappers):
            executor = functools.partial(wrapper, executor)
        return executor(sql, params, False, {"connection": self.db, "cursor": self})


async def _awaited(text: str) -> str:
    if text == "SELECT nothing":
        raise LookupError(text)
    return f"answer to {text}"


@pytest.fixture
def theirs() -> Connection:
    foreign = Connection()
    connection_created.send(sender=Connection, connection=foreign)
    connection_created.send(sender=Connection, connection=foreign)  # each time it connects
    return foreign


@pytest.fixture
def recording() -> Iterator[Recording]:
    with record("block", profiler=Profiler()) as recorded:
        yield recorded


def _awaiting(cursor: Cursor, sql: str) -> Awaitable[str]:
    answer: Awaitable[str] = cursor.execute(sql)
    return answer


async def test_a_statement_that_is_awaited_is_a_query_once_it_was_answered(
    theirs: Connection, recording: Recording
) -> None:
    waiting = _awaiting(Cursor(theirs, _awaited), "SELECT 1")
    assert recording.query_count == 0
    assert await waiting == "answer to SELECT 1"
    (query,) = recording.queries
    assert (query.sql, query.database.name, query.autocommit, query.on_loop) == ("SELECT 1", "events", True, False)
    assert query.call_site is not None
    assert query.call_site.file == __file__


async def test_a_statement_that_fails_when_it_is_awaited_has_its_error(
    theirs: Connection, recording: Recording
) -> None:
    with pytest.raises(LookupError, match="SELECT nothing"):
        await _awaiting(Cursor(theirs, _awaited), "SELECT nothing")
    assert [query.error for query in recording.queries] == ["LookupError"]


async def test_outside_any_scope_they_work_as_before(theirs: Connection) -> None:
    assert await _awaiting(Cursor(theirs, _awaited), "SELECT 1") == "answer to SELECT 1"
    assert Cursor(theirs, str.lower).execute("SELECT 1") == "select 1"


def test_a_statement_that_is_answered_at_once_is_a_query_too(theirs: Connection, recording: Recording) -> None:
    def refuse(text: str) -> str:
        raise LookupError(text)

    assert Cursor(theirs, str.lower).execute("SELECT 1") == "select 1"
    with pytest.raises(LookupError):
        Cursor(theirs, refuse).execute("SELECT 2")
    assert [(query.sql, query.error) for query in recording.queries] == [
        ("SELECT 1", None),
        ("SELECT 2", "LookupError"),
    ]


def test_a_cursor_of_its_own_class_on_a_connection_of_djangos(recording: Recording) -> None:
    connection.ensure_connection()
    assert Cursor(connection, str.lower).execute("SELECT 1") == "select 1"
    assert [query.sql for query in recording.queries] == ["SELECT 1"]


def test_taking_it_out_leaves_nothing_on_them(theirs: Connection) -> None:
    before = {"settings_dict": theirs.settings_dict, "execute_wrappers": []}
    assert theirs.execute_wrappers == [record_foreign]
    dbprofile_django.uninstall()
    try:
        assert vars(theirs) == before
    finally:
        dbprofile_django.install()
