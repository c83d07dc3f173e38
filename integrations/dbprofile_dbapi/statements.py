"""The two halves of recording a statement, which every door calls: before it goes to the driver, and after."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from time import perf_counter_ns
from types import FrameType
from typing import Any, Final

from dbprofile import hooks
from dbprofile_dbapi.connections import Link

__all__ = ["Origin", "begin", "drivers_own", "end", "fail", "handed_down", "origin", "package_above"]

#: By these names drivers take a text, and parameters; PEP 249 asks for positions.
_TEXTS: Final = ("query", "operation", "sql", "statement", "procname")
_PARAMETERS: Final = ("params", "parameters", "vars", "args", "params_seq", "seq_of_parameters", "vars_list")
#: Packages that stand between a statement and whoever sends it; each driver that is watched adds its own.
drivers_own: Final[set[str]] = {"dbprofile", "dbprofile_dbapi", "aiosqlite"}
#: What these send themselves asks whether a connection is alive.
_POOLS: Final = frozenset({"psycopg_pool"})

_layers: Final = hooks.layers
_receiver: Final = hooks.receiver
# Inside guards of our own: a second guard in each would cost every statement two more calls.
_start: Final = hooks.unguarded(hooks.start)
_stop: Final = hooks.unguarded(hooks.stop)


class Origin:
    """Where an asynchronous statement was asked for, which is no longer on the stack when a task of its own runs it."""

    __slots__ = ("package", "path")

    def __init__(self, package: str, path: hooks.Path | None) -> None:
        self.package = package
        self.path = path


@hooks.guarded("dbapi.begin", None, hot=True)
def begin(
    cursor: Any,
    link: Link,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    kind: str = "",
    origin: Origin | None = None,
) -> hooks.Stopwatch | None:
    """Start a statement: all but its driver call. Called by the method that the application calls.

    Args:
        cursor: the driver's, with our methods.
        link: of its connection.
        arguments: of the call.
        keywords: of the call.
        kind: ``many`` for an executemany, ``CALL`` for a procedure, empty for one statement.
        origin: where it was asked for, if that is not on the stack.

    Returns:
        The watch; ``None`` where the statement is recorded elsewhere, or nobody wants to know of it.
    """
    cursor._dbprofile_query = None
    # Past the guard and the cursor's method.
    frame = sys._getframe(3)
    if _layers and handed_down(frame, origin):
        link.setting_up = False
        return None
    scope = _receiver()
    if scope is None:
        return None
    sql = arguments[0] if arguments else _named(keywords, _TEXTS)
    text = sql if type(sql) is str else _text(sql, cursor, link)
    if kind == "CALL":
        text = f"CALL {text}"
    parameters = arguments[1] if len(arguments) > 1 else _named(keywords, _PARAMETERS) if keywords else None
    watch = _start(scope, text, parameters, link.database, frame=frame, batch=kind == "many")
    assert watch is not None
    query = watch.query
    query.connection = link.serial
    if link.transaction is not None and link.inside(cursor.connection) is False:
        link.transaction = None  # it was ended by a call of the driver's own
    if watch.walk is not None:
        path = origin.path if origin is not None else None
        if path is None:
            path = watch.walk.path(watch.lane.paths, scope.root)
        query.provenance = _why(watch, link, path, frame)
        query.call_site = path[0] if path else None
        watch.walk = None  # it holds frames, and with them whatever the application has in its variables
    query.started = perf_counter_ns()
    return watch


@hooks.guarded("dbapi.end", None, hot=True)
def end(watch: hooks.Stopwatch, cursor: Any, link: Link) -> None:
    """The driver has answered: take the time, and time what is fetched from now on."""
    query = watch.query
    sql, affected = query.raw_sql, None
    text = sql if isinstance(sql, str) else query.sql
    if hooks.is_write(text) and (link.driver.counts_early or cursor.description is None):
        affected = cursor.rowcount
    _stop(watch, handle=cursor, affected_rows=affected if isinstance(affected, int) else None)
    cursor._dbprofile_query = query
    _place(query, cursor, link)


@hooks.guarded("dbapi.fail", None)
def fail(watch: hooks.Stopwatch, cursor: Any, link: Link, error: BaseException) -> None:
    """The driver has raised, or whoever waited for it was cancelled."""
    _stop(watch, error=error, handle=cursor)
    _place(watch.query, cursor, link)


def _place(query: hooks.Query, cursor: Any, link: Link) -> None:
    """Say in which transaction a statement ran. Asked afterwards, because drivers begin one with the statement itself."""
    inside = link.inside(cursor.connection)
    if inside:
        query.transaction = link.begin()
    elif inside is False:
        # What ended the transaction was the last statement in it; any other was a transaction of its own.
        query.transaction, link.transaction = link.transaction, None
        query.autocommit = query.transaction is None


def _named(keywords: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((keywords[name] for name in names if name in keywords), None)


def _text(sql: Any, cursor: Any, link: Link) -> Any:
    """The text of what is none yet. An object of the driver's is asked with the cursor: it needs a connection to quote names."""
    if isinstance(sql, (bytes, bytearray)):
        return sql.decode("utf-8", "replace")
    compose = getattr(sql, "as_string", None)
    if compose is None:
        return sql
    failures: tuple[type[Exception], ...] = (TypeError, ValueError, AttributeError, *link.driver.errors)
    try:
        return compose(cursor)
    except failures:
        return sql  # the driver is about to say what is wrong with it


def _why(watch: hooks.Stopwatch, link: Link, path: hooks.Path, frame: FrameType) -> hooks.Provenance:
    query = watch.query
    template = path[0].template if path else None
    if link.setting_up or package_above(frame) in _POOLS:
        return hooks.Provenance("infra", infrastructure="connect", path=path, template=template)
    sql = query.raw_sql
    text = sql if isinstance(sql, str) else query.sql
    if hooks.is_write(text):
        return hooks.Provenance("write", path=path, template=template)
    lineage = hooks.root_lineage(watch.lane, "Q", text, path, query.database)
    return hooks.Provenance("read", lineage=lineage, path=path, template=template)


# --- who asks -------------------------------------------------------------------------------------------------------


def handed_down(frame: FrameType | None, origin: Origin | None = None) -> bool:
    """Whether a library above the driver records a statement, or sends it for itself beneath its own hooks (to try a connection)."""
    if hooks.handed_down(frame):
        return True
    package = origin.package if origin is not None else package_above(frame)
    return _layers.get(package, False)


def package_above(frame: FrameType | None) -> str:
    """The package that calls the driver; empty where the stack ends before."""
    while frame is not None:
        name: str = frame.f_globals.get("__name__") or ""
        package = name.partition(".")[0]
        if package not in drivers_own:
            return package
        frame = frame.f_back
    return ""


@hooks.guarded("dbapi.origin", None, hot=True)
def origin(frame: FrameType) -> Origin:
    """Where a statement is asked for, by the frame of the asking."""
    scope = hooks.current_scope()
    path = None
    if scope is not None and scope.detailed < scope.detail_limit:
        path = hooks.Walk(frame).path(scope.lane().paths, scope.root)
    return Origin(package_above(frame), path)
