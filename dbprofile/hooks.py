"""The door for adapters that turn a library's statements into Queries.

A hook asks ``receiver()`` first; without an answer it does nothing else. With one it makes a ``Stopwatch``, calls the driver, and
stops it::

    scope = hooks.receiver()
    if scope is None:
        return execute()
    watch = hooks.start(scope, sql, parameters, database)
    try:
        result = execute()
    except BaseException as error:
        hooks.stop(watch, error=error)
        raise
    hooks.stop(watch)
    return result
"""

from __future__ import annotations

import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from dbprofile.capture import ignoring, listening
from dbprofile.capture.callsite import CallSite, Path, Step
from dbprofile.capture.connection import Connection
from dbprofile.capture.database import Database
from dbprofile.capture.demand import CONNECTIONS, USES, supply, withdraw
from dbprofile.capture.eager import EagerLoad
from dbprofile.capture.failures import driver_exception, error_code
from dbprofile.capture.lane import Lane
from dbprofile.capture.listening import add_listener, remove_listener
from dbprofile.capture.objects import Held, Holders, keep_objects, leave_objects
from dbprofile.capture.provenance import Batch, Lineage, Provenance, Token
from dbprofile.capture.query import UNHASHABLE, Query, digest, is_write
from dbprofile.capture.scope import (
    UNIT_KINDS,
    Scope,
    current_scope,
    made_current,
    muted,
    receiver,
    recorded_since,
    travelling,
)
from dbprofile.capture.source import Source, one_line, source_of
from dbprofile.capture.stack import (
    HOOK,
    LAYER,
    Mark,
    Walk,
    call_site_of,
    forget,
    handed_down,
    is_application_file,
    know,
    layers,
)
from dbprofile.capture.texts import LONG_TEXT
from dbprofile.capture.unseen import of_this_thread as count_untracked
from dbprofile.findings.finding import Fix
from dbprofile.findings.fixes import FixProvider, Problem, register_fixes, unregister_fixes
from dbprofile.guard import guarded, unguarded
from dbprofile.output.source import shown_path

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from dbprofile.capture.connection import Event

__all__ = [
    "CONNECTIONS",
    "HOOK",
    "LAYER",
    "UNIT_KINDS",
    "USES",
    "Batch",
    "CallSite",
    "Connection",
    "Database",
    "EagerLoad",
    "Fix",
    "FixProvider",
    "Held",
    "Holders",
    "Lane",
    "Lineage",
    "Mark",
    "Path",
    "Problem",
    "Provenance",
    "Query",
    "Scope",
    "Source",
    "Step",
    "Stopwatch",
    "Token",
    "Walk",
    "add_listener",
    "again",
    "connection_event",
    "count_untracked",
    "current_scope",
    "driver_exception",
    "error_code",
    "fetched",
    "find_call_site",
    "forget",
    "guarded",
    "handed_down",
    "is_application_file",
    "is_write",
    "keep_objects",
    "know",
    "layers",
    "leave_objects",
    "locate",
    "made_current",
    "muted",
    "one_line",
    "receiver",
    "recorded_since",
    "register_fixes",
    "remove_listener",
    "root_lineage",
    "shown_path",
    "source_of",
    "start",
    "stop",
    "supply",
    "travelling",
    "unguarded",
    "unregister_fixes",
    "withdraw",
]


class Stopwatch:
    """One statement on its way through the driver.

    Attributes:
        query: what becomes of it.
        scope, lane: where it is recorded.
        walk: the walk up the stack, for the adapter's provenance; ``None`` where none was made (a counter).
    """

    __slots__ = ("lane", "query", "scope", "walk")

    scope: Scope
    lane: Lane
    query: Query
    walk: Walk | None


# Without the call of an __init__: one is made for each statement.
_new_watch: Final = object.__new__


@guarded("hooks.start", None, hot=True)
def start(
    scope: Scope,
    sql: object,
    parameters: object,
    database: Database,
    *,
    frame: FrameType | None = None,
    batch: bool = False,
) -> Stopwatch | None:
    """Begin a statement: everything but the clock, which ``Stopwatch.query.started`` sets last.

    Args:
        scope: what ``receiver()`` answered.
        sql: the text, as the driver gets it; ``bytes`` and SQL objects of a driver are converted when first read.
        parameters: one parameter set; of a batch the sequence of sets, of which only the length is taken; never consumed.
        database: where it goes.
        frame: where the walk begins; the caller's caller by default.
        batch: whether it is an ``executemany``.

    Returns:
        The watch; ``None`` if that failed, which the hook treats as no scope.
    """
    if type(sql) is not str or len(sql) > LONG_TEXT:
        sql = scope.keep_text(sql)
    query = Query(sql, database, unit=scope.unit)
    if batch:
        query.batch_size = len(parameters) if isinstance(parameters, (list, tuple)) else None
    else:
        query.parameters = digest(parameters)
    if scope.show_values:
        query.values = parameters
    walk = None
    if scope.detailed < scope.detail_limit:
        walk = Walk(frame if frame is not None else sys._getframe(2))  # noqa: SLF001 - the frame itself, not a copy of the stack
    watch: Stopwatch = _new_watch(Stopwatch)
    watch.scope, watch.query, watch.walk = scope, query, walk
    watch.lane = lane = scope.lane()
    if lane.on_loop and not database.awaited:
        query.on_loop = True
    if ignoring.entered:
        query.ignored = ignoring.ignored_here()
    query.started = perf_counter_ns()
    return watch


