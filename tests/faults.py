"""Faults put into our own functions, one at a time: what an application must not notice.

A function is made to fail by its code, so that it fails whoever calls it by whatever name. Which functions run at all, and whether a
guard stands between them and the application, is seen while the pages of a shop are visited.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any, Final, Self

from asgiref.sync import SyncToAsync

from dbprofile import guard
from dbprofile.capture import scope, stack

__all__ = ["Fault", "Place", "all_names", "forget_everything", "forget_faults", "places", "told"]


class OurError(Exception):
    """Ours, and nobody else's."""

    raised = 0

    def __init__(self) -> None:
        OurError.raised += 1


@dataclass
class Place:
    """One function of ours that ran."""

    name: str
    code: CodeType
    functions: list[FunctionType] = field(default_factory=list)
    """Those made of the code: one, but for closures."""
    pages: set[str] = field(default_factory=set)
    """Where it ran."""
    contained: bool = True
    """A guard stood below it each time."""


# --- what runs ------------------------------------------------------------------------------------------------------

#: Code that runs as a part of the function it is written in, or that only defines others.
_PARTS: Final = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>", "<module>"})
#: Between a guard and a function of ours these may stand.
_BETWEEN: Final = frozenset({"contextlib", "functools", "dataclasses"})


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "dbprofile" or module.startswith("dbprofile_")


def _is_contained(frame: FrameType) -> bool:
    outer = frame.f_back
    while outer is not None:
        module = _module(outer)
        if module == guard.__name__:
            return True
        if not _is_ours(module) and module not in _BETWEEN:
            return False
        outer = outer.f_back
    return False


def places(pages: Mapping[str, Callable[[], object]]) -> list[Place]:
    """The functions of ours that run when these pages are visited, in the threads that there are and in new ones."""
    seen: dict[int, Place] = {}
    page = ""

    def look(frame: FrameType, what: str, _argument: object) -> None:
        code = frame.f_code
        if what != "call" or code.co_name in _PARTS:
            return
        module = _module(frame)
        if not _is_ours(module) or module == guard.__name__:
            return
        place = seen.get(id(code))
        if place is None:
            place = seen[id(code)] = Place(f"{module}.{code.co_qualname}", code)
        place.pages.add(page)
        place.contained = place.contained and _is_contained(frame)

    with _everywhere(look):
        for page, visit in pages.items():  # noqa: B007 - the look-out reads it
            visit()
    for function in gc.get_objects():
        if type(function) is FunctionType and id(function.__code__) in seen:
            seen[id(function.__code__)].functions.append(function)
    return sorted(seen.values(), key=lambda place: place.name)


def all_names() -> set[str]:
    """The names of all functions of ours that are loaded, with those defined inside them."""
    codes = [
        (function.__module__, function.__code__)
        for function in gc.get_objects()
        if type(function) is FunctionType and _is_ours(str(function.__module__))
    ]
    names = set()
    while codes:
        module, code = codes.pop()
        names.add(f"{module}.{code.co_qualname}")
        codes += [(module, inner) for inner in code.co_consts if isinstance(inner, CodeType)]
    return names


@contextmanager
def _everywhere(look: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    """Look at the calls of this thread, of threads that start meanwhile, and of the one that does Django's synchronous work."""
    executor = SyncToAsync.single_thread_executor
    executor.submit(sys.setprofile, look).result()
    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        executor.submit(sys.setprofile, None).result()


_Cached: Final = type(lru_cache(len))
#: Tables whose making takes longer than all else: they are the same for every text.
_DEAR: Final = frozenset({"dbprofile.sql.patterns", "dbprofile.sql.dialects"})


def forget_everything() -> None:
    """Empty our caches too, so that what fills them runs again."""
    for module in [module for name, module in sys.modules.items() if _is_ours(name) and name not in _DEAR]:
        for value in vars(module).values():
            if type(value) is _Cached:
                value.cache_clear()
    stack.set_application_paths(())
    stack._known_steps.clear()
    forget_faults()


def forget_faults() -> None:
    """Forget the faults that were, and what they left behind: a scope that could not be left."""
    guard.reset_faults()
    scope._CURRENT.set(None)


# --- faults ---------------------------------------------------------------------------------------------------------


def _failing_code(function: FunctionType) -> CodeType:
    """Code that raises, for a function with these free variables."""
    free = [f"_{number}" for number in range(len(function.__code__.co_freevars))]
    source = f"""
def make({", ".join(free)}):
    def fail(*_arguments, **_keywords):
        {", ".join(free) or "None"}
        raise "an exception"
    return fail
"""
    names: dict[str, Any] = {}
    exec(source, names)
    code: CodeType = names["make"](*free).__code__
    # The globals are those of the function: the exception has to be a constant.
    return code.replace(co_consts=tuple(OurError if value == "an exception" else value for value in code.co_consts))


class Fault:
    """While this block is open a function fails each time it is called.

    Args:
        place: the function.
        forget: called when the block is entered.
    """

    def __init__(self, place: Place, forget: Callable[[], None]) -> None:
        self._forget = forget
        self._originals = [(function, function.__code__) for function in place.functions]
        self._before = OurError.raised

    @property
    def raised(self) -> int:
        """How often it did so far."""
        return OurError.raised - self._before

    def __enter__(self) -> Self:
        self._forget()
        for function, _ in self._originals:
            function.__code__ = _failing_code(function)
        return self

    def __exit__(self, *_error: object) -> None:
        for function, code in self._originals:
            function.__code__ = code


@contextmanager
def told() -> Iterator[list[str]]:
    """What dbprofile says of its own faults."""
    messages: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR:
                messages.append(record.getMessage())

    handler = Handler()
    log = logging.getLogger("dbprofile")
    log.addHandler(handler)
    try:
        yield messages
    finally:
        log.removeHandler(handler)
