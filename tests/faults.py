"""Faults put into our own functions, one at a time: what an application must not notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import getmembers, isclass, isfunction
from types import FunctionType, ModuleType
from typing import Any

import pytest

from dbprofile import guard, streaming
from dbprofile.capture import scope as capture
from dbprofile.capture.scope import Scope
from dbprofile.profiler import Profiler

UNGUARDED: list[tuple[Any, str]] = [
    *((Scope, name) for name in ("__init__", "entered", "lane", "record", "profile")),
    *((Profiler, name) for name in ("scope", "wants", "report")),
    (capture, "enclosing_scope"),
    (capture, "_root_frame"),
    (capture, "_reset"),
]
"""Functions of the core that run while a request is served, called by guarded ones."""


class OurError(Exception):
    """Ours, and nobody else's."""


def guarded_functions(owner: Any) -> list[FunctionType]:
    """The guarded functions that a module and its classes, or a class, define or use."""
    found = [
        function
        for _, function in getmembers(owner, isfunction)
        if function.__globals__.get("__name__") == guard.__name__ and hasattr(function, "__wrapped__")
    ]
    for _, defined in getmembers(owner, isclass):
        if defined is not owner and defined.__module__ == getattr(owner, "__name__", None):
            found += guarded_functions(defined)
    return found


def _raise(*arguments: object, **keywords: object) -> object:
    raise OurError


@contextmanager
def fault_in(function: Callable[..., object]) -> Iterator[None]:
    """A guarded function fails inside its guard."""
    assert isinstance(function, FunctionType)
    cell = (function.__closure__ or ())[function.__code__.co_freevars.index("function")]
    original = cell.cell_contents
    cell.cell_contents = _raise
    try:
        yield
    finally:
        cell.cell_contents = original


@contextmanager
def fault_at(owner: Any, name: str) -> Iterator[None]:
    """A function that is called by guarded ones fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, _raise)
        yield


def faults(*adapters: ModuleType) -> list[Any]:
    """The faults that concern an adapter with these modules, as parameters of a test."""
    guarded = dict.fromkeys(
        function for owner in (streaming, Scope, Profiler, *adapters) for function in guarded_functions(owner)
    )
    return [
        *(pytest.param(partial(fault_in, function), id=function.__qualname__) for function in guarded),
        *(pytest.param(partial(fault_at, owner, name), id=f"{owner.__name__}.{name}") for owner, name in UNGUARDED),
    ]
