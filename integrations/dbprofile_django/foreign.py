"""Connections and cursors of other packages' own classes: Django's signal tells of them, and they ask execute wrappers as Django does.

A backend whose cursors are awaited is such a one. Nothing is kept on what is not Django's, so the rows of these statements are not seen.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any

from dbprofile.hooks import Stopwatch, guarded, receiver, start, stop
from dbprofile_django.connections import link_of
from dbprofile_django.provenance import explain

__all__ = ["record_foreign"]


def record_foreign(
    execute: Callable[[Any, Any, bool, Any], Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """The execute wrapper of a connection that is not Django's own: it answers with what is to be awaited where the others do."""
    __tracebackhide__ = True
    watch = _begun(sql, params, many, context)
    if watch is None:
        return execute(sql, params, many, context)
    try:
        result = execute(sql, params, many, context)
    except BaseException as error:
        stop(watch, error=error, handle=context)
        raise
    if isawaitable(result):
        watch.query.on_loop = False
        return _awaited(result, watch, context)
    stop(watch, handle=context)
    return result


async def _awaited(result: Awaitable[Any], watch: Stopwatch, context: dict[str, Any]) -> Any:
    __tracebackhide__ = True
    try:
        answer = await result
    except BaseException as error:
        stop(watch, error=error, handle=context)
        raise
    stop(watch, handle=context)
    return answer


@guarded("django.foreign", None)
def _begun(sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Stopwatch | None:
    scope = receiver()
    connection = context["connection"]
    link = link_of(connection) if scope is not None else None
    if scope is None or link is None:
        return None
    watch = start(scope, sql, params, link.database, batch=many)
    if watch is not None:
        watch.query.connection = link.serial
        watch.query.autocommit = bool(getattr(connection, "autocommit", False))
        explain(watch, watch.query.raw_sql)
        watch.walk = None  # it holds frames, and with them whatever the application has in its variables
    return watch
