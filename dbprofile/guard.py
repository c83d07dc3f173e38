"""Fail open: a fault of ours is logged once for each place and class, and never reaches the application.

This is the only module with a broad ``except``. A place that has failed a hundred times switches itself off and says so once.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["FAULT_LIMIT", "faults", "gathering", "guarded", "reraising", "reset_faults", "unguarded"]

P = ParamSpec("P")
A = TypeVar("A")
R = TypeVar("R")
D = TypeVar("D")

#: After so many failures a place switches itself off.
FAULT_LIMIT = 100

_log = logging.getLogger("dbprofile")
_lock = threading.Lock()
_reraise = False


def _renew_lock() -> None:
    """In the child of a fork: a thread of the parent may have held it, and is not here to let it go."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


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


def _is_interruption(error: Exception) -> bool:
    """Whether a signal handler raised it, which happened to run while a function of ours did: a time limit is the application's."""
    signals: Any = sys.modules.get("signal")  # without it nobody has set a handler
    if signals is None:
        return False
    raised = set()
    traceback = error.__traceback__
    while traceback is not None:
        raised.add(traceback.tb_frame.f_code)
        traceback = traceback.tb_next
    return any(_code_of(signals.getsignal(number)) in raised for number in signals.valid_signals())


def _code_of(handler: Any) -> CodeType | None:
    while isinstance(handler, functools.partial):
        handler = handler.func
    if callable(handler) and not hasattr(handler, "__code__"):
        handler = type(handler).__call__
    code = getattr(handler, "__code__", None)
    return code if isinstance(code, CodeType) else None


_places: dict[str, _Place] = {}


def guarded(
    name: str, default: D, *, hot: bool = False, instead: Callable[..., Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R | D]]:
    """Decorate a function of ours that the application's thread runs.

    Args:
        name: the place, as the log line names it.
        default: what the caller gets where the function fails or has switched itself off.
        hot: it runs for each statement: a guard of its own signature, that packs no arguments, is a third of the price.
        instead: of a hot one, what is called with the same arguments where the function fails or is switched off: a smaller function,
            under a guard of its own. One guard round all that a statement needs is cheaper than one round each part.

    The wrapped function is kept as ``__wrapped__``. ``BaseException``s that are no ``Exception`` (``KeyboardInterrupt``,
    ``CancelledError``) pass through: they are the application's. So is what a signal handler raises that ran meanwhile.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R | D]:
        place = _places.setdefault(name, _Place(name))
        if hot:
            return _hot_guard(function, place, default, instead)

        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R | D:
            if place.failures >= FAULT_LIMIT:
                return default
            try:
                return function(*args, **keywords)
            except Exception as error:
                if _reraise or _is_interruption(error):
                    raise
                place.fault(error)
                return default

        return call

    return decorate


def gathering(functions: Iterable[tuple[str, Callable[[A], Iterable[R]]]]) -> Callable[[A], list[R]]:
    """Functions of one argument asked in turn, each under a guard of its own but without a call for it: what they answer, in one list.

    Args:
        functions: each with the name of its place.
    """
    asked = [(_places.setdefault(name, _Place(name)), function) for name, function in functions]

    def gather(argument: A) -> list[R]:
        found: list[R] = []
        for place, function in asked:
            if place.failures < FAULT_LIMIT:
                try:
                    found += tuple(function(argument))  # all that one has to say, or nothing
                except Exception as error:
                    if _reraise or _is_interruption(error):
                        raise
                    place.fault(error)
        return found

    return gather


_HOT_GUARD: Final = """
def make(function, _place, _limit, _default, _failed, _instead):
    def call({signature}):
        if _place.failures >= _limit:
            return {otherwise}
        try:
            return function({arguments})
        except Exception as _error:
            _failed(_error)
            return {otherwise}
    return call
"""


def _hot_guard(
    function: Any, place: _Place, default: D, instead: Callable[..., Any] | None = None
) -> Callable[P, Any | D]:
    """A guard written for one function, as ``dataclass`` writes an ``__init__``; for plain signatures without stars."""

    def failed(error: Exception) -> None:
        if _reraise or _is_interruption(error):
            raise  # noqa: PLE0704 - called while the exception is handled
        place.fault(error)

    signature, arguments = _parameters(function.__code__)
    otherwise = "_default" if instead is None else f"_instead({arguments})"
    source = _HOT_GUARD.format(signature=signature, arguments=arguments, otherwise=otherwise)
    names: dict[str, Any] = {"__name__": __name__}
    exec(source, names)  # noqa: S102 - of names out of our own code
    call = names["make"](function, place, FAULT_LIMIT, default, failed, instead)
    call.__defaults__, call.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
    guard: Callable[P, Any | D] = functools.wraps(function)(call)
    return guard


def _parameters(code: CodeType) -> tuple[str, str]:
    by_position = code.co_varnames[: code.co_argcount]
    by_name = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    star = ("*",) if by_name else ()
    return ", ".join((*by_position, *star, *by_name)), ", ".join(
        (*by_position, *(f"{name}={name}" for name in by_name))
    )


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


def reraising(on: bool) -> bool:
    """Raise faults instead of swallowing them: for the tests of dbprofile and of its adapters. Returns what was so before."""
    global _reraise
    before, _reraise = _reraise, on
    return before
