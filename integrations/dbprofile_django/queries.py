"""The hooks on Django's statements: one execute wrapper for each connection, and timed fetches on the class of cursors."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final
from weakref import WeakSet

from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from dbprofile.hooks import (
    CONNECTIONS,
    USES,
    Connection,
    Scope,
    Stopwatch,
    connection_event,
    guarded,
    is_write,
    receiver,
    register_fixes,
    start,
    stop,
    supply,
    unguarded,
    unregister_fixes,
    withdraw,
)
from dbprofile_django.bridge import build_bridge, remove_bridge
from dbprofile_django.connections import Link, database_of, describe, link_of
from dbprofile_django.endings import hear_requests, leave_requests
from dbprofile_django.fetches import leave_fetches, originals, time_fetches
from dbprofile_django.fixes import propose_fix
from dbprofile_django.foreign import record_foreign
from dbprofile_django.marks import enter_marks, forget_marks
from dbprofile_django.provenance import explain
from dbprofile_django.rows import label_rows, leave_rows
from dbprofile_django.transactions import LINK, hear_transactions, leave_transactions
from dbprofile_django.uses import audit_uses, leave_uses

__all__ = ["install", "record_statement", "uninstall"]

_SIGNAL: Final = "dbprofile"

# Inside a guard of our own: one in each would cost every statement two more calls.
_start: Final = unguarded(start)
_describe: Final = unguarded(describe)
_explain: Final = unguarded(explain)

_lock = threading.Lock()
_installed = False
#: Whether somebody wants to know of connections.
_tells_connections = False
_attached: WeakSet[Any] = WeakSet()


def _renew_lock() -> None:
    """In the child of a fork: a thread of the parent may have held it, and is not here to let it go."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def record_statement(
    execute: Callable[[Any, Any, bool, Any], Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """The execute wrapper: the first of a connection's, so that it is the outermost and times the others too."""
    __tracebackhide__ = True
    cursor = context["cursor"]
    try:
        before = cursor._dbprofile
    except AttributeError:
        return record_foreign(execute, sql, params, many, context)  # a cursor of somebody's own class
    scope = receiver()
    if scope is None:
        if before is not None:
            cursor._dbprofile = None
        return execute(sql, params, many, context)
    connection = context["connection"]
    link = connection.__dict__.get(LINK) or link_of(connection)
    watch = _begin(scope, sql, params, many, connection, link) if link is not None else None
    if watch is None or link is None:
        cursor._dbprofile = None
        return execute(sql, params, many, context)
    query = watch.query
    watch.walk = None  # it holds frames, and with them whatever the application has in its variables
    cursor._dbprofile = None if many else query
    query.started = perf_counter_ns()
    try:
        result = execute(sql, params, many, context)
    except BaseException as error:
        stop(watch, error=error, handle=context)
        raise
    # Nearly all others are a SELECT of Django's, of which nothing is asked.
    affected = _affected(cursor, sql, link) if isinstance(sql, str) and sql[:1] != "S" else None
    stop(watch, handle=context, affected_rows=affected)
    return result


@guarded("django.begin_bare", None, hot=True)
def _begin_bare(scope: Scope, sql: Any, params: Any, many: bool, connection: Any, link: Link) -> Stopwatch | None:  # noqa: ARG001 - as the one it stands for
    """The statement, its line and its time, without what could not be found out of it."""
    watch = _start(scope, sql, params, link.database, frame=sys._getframe(3), batch=many)
    if watch is not None and watch.walk is not None:
        watch.query.call_site = watch.walk.call_site
    return watch


@guarded("django.begin", None, hot=True, instead=_begin_bare)
def _begin(scope: Scope, sql: Any, params: Any, many: bool, connection: Any, link: Link) -> Stopwatch | None:
    """Start a statement, and say on which connection it runs, and why."""
    # Past the guard, whose frame the walk need not look at.
    watch = _start(scope, sql, params, link.database, frame=sys._getframe(2), batch=many)
    if watch is not None:
        _describe(watch, connection, link)
        if watch.walk is not None:
            _explain(watch, watch.query.raw_sql)
    return watch


@guarded("django.affected_rows", None)
def _affected(cursor: Any, sql: str, link: Link) -> int | None:
    if not is_write(sql):
        return None
    rows = cursor.cursor.rowcount
    if rows == 0 and link.database.dialect == "sqlite" and "RETURNING" in sql:
        return None  # it knows when they have been read
    return rows if isinstance(rows, int) else None


def record_procedure(self: Any, procname: Any, params: Any = None, kparams: Any = None) -> Any:
    """``CursorWrapper.callproc``, which no execute wrapper sees."""
    __tracebackhide__ = True
    original = originals["callproc"]
    scope = receiver() if _installed else None  # ours may have stayed below a method that others put over it
    link = link_of(self.db) if scope is not None else None
    watch = start(scope, f"CALL {procname}", params, link.database) if scope is not None and link is not None else None
    if watch is None or link is None:
        self._dbprofile = None
        return original(self, procname, params, kparams)
    describe(watch, self.db, link)
    explain(watch, watch.query.raw_sql)
    watch.walk = None
    self._dbprofile = watch.query
    watch.query.started = perf_counter_ns()
    try:
        result = original(self, procname, params, kparams)
    except BaseException as error:
        stop(watch, error=error)
        raise
    stop(watch)
    return result


@guarded("django.attach", None)
def _attach(connection: Any) -> None:
    """Put the wrapper before all others: Django's own way to leave one takes the last, whichever it is."""
    link = link_of(connection)
    if link is not None:
        # One that was made for the statements of its set-up does not know the server's version yet.
        link.database = database_of(connection)
    wrapper = record_statement if isinstance(connection, BaseDatabaseWrapper) else record_foreign
    if wrapper not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, wrapper)
    _attached.add(connection)


