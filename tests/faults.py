"""Faults put into our own functions, one at a time: what an application must not notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import getmembers, isfunction
from types import FunctionType
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


def guarded_functions(*owners: Any) -> list[FunctionType]:
    """The guarded functions that modules and classes define."""
    found = []
    for owner in owners:
        for _, function in getmembers(owner, isfunction):
            if function.__globals__.get("__name__") == guard.__name__ and hasattr(function, "__wrapped__"):
                found.append(function)
    return list(dict.fromkeys(found))


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


def faults(*adapters: Any) -> list[Any]:
    """The faults that concern an adapter, as parameters of a test.

    Args:
        adapters: its modules, and its classes with guarded methods.
    """
    guarded = [
        pytest.param(lambda function=function: fault_in(function), id=function.__qualname__)
        for function in guarded_functions(streaming, Scope, *adapters)
    ]
    return [
        *guarded,
        *(
            pytest.param(
                lambda owner=owner, name=name: fault_at(owner, name), id=f"{getattr(owner, '__name__', owner)}.{name}"
            )
            for owner, name in UNGUARDED
        ),
    ]
