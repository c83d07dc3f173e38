"""The other door: the documented events before and after a cursor executes, for versions without the cheaper one."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from dbprofile import hooks
from dbprofile_sqlalchemy.statements import batch_of, begin, continue_batch, end, fail, keep_batch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["listen", "listens", "unlisten"]


class _Flight:
    """A driver call under way: the statement's watch, whether it only continues a batch, and when it began."""

    __slots__ = ("continues", "started", "watch")

    def __init__(self, watch: hooks.Stopwatch, *, continues: bool) -> None:
        self.watch = watch
        self.continues = continues
        self.started = perf_counter_ns()


def _before(
    _connection: object, _cursor: object, statement: Any, parameters: Any, context: Any, executemany: bool
) -> None:
    scope = hooks.receiver()
    if scope is None or context is None:
        return
    batch = batch_of(context)
    known = continue_batch(context) if batch else None
    if batch:
        statement, parameters = context.statement, context.parameters
    watch = known or begin(scope, statement, parameters, context, batch=executemany)
    if watch is not None:
        context._dbprofile_flight = _Flight(watch, continues=known is not None)


def _after(
    _connection: object, cursor: Any, _statement: object, _parameters: object, context: Any, executemany: bool
) -> None:
    flight = _landed(context)
    if flight is None:
        return
    if flight.continues:
        hooks.again(flight.watch, (perf_counter_ns() - flight.started) * 1e-9)
        return
    end(flight.watch, context, cursor, batch=executemany)
    if batch_of(context):
        keep_batch(context, flight.watch)


def _failed(failure: Any) -> None:
    flight = _landed(failure.execution_context)
    if flight is None:
        return
    error = failure.original_exception
    if flight.continues:
        flight.watch.query.error = type(error).__name__
    else:
        fail(flight.watch, failure.execution_context, error)


def _landed(context: Any) -> _Flight | None:
    flight: _Flight | None = getattr(context, "_dbprofile_flight", None)
    if flight is not None:
        context._dbprofile_flight = None
    return flight


_LISTENERS: Final[tuple[tuple[str, Callable[..., object]], ...]] = (
    ("before_cursor_execute", _before),
    ("after_cursor_execute", _after),
    ("handle_error", _failed),
)


def listens(target: Any) -> bool:
    """Whether this door is open on an engine, or on the class."""
    return event.contains(target, *_LISTENERS[0])


def listen(target: Any) -> None:
    """Open the door. Idempotent."""
    for name, listener in _LISTENERS:
        if not event.contains(target, name, listener):
            event.listen(target, name, listener)


def unlisten(target: Any) -> None:
    """Close it. Idempotent."""
    for name, listener in _LISTENERS:
        if event.contains(target, name, listener):
            event.remove(target, name, listener)
