"""Faults put into functions of ours, one at a time: what an application must not notice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from inspect import getmembers, isclass, isfunction
from types import FunctionType
from typing import Any

from dbprofile import guard

__all__ = ["Fault", "OurError", "fault_at", "fault_in", "guarded_functions", "named_faults"]

Fault = Callable[[], AbstractContextManager[None]]


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


def _raise(*_arguments: object, **_keywords: object) -> object:
    raise OurError


@contextmanager
def fault_in(function: FunctionType) -> Iterator[None]:
    """A guarded function fails inside its guard."""
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
    original = vars(owner)[name]
    setattr(owner, name, _raise)
    try:
        yield
    finally:
        setattr(owner, name, original)


def named_faults(owners: Iterable[Any], unguarded: Iterable[tuple[Any, str]]) -> dict[str, Fault]:
    """Each fault once, by the name of the function that fails.

    Args:
        owners: modules and classes, in whose guarded functions faults are put, inside their guards.
        unguarded: functions of the core, which guarded ones call; by owner and name.
    """
    guarded = dict.fromkeys(function for owner in owners for function in guarded_functions(owner))
    faults: dict[str, Fault] = {
        f"{function.__module__}.{function.__qualname__}": partial(fault_in, function) for function in guarded
    }
    faults.update({f"{owner.__name__}.{name}": partial(fault_at, owner, name) for owner, name in unguarded})
    return faults
