"""Following threads: what is started in a scope records into it. Opt-in, because it wraps two methods of the standard library.

Only our variable travels. Copying the whole context would change how tracing and decimal contexts behave in the application's threads.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Final

from dbprofile.capture.scope import made_current, travelling
from dbprofile.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from dbprofile.capture.scope import Scope

__all__ = ["follow_threads", "leave_threads"]

_METHODS: Final = ((threading.Thread, "start"), (ThreadPoolExecutor, "submit"))
_followers = 0
_originals: dict[str, Any] = {}


def follow_threads() -> None:
    """From now on threads, and what is submitted to a pool of them, belong to the scope that starts or submits them.

    Each call wants a ``leave_threads()``. Threads started below ``threading.Thread.start`` (by ``_thread``, by C code) are not seen.
    """
    global _followers
    _followers += 1
    if _followers == 1:
        for owner, name in _METHODS:
            original = _originals[name] = getattr(owner, name)
            setattr(owner, name, _following[name](original))


def leave_threads() -> None:
    """Undo one ``follow_threads()``; with the last one the standard library's methods are back."""
    global _followers
    _followers -= 1
    if _followers == 0:
        for owner, name in _METHODS:
            # Where somebody has wrapped ours since, theirs stays: it calls ours, which then finds nobody to follow.
            if getattr(getattr(owner, name), "__wrapped__", None) is _originals[name]:
                setattr(owner, name, _originals[name])


def _start(original: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(original)
    def start(self: threading.Thread) -> None:
        scope = travelling() if _followers else None
        if scope is not None:
            _send_along(self, scope)
        original(self)

    return start


@guarded("threads.start", None)
def _send_along(thread: threading.Thread, scope: Scope) -> None:
    if not thread.ident:  # one that was started already is an error that the original raises
        thread.run = partial(_run, scope, thread, thread.run)  # type: ignore[method-assign]


def _run(scope: Scope, thread: threading.Thread, run: Callable[[], None]) -> None:
    vars(thread).pop("run", None)  # or the thread would hold itself
    with made_current(scope):
        run()


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def submit(self: ThreadPoolExecutor, function: Callable[..., Any], /, *args: Any, **keywords: Any) -> Any:
        scope = travelling() if _followers else None
        if scope is None:
            return original(self, function, *args, **keywords)
        # The thread that the pool may start for this serves others later: it is no thread of this scope.
        with made_current(None):
            return original(self, partial(_call, scope, function), *args, **keywords)

    return submit


def _call(scope: Scope, function: Callable[..., Any], /, *args: Any, **keywords: Any) -> Any:
    with made_current(scope):
        return function(*args, **keywords)


_following: Final[dict[str, Callable[[Any], Any]]] = {"start": _start, "submit": _submit}
