"""The halves of recording a statement of a driver: before it is sent, after, and what is fetched of it."""

from __future__ import annotations

import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from dbprofile import hooks
from dbprofile_dbapi.databases import link_of

if TYPE_CHECKING:
    from types import FrameType

    from dbprofile_dbapi.databases import Driver

__all__ = ["begin", "done", "failed", "fetched"]

_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE")
#: Packages that send statements of their own through a driver when no statement of the application's is on its way: a pool that
#: asks whether a connection is alive, the set-up of a new one.
_LIBRARIES: Final = frozenset({"sqlalchemy", "django", "psycopg_pool"})


@hooks.guarded("dbapi.begin", None)
def begin(
    connection: Any, driver: Driver, sql: Any, parameters: Any, *, batch: bool = False, depth: int = 2
) -> hooks.Stopwatch | None:
    """Start a statement.

    Args:
        connection: the driver's own.
        driver: whose it is.
        sql: as the application gave it.
        parameters: as the application gave them; of a batch the sequence of sets.
        batch: whether it is an ``executemany``.
        depth: frames between this one and the call of the application.

    Returns:
        ``None`` where nobody wants to know of it, and where it is the statement of another adapter, which has recorded it.
    """
    frame = sys._getframe(depth + 1)  # noqa: SLF001 - the frame itself; one more for the guard
    walk = hooks.Walk(frame)
    if any(mark.kind == hooks.LAYER for mark, _ in walk.marks):
        return None
    scope = hooks.receiver()
    if scope is None:
        return None
    link = link_of(connection, driver)
    watch = hooks.start(scope, sql, parameters, link.database, frame=frame, batch=batch)
    if watch is None:
        return None
    query = watch.query
    query.connection = link.serial
    query.autocommit = driver.commits_itself(connection)
    if watch.walk is not None:
        query.provenance = _explained(watch, frame, query.sql)
        query.call_site = query.provenance.path[0] if query.provenance.path else walk.call_site
    watch.walk = None  # it holds frames
    query.started = perf_counter_ns()
    return watch


def _explained(watch: hooks.Stopwatch, frame: FrameType, text: str) -> hooks.Provenance:
    assert watch.walk is not None
    path = watch.walk.path(watch.lane.paths, watch.scope.root)
    if str(frame.f_globals.get("__name__")).partition(".")[0] in _LIBRARIES:
        return hooks.Provenance("infra", infrastructure="connect", path=path)
    if text[:64].lstrip().upper().startswith(_WRITES):
        return hooks.Provenance("write", path=path)
    lineage = hooks.root_lineage(watch.lane, "Q", text, path, watch.query.database)
    return hooks.Provenance("read", lineage=lineage, path=path)


@hooks.guarded("dbapi.done", None)
def done(watch: hooks.Stopwatch | None, cursor: Any = None) -> hooks.Query | None:
    """End a statement that succeeded.

    Args:
        watch: what ``begin`` gave.
        cursor: what was executed on; asked for the rows that a write affected.

    Returns:
        The query that fetches from the cursor belong to.
    """
    if watch is None:
        return None
    query = watch.query
    writes = query.provenance is not None and query.provenance.role == "write"
    rows = cursor.rowcount if writes and cursor is not None else None
    hooks.stop(watch, handle=cursor, affected_rows=rows if isinstance(rows, int) else None)
    return query


def failed(watch: hooks.Stopwatch | None, error: BaseException) -> None:
    """End a statement that failed or was cancelled."""
    hooks.stop(watch, error=error)


def fetched(query: hooks.Query | None, started: int, rows: Any, error: BaseException | None = None) -> None:
    """Add one fetch to the query of a cursor, if it has one."""
    if query is not None:
        hooks.fetched(query, started, rows, error)
