"""The door for adapters that open scopes: bodies that run after their handler returned, each step inside its scope."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from dbprofile.capture.scope import Scope, current_scope
from dbprofile.guard import guarded
from dbprofile.profiler import Profiler, default_profiler, profiler_for

__all__ = [
    "AsyncBody",
    "Body",
    "Profiler",
    "Scope",
    "current_scope",
    "default_profiler",
    "guarded",
    "profiler_for",
]

T = TypeVar("T")


class Body(Generic[T]):
    """A body of which each step runs inside its scope; the scope closes with the body, exhausted or closed early.

    Args:
        body: the iterable that a handler returned; its own ``close`` is called.
        scope: an open scope.
    """

    def __init__(self, body: Iterable[T], scope: Scope) -> None:
        self._body = body
        self._scope = scope
        self._steps: Iterator[T] | None = None

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        scope = self._scope
        try:
            with scope.entered():
                if self._steps is None:
                    self._steps = iter(self._body)
                return next(self._steps)
        except BaseException:
            # StopIteration too: the last byte is out.
            scope.close()
            raise

    def close(self) -> None:
        """Close the body, inside its scope, then the scope."""
        try:
            with self._scope.entered():
                close = getattr(self._body, "close", None)
                if close is not None:
                    close()
        finally:
            self._scope.close()


class AsyncBody(Generic[T]):
    """The same for an asynchronous body."""

    def __init__(self, body: Any, scope: Scope) -> None:
        self._body = body
        self._scope = scope
        self._steps: AsyncIterator[T] | None = None

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        scope = self._scope
        try:
            with scope.entered():
                if self._steps is None:
                    self._steps = aiter(self._body)
                return await anext(self._steps)
        except BaseException:
            scope.close()
            raise

    async def aclose(self) -> None:
        """Close the body, inside its scope, then the scope."""
        try:
            with self._scope.entered():
                close = getattr(self._body, "aclose", None)
                if close is not None:
                    await close()
        finally:
            self._scope.close()
