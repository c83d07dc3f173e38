"""The other door: the documented events before and after a cursor executes, for versions without the cheaper one.

Who listens here is told that a statement is about to be sent, and what the driver answered; where another listener raises in between, or
an execution option keeps errors from listeners, nobody tells the rest. Such statements are counted as unfinished.
"""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from dbprofile import hooks
from dbprofile_sqlalchemy.statements import batch_of, begin, continue_batch, end, fail, fail_batch, keep_batch

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["listen", "listens", "unlisten"]

#: The methods of a dialect that call the driver: an exception that did not pass one of them was raised before, or by a listener.
_DRIVER_CALLS: Final = frozenset({"do_execute", "do_executemany", "do_execute_no_params"})


class _Flight:
    """A driver call under way: the statement's watch, whether it only continues a batch, and when it began."""

    __slots__ = ("continues", "started", "watch")

    def __init__(self, watch: hooks.Stopwatch, *, continues: bool) -> None:
        self.watch = watch
        self.continues = continues
        self.started = perf_counter_ns()


@hooks.guarded("sqlalchemy.before", None, hot=True)
def _before(
    _connection: object, _cursor: object, statement: Any, parameters: Any, context: Any, executemany: bool
) -> None:
    scope = hooks.receiver()
    if scope is None:
        return
    if context is None:
        hooks.count_untracked()
        return
    batch = batch_of(context)
    known = continue_batch(context) if batch else None
    if batch:
        statement, parameters = context.statement, context.parameters
    watch = known or begin(scope, statement, parameters, context, batch=executemany)
    if watch is not None:
        watch.lane.unfinished += 1
        context._dbprofile_flight = _Flight(watch, continues=known is not None)


@hooks.guarded("sqlalchemy.after", None, hot=True)
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


@hooks.guarded("sqlalchemy.failed", None)
def _failed(failure: Any) -> None:
    error = failure.original_exception
    flight = _landed(failure.execution_context, told=_was_sent(error))
    if flight is None:
        return
    if flight.continues:
        fail_batch(flight.watch, flight.started, error)
    else:
        fail(flight.watch, failure.execution_context, error)


def _was_sent(error: BaseException) -> bool:
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name in _DRIVER_CALLS:
            return True
        traceback = traceback.tb_next
    return False


def _landed(context: Any, *, told: bool = True) -> _Flight | None:
    """The driver call that is over; ``None`` if there is none, or nobody can tell how it ended."""
    flight: _Flight | None = getattr(context, "_dbprofile_flight", None)
    if flight is None:
        return None
    context._dbprofile_flight = None
    if not told:
        return None
    flight.watch.lane.unfinished -= 1
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
