"""ignore(): a block or a function whose queries carry what is not to be said of them. Nothing stops being recorded."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast

from dbprofile.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Ignored", "entered", "ignore", "ignored_here"]

P = ParamSpec("P")
R = TypeVar("R")


class Ignored(NamedTuple):
    """What a block ignores."""

    codes: tuple[str, ...]
    relation: str | None
    reason: str
    outer: Ignored | None
    """What the block round it ignores."""


_current: ContextVar[Ignored | None] = ContextVar("dbprofile_ignored", default=None)
#: Blocks that are entered, in any thread: while there is none no statement asks for the variable.
entered = 0
_lock = threading.Lock()


def ignored_here() -> Ignored | None:
    """What a statement of this moment carries."""
    return _current.get()


class ignore:  # noqa: N801 - reads as a function: with ignore("DBP101")
    """Say nothing of these codes about queries that start in a block or a function; async ones and generators too.

    ::

        with dbprofile.ignore("DBP101", relation="Book.author", reason="two rows at most"):
            ...

        @dbprofile.ignore("DBP121", reason="signals must run")
        def import_books(): ...

    A finding is silenced if all its queries carry it. It is still listed, under what is silenced.

    Args:
        codes: codes of findings, at least one.
        relation: only findings of this relation.
        reason: why, for whoever reads it next.

    Raises:
        ConfigurationError: without a code, or for what is none.
    """

    def __init__(self, *codes: str, relation: str | None = None, reason: str = "") -> None:
        if not codes:
            raise ConfigurationError('dbprofile: ignore() needs a code: ignore("DBP101", reason="…")')
        for code in codes:
            if not str(code).startswith("DBP"):
                raise ConfigurationError(f'dbprofile: ignore({code!r}): a code is written "DBP101"')
        self._codes = codes
        self._relation = relation
        self._reason = reason

    def __enter__(self) -> None:
        global entered
        with _lock:
            entered += 1
        _current.set(Ignored(self._codes, self._relation, self._reason, _current.get()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        global entered
        with _lock:
            entered -= 1
        # By what is current and not by a token: one block may be entered by several tasks at once.
        innermost = _current.get()
        _current.set(innermost.outer if innermost is not None else None)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Ignore in each call of a function; of a generator in each of its steps."""
        called: Any = function
        if inspect.isasyncgenfunction(function):

            @functools.wraps(function)
            async def wrapper(*args: P.args, **keywords: P.kwargs) -> Any:
                steps = called(*args, **keywords)
                try:
                    while True:
                        with self:
                            try:
                                item = await anext(steps)
                            except StopAsyncIteration:
                                return
                        yield item
                finally:
                    with self:
                        await steps.aclose()

        elif inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def wrapper(*args: P.args, **keywords: P.kwargs) -> Any:
                steps = called(*args, **keywords)
                try:
                    while True:
                        with self:
                            try:
                                item = next(steps)
                            except StopIteration as end:
                                return end.value
                        yield item
                finally:
                    with self:
                        steps.close()

        elif inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def wrapper(*args: P.args, **keywords: P.kwargs) -> Any:
                with self:
                    return await called(*args, **keywords)

        else:

            @functools.wraps(function)
            def wrapper(*args: P.args, **keywords: P.kwargs) -> Any:
                with self:
                    return called(*args, **keywords)

        return cast("Callable[P, R]", wrapper)
