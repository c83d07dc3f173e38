"""Waiting: the coroutines that wait for the running task. Its stack ends at the event loop; theirs say which line began it.

A task of ``gather()``, a task group or ``wait_for()`` was made by a line that is on no stack any more. Whoever waits for the task has
left a callback on it, and is suspended at that line.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

__all__ = ["is_loop", "waiting_frames"]

#: Functions of the standard library at which the stack of a task ends: the first, and those that are left of it under other loops.
_LOOPS: Final = frozenset(
    {
        ("asyncio.events", "_run"),
        ("asyncio.base_events", "run_forever"),
        ("asyncio.base_events", "run_until_complete"),
        ("asyncio.runners", "run"),
    }
)
#: Tasks that wait for one another, and futures between two of them, that are followed.
_TASKS: Final = 20
_FUTURES: Final = 5


def is_loop(frame: FrameType) -> bool:
    """Whether a frame is that of an event loop, which runs a task above it."""
    return (frame.f_globals.get("__name__"), frame.f_code.co_name) in _LOOPS


def waiting_frames() -> Iterator[FrameType]:
    """The suspended frames of the coroutines that wait for the running task, innermost first."""
    events, tasks = sys.modules.get("asyncio.events"), sys.modules.get("asyncio.tasks")
    loop = events._get_running_loop() if events is not None else None  # noqa: SLF001 - the documented way raises
    task = tasks.current_task(loop) if loop is not None and tasks is not None else None
    for _ in range(_TASKS):
        task = _waiting_for(task) if task is not None else None
        if task is None:
            return
        yield from reversed(list(_suspended(task.get_coro())))


def _suspended(coroutine: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine and of what it awaits, outermost first; an asynchronous generator hides what is in it."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            return
        yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)


def _waiting_for(future: Any, passed: tuple[Any, ...] = ()) -> Any | None:
    """The task that goes on when a future is done; ``None`` where nobody waits, or not in a way that is known."""
    task_type: Any = sys.modules["asyncio.tasks"].Task
    passed = (*passed, future)
    for callback, _context in getattr(future, "_callbacks", None) or ():
        for held in _held_by(callback):
            if any(held is known for known in passed):
                continue
            if isinstance(held, task_type):
                return held
            group = getattr(held, "_parent_task", None)  # of asyncio's task groups
            if group is None:
                group = getattr(getattr(held, "cancel_scope", None), "_host_task", None)  # of anyio's
            if group is not None:
                return group
            follow = len(passed) < _FUTURES and hasattr(held, "_callbacks")
            found = _waiting_for(held, passed) if follow else None
            if found is not None:
                return found
    return None


def _held_by(callback: Any) -> Iterator[Any]:
    """What a callback will tell: the object that it is a method of, its arguments, or what its function encloses."""
    yield getattr(callback, "__self__", None)
    yield from getattr(callback, "args", ())
    for cell in getattr(callback, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:
            continue  # it is not set yet
