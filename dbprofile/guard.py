"""Fail open: a fault of ours is logged once for each place and class, and never reaches the application.

This is the only module with a broad ``except``. A place that has failed a hundred times switches itself off and says so once.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAULT_LIMIT", "faults", "guarded", "reraising", "reset_faults", "unguarded"]

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

#: After so many failures a place switches itself off.
FAULT_LIMIT = 100

_log = logging.getLogger("dbprofile")
_lock = threading.Lock()
_reraise = False


class _Place:
    """One guarded function: how often it failed, and with which classes of exception."""

    __slots__ = ("classes", "failures", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.failures = 0
        self.classes: set[type[BaseException]] = set()

    def fault(self, error: Exception) -> None:
        with _lock:
            self.failures += 1
            failures = self.failures
            told = type(error) in self.classes
            self.classes.add(type(error))
        if not told:
            # Not the message: it may quote SQL or values. The traceback's lines are code, and say where.
            _log.error("dbprofile: %s failed with %s; the application is not affected", self.name, _traced(error))
        if failures == FAULT_LIMIT:
            _log.error("dbprofile: %s failed %d times and is now switched off", self.name, failures)


def _traced(error: Exception) -> str:
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        places.append(f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return f"{type(error).__qualname__} at {places[-1] if places else 'an unknown place'}"


_places: dict[str, _Place] = {}


def guarded(name: str, default: D) -> Callable[[Callable[P, R]], Callable[P, R | D]]:
    """Decorate a function of ours that the application's thread runs.

    Args:
        name: the place, as the log line names it.
        default: what the caller gets where the function fails or has switched itself off.

    The wrapped function is kept as ``__wrapped__``. ``BaseException``s that are no ``Exception`` (``KeyboardInterrupt``,
    ``CancelledError``) pass through: they are the application's.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R | D]:
        place = _places.setdefault(name, _Place(name))

        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R | D:
            if place.failures >= FAULT_LIMIT:
                return default
            try:
                return function(*args, **keywords)
            except Exception as error:
                if _reraise:
                    raise
                place.fault(error)
                return default

        return call

    return decorate


def unguarded(function: Callable[P, R]) -> Callable[P, R]:
    """The function inside a guard, for callers on the hot path that stand inside a guard of their own."""
    inner: Callable[P, R] = getattr(function, "__wrapped__", function)
    return inner


def faults() -> dict[str, int]:
    """How often each place has failed, for places that failed at all."""
    return {name: place.failures for name, place in _places.items() if place.failures}


def reset_faults() -> None:
    """Forget all failures, so that places that switched themselves off are on again."""
    for place in _places.values():
        place.failures = 0
        place.classes.clear()


def reraising(on: bool) -> None:
    """Raise faults instead of swallowing them: for the tests of dbprofile itself."""
    global _reraise
    _reraise = on
