"""The two halves of recording a statement, which both doors call: before it goes to the driver, and after."""

from __future__ import annotations

import sys
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine.interfaces import ExecuteStyle

from dbprofile import hooks
from dbprofile_sqlalchemy.databases import facts_of, forget_engine, known_facts
from dbprofile_sqlalchemy.fetches import FetchTimer, new_timer, set_cursor, set_query
from dbprofile_sqlalchemy.provenance import explain, loaded
from dbprofile_sqlalchemy.relations import Shape, shape_of
from dbprofile_sqlalchemy.sessions import place
from dbprofile_sqlalchemy.transactions import Link

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import ExecutionContext

__all__ = ["INSERTMANYVALUES", "batch_of", "begin", "continue_batch", "end", "fail", "fail_batch", "keep_batch"]

INSERTMANYVALUES: Final = ExecuteStyle.INSERTMANYVALUES
_WRITE_WORDS: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLAC", "WITH"})


# Inside guards of our own: a second guard in each would cost every statement two more calls.
_start: Final = hooks.unguarded(hooks.start)
_stop: Final = hooks.unguarded(hooks.stop)


@hooks.guarded("sqlalchemy.begin_bare", None, hot=True)
def _begin_bare(
    scope: hooks.Scope, sql: Any, parameters: Any, context: Any, *, batch: bool = False
) -> hooks.Stopwatch | None:
    """The statement, its line and its time, without what could not be found out of it."""
    facts = facts_of(context.root_connection.engine)
    watch = _start(scope, sql, parameters, facts.database, frame=sys._getframe(3), batch=batch)
    if watch is not None and watch.walk is not None:
        watch.query.call_site = watch.walk.call_site
        watch.walk = None
        watch.query.started = perf_counter_ns()
    return watch


@hooks.guarded("sqlalchemy.begin", None, hot=True, instead=_begin_bare)
def begin(
    scope: hooks.Scope, sql: Any, parameters: Any, context: Any, *, batch: bool = False
) -> hooks.Stopwatch | None:
    """Start a statement: all but its driver call.

    Args:
        scope: where it is recorded.
        sql: the text that goes to the driver.
        parameters: one parameter set, or all of them where it is a batch.
        context: SQLAlchemy's execution context.
        batch: whether ``parameters`` are sets.
    """
    connection = context.root_connection
    facts = known_facts.get(id(connection.engine)) or facts_of(connection.engine)
    try:
        compiled_sql = context.statement
    except AttributeError:
        pass  # not complete yet: a default of a column is computed first, on the context of its INSERT
    else:
        if sql is not compiled_sql and compiled_sql in sql:
            sql = compiled_sql  # somebody puts a comment on each statement
    # Past the guard and the listener, whose frames the walk need not look at.
    watch = _start(scope, sql, parameters, facts.database, frame=sys._getframe(3), batch=batch)
    assert watch is not None
    query = watch.query
    try:
        transaction = connection._transaction
    except AttributeError:
        transaction = connection.get_transaction()
    if transaction is None:
        # Only a dialect that gets to know a server for the first time sends statements outside any transaction.
        query.provenance = hooks.Provenance("infra", infrastructure="connect")
        forget_engine(connection.engine)
    else:
        try:
            link = connection._dbprofile_link
        except AttributeError:
            link = connection._dbprofile_link = Link(connection)
        query.connection = link.serial
        if facts.autocommit or context.execution_options.get("isolation_level") == "AUTOCOMMIT":
            query.autocommit = True
        else:
            query.transaction = link.number if link.transaction() is transaction else link.number_of(transaction)
        compiled = context.compiled
        try:
            shape: Shape = compiled._dbprofile_shape
        except AttributeError:
            shape = shape_of(compiled)
        if shape.writes or compiled is None or context.is_text:
            link.wrote = True
        if watch.walk is not None:
            if shape.locks:
                query.locks = True
            if shape.siblings:
                query.siblings = shape.siblings
            query.provenance = why = explain(watch, watch.walk, shape, context)
            query.call_site = why.path[0] if why.path else None
            if link.session is not None and not scope.in_unit:
                place(watch, link, why.path)
    watch.walk = None  # it holds frames, and with them whatever the application has in its variables
    query.started = perf_counter_ns()
    return watch


@hooks.guarded("sqlalchemy.end", None, hot=True)
def end(watch: hooks.Stopwatch, context: Any, cursor: Any, *, batch: bool = False) -> None:
    """The driver has answered: take the time, and time what is fetched from now on.

    Args:
        watch: what ``begin`` gave.
        context: SQLAlchemy's execution context.
        cursor: the driver's.
        batch: whether the rows are read by SQLAlchemy itself between the calls, or there are none.
    """
    query = watch.query
    compiled = context.compiled
    try:
        shape: Shape = compiled._dbprofile_shape
    except AttributeError:
        shape = shape_of(compiled)
    affected = None
    if shape.writes:
        # Of a write that returns rows some drivers know it only when they have been read.
        affected = None if shape.returning else cursor.rowcount
    elif compiled is None or context.is_text:
        affected = cursor.rowcount if query.sql.lstrip()[:6].rstrip().upper() in _WRITE_WORDS else None
    _stop(watch, handle=context, affected_rows=affected)
    if shape.orm and query.provenance is not None:
        loaded(watch, shape)
    if not batch:
        try:
            _ = context.statement
        except AttributeError:
            return  # the default of a column: SQLAlchemy reads it from the cursor as it is, and executes on with that
        timer = new_timer(FetchTimer)
        set_cursor(timer, context.cursor)
        set_query(timer, query)
        context.cursor = timer


@hooks.guarded("sqlalchemy.fail", None)
def fail(watch: hooks.Stopwatch | None, context: object, error: BaseException) -> None:
    """The driver has raised, or whoever waited for it was cancelled."""
    hooks.stop(watch, error=error, handle=context)


# --- batches: SQLAlchemy cuts an INSERT of many rows into calls of its own -------------------------------------------


@hooks.guarded("sqlalchemy.batch_of", False, hot=True)
def batch_of(context: Any) -> bool:
    """Whether the call at hand is one of several that make up one INSERT."""
    return (
        getattr(context, "execute_style", None) is INSERTMANYVALUES and getattr(context, "statement", None) is not None
    )


@hooks.guarded("sqlalchemy.keep_batch", None)
def keep_batch(context: ExecutionContext, watch: hooks.Stopwatch) -> None:
    """Let the calls that follow find the query of their batch."""
    context._dbprofile_batch = watch  # type: ignore[attr-defined]  # its instances take attributes


@hooks.guarded("sqlalchemy.continue_batch", None, hot=True)
def continue_batch(context: Any) -> hooks.Stopwatch | None:
    """The query of a batch whose first call has been made."""
    watch: hooks.Stopwatch | None = getattr(context, "_dbprofile_batch", None)
    return watch


@hooks.guarded("sqlalchemy.fail_batch", None)
def fail_batch(watch: hooks.Stopwatch, started: int, error: BaseException) -> None:
    """A later call of a batch has raised: it was sent all the same.

    Args:
        watch: of the batch.
        started: ``perf_counter_ns`` before the call.
        error: what the driver raised.
    """
    hooks.again(watch, (perf_counter_ns() - started) * 1e-9)
    watch.query.error, watch.query.error_code = type(error).__name__, hooks.error_code(error)