@guarded("hooks.locate", None, hot=True)
def locate(watch: Stopwatch | None) -> None:
    """Note where a statement is sent from, for an adapter that knows no more of why: rules tell a loop by it.

    Called right before the driver; beyond the detail limit nothing is noted.
    """
    if watch is None or watch.walk is None:
        return
    query, database = watch.query, watch.query.database
    path = watch.walk.path(watch.lane.paths, watch.scope.root)
    watch.walk = None  # it holds frames, and with them whatever the application has in its variables
    query.call_site = path[0] if path else None
    sql = query.sql
    if is_write(sql):
        query.provenance = Provenance("write", path=path)
    else:
        query.provenance = Provenance(path=path, lineage=root_lineage(watch.lane, "Q", sql, path, database))
    query.started = perf_counter_ns()


@guarded("hooks.stop", None, hot=True)
def stop(
    watch: Stopwatch | None,
    *,
    error: BaseException | None = None,
    handle: object = None,
    affected_rows: int | None = None,
) -> None:
    """End a statement: take the time, record it in its scope and the scopes round it, tell the listeners.

    Args:
        watch: what ``start`` returned; ``None`` is ignored.
        error: the exception of a failed or cancelled statement; its class is kept, never its message.
        handle: an opaque object for sinks: SQLAlchemy's execution context, Django's context mapping, a DB-API cursor.
        affected_rows: of a write, as the driver says it; negative numbers mean that it does not know.
    """
    if watch is None:
        return
    query = watch.query
    query.seconds = (perf_counter_ns() - query.started) * 1e-9
    if error is not None:
        query.error, query.error_code = type(error).__name__, error_code(error)
    if affected_rows is not None and affected_rows >= 0:
        query.affected_rows = affected_rows
    scope = watch.scope
    if watch.walk is None and query.call_site is None and query.seconds >= scope.slow_seconds:
        query.call_site = call_site_of(sys._getframe(1))  # noqa: SLF001 - a slow statement beyond the detail limit
    scope.record(query, watch.lane)
    for listener in listening.listeners:
        listener.query_done(query, handle, error)


@guarded("hooks.again", None, hot=True)
def again(watch: Stopwatch, seconds: float) -> None:
    """Add a further round trip to a batch that has been recorded already."""
    watch.query.seconds += seconds
    watch.query.round_trips += 1


@guarded("hooks.fetched", None, hot=True)
def fetched(query: Query, started: int, rows: Sequence[object], error: BaseException | None = None) -> None:
    """Add one fetch to a query, which may have been recorded long ago.

    Args:
        query: the query whose rows were fetched.
        started: ``perf_counter_ns`` before the driver call.
        rows: what it handed over; only counted, but for the hash of the very first row.
        error: of a fetch that failed or was cancelled.
    """
    seconds = (perf_counter_ns() - started) * 1e-9
    count = len(rows)
    query.fetch_seconds += seconds
    for counter in query.counters:
        counter.fetched(seconds, count)
    if query.fetches == 0:
        query.fetch_started = started
        query.rows = count
        if count:
            try:  # noqa: SIM105 - suppress() is three calls for each fetch
                query.answer = hash(rows[0])
            except UNHASHABLE:
                pass  # a list, a document or a writable memoryview among the values
    else:
        query.rows = (query.rows or 0) + count
    query.fetches += 1
    if error is not None:
        query.error, query.error_code = type(error).__name__, error_code(error)


@guarded("hooks.connection_event", None)
def connection_event(library: str, serial: int, event: Event) -> None:
    """Something happens to a connection now; told only while somebody wants to know (``supply``).

    Args:
        library: whose connection it is, as ``Database.library``.
        serial: its number, as ``Query.connection``.
        event: a method of ``Connection``.
    """
    scope = current_scope()
    if scope is not None:
        scope.connection(library, serial, event, perf_counter_ns())


def find_call_site() -> CallSite | None:
    """The innermost line of the application that is running now."""
    return call_site_of(sys._getframe(1))  # noqa: SLF001 - the frame itself, not a copy of the stack


def root_lineage(lane: Lane, kind: str, sql: str, path: Path, database: Database) -> Lineage:
    """The lineage of a query that hangs on no other: the same object for the same text, path and database in a lane.

    Args:
        lane: where it runs.
        kind: ``Q`` for an ordinary query, ``U`` for rows of unknown origin.
        sql: the text as sent (``Q``), or empty.
        path: of ``Q`` where it was sent from, of ``U`` the trigger.
        database: where it was sent.
    """
    # The path by its identity: the lane holds one of each, and the lineage keeps its own alive.
    key: tuple[Any, ...] = (kind, sql, id(path), database.name)
    found = lane.roots.get(key)
    if found is None:
        found = lane.roots[key] = Lineage(kind, sql, path=path, database=database)
    return found
