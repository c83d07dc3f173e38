"""What a test of an adapter stands in: nobody else listens, faults of ours surface, and exceptions can be looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from dbprofile import guard, profiler
from dbprofile.capture import listening, scope
from dbprofile.capture.scope import made_current

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Outcome", "alone", "environment", "faults_swallowed", "outcome_of", "undisturbed"]


@contextmanager
def alone() -> Iterator[None]:
    """No scope is open round this block, no sink listens, no Profiler is the default one; a fault of ours is raised.

    A test may run under a scope of its own, which our plugin for pytest opens, and which would hear of everything.
    """
    processes, listeners, default = scope._processes, listening.listeners, profiler._default  # noqa: SLF001 - put back below
    scope._processes, listening.listeners = (), ()  # noqa: SLF001 - as above
    profiler.set_default_profiler(None)
    reraised = guard.reraising(True)
    guard.reset_faults()
    try:
        with made_current(None):
            yield
    finally:
        guard.reset_faults()
        guard.reraising(reraised)
        profiler.set_default_profiler(default)
        scope._processes, listening.listeners = processes, listeners  # noqa: SLF001 - as above


@contextmanager
def faults_swallowed() -> Iterator[None]:
    """Faults of ours are swallowed, as they are in an application."""
    reraised = guard.reraising(False)
    try:
        yield
    finally:
        guard.reraising(reraised)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Nothing is different inside."""
    yield


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Variables of the environment for the length of a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class Outcome:
    """What a call came to: a value, or the exception that left it."""

    value: object = None
    error: BaseException | None = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.error = error
        return True

    def __enter__(self) -> Self:
        return self

    @property
    def seen(self) -> object:
        """The same in a form that compares: of an exception its class and arguments."""
        return self.value if self.error is None else (type(self.error), self.error.args)


def outcome_of(call: Callable[..., object], *arguments: object, **keywords: object) -> Outcome:
    """Call a function and keep what comes of it, whatever that is."""
    with Outcome() as outcome:
        outcome.value = call(*arguments, **keywords)
    return outcome