@guarded("django.connected", None)
def _connected(*, connection: Any, **_keywords: Any) -> None:
    with _lock:
        if _installed:
            _attach(connection)
            link = link_of(connection) if _tells_connections else None
            if link is not None:
                connection_event("django", link.serial, Connection.open)


def _tell_connections() -> None:
    global _tells_connections
    _tells_connections = True


def _keep_quiet() -> None:
    global _tells_connections
    _tells_connections = False


def install() -> None:
    """Record the statements of every connection of Django, open now or later. Idempotent; opens nothing, sends nothing.

    ``"dbprofile_django"`` in INSTALLED_APPS does it, and so does the middleware.
    """
    global _installed
    with _lock:
        # Again at every call: Django's applications, and settings with connections, may have come since.
        enter_marks()
        if settings.configured:
            for connection in connections.all(initialized_only=True):
                if connection not in _attached:
                    _attach(connection)
        if _installed:
            return
        _installed = True
        hear_requests()
        hear_transactions()
        label_rows()
        build_bridge()
        time_fetches(record_procedure)
        register_fixes("django", propose_fix)
        supply("django", CONNECTIONS, _tell_connections, _keep_quiet)
        supply("django", USES, audit_uses, leave_uses)
        connection_created.connect(_connected, dispatch_uid=_SIGNAL)


def uninstall() -> None:
    """Undo ``install``, on every connection that it reached. Idempotent."""
    global _installed
    with _lock:
        if not _installed:
            return
        _installed = False
        connection_created.disconnect(dispatch_uid=_SIGNAL)
        for connection in list(_attached):
            for wrapper in (record_statement, record_foreign):
                if wrapper in connection.execute_wrappers:
                    connection.execute_wrappers.remove(wrapper)
            connection.__dict__.pop(LINK, None)
        _attached.clear()
        unregister_fixes("django")
        withdraw("django")
        leave_transactions()
        leave_requests()
        leave_fetches()
        remove_bridge()
        leave_rows()
        forget_marks()
