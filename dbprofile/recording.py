"""record() and Recording: a block whose queries can be read while it is open. Also a decorator, of functions and generators, async ones too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast, overload

from dbprofile.capture.scope import current_scope
from dbprofile.errors import ConfigurationError
from dbprofile.output.renderers import text
from dbprofile.profiler import Profiler, default_profiler
from dbprofile.settings import project_root

if TYPE_CHECKING:
    from types import TracebackType

    from dbprofile.capture.query import Query
    from dbprofile.capture.scope import Scope
    from dbprofile.findings.finding import Finding
    from dbprofile.findings.report import Report

__all__ = ["Block", "Recording", "record"]

P = ParamSpec("P")
R = TypeVar("R")


class Recording:
    """What a recorded block did: live inside the block, final after it. ``print(recording)`` is the text of the dev server."""

    def __init__(self, scope: Scope, profiler: Profiler) -> None:
        self._scope = scope
        self._profiler = profiler
        self._final: Report | None = None

    @property
    def report(self) -> Report:
        """The profile so far, judged so far."""
        if self._final is not None:
            return self._final
        return self._profiler.report(self._scope.profile())

    @property
    def query_count(self) -> int:
        """How many queries the application asked for."""
        return self.report.profile.query_count if self._final else self._scope.profile().query_count

    @property
    def queries(self) -> Sequence[Query]:
        """All statements, also those that do not count, in the order in which they began."""
        return self._final.profile.queries if self._final else self._scope.profile().queries

    @property
    def findings(self) -> Sequence[Finding]:
        """What is wrong, worst first."""
        return self.report.findings

    def _finish(self) -> None:
        self._final = self.report

    def __str__(self) -> str:
        return text.render([self.report], root=project_root())


class Block:
    """A block or a function that is recorded: what ``record()`` returns. One may be used any number of times, also at once."""

    def __init__(self, name: str | None, profiler: Profiler | None) -> None:
        self._name = name
        self._profiler = profiler
        self._open: dict[Scope, Recording] = {}

    def __enter__(self) -> Recording:
        recording = self._begin(self._name or "block")
        scope = recording._scope  # noqa: SLF001 - the recording is ours
        scope.__enter__()
        self._open[scope] = recording
        return recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # That of this thread and task; where it is left in another context than it was entered in, the newest.
        scope = current_scope()
        while scope is not None and scope not in self._open:
            scope = scope.outer
        scope = scope or next(reversed(self._open))
        recording = self._open.pop(scope)
        scope.__exit__(kind, error, traceback)
        recording._finish()  # noqa: SLF001 - as above

    async def __aenter__(self) -> Recording:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Record each call of a function; of a coroutine function until it returns, of a generator until it is exhausted."""
        name = self._name or function.__qualname__
        # Each is of the kind that it wraps: frameworks ask (a dependency that yields, a view that awaits).
        if inspect.isasyncgenfunction(function):
            return cast("Callable[P, R]", self._each_step_async(function, name))
        if inspect.isgeneratorfunction(function):
            return cast("Callable[P, R]", self._each_step(function, name))
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: P.args, **keywords: P.kwargs) -> Any:
                with Block(name, self._profiler):
                    return await function(*args, **keywords)

            return cast("Callable[P, R]", call_async)

        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R:
            with Block(name, self._profiler):
                return function(*args, **keywords)

        return call

    def _each_step(self, function: Callable[..., Generator[Any, Any, Any]], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def generate(*args: object, **keywords: object) -> Generator[Any, Any, Any]:
            scope = self._begin(name)._scope  # noqa: SLF001 - as above
            steps = function(*args, **keywords)
            resume: Callable[[Any], Any] = steps.send
            value: Any = None
            try:
                while True:
                    with scope.entered():
                        try:
                            item = resume(value)
                        except StopIteration as end:
                            return end.value
                    with _Thrown() as thrown:
                        value = yield item
                    resume, value = (steps.send, value) if thrown.error is None else (steps.throw, thrown.error)
            finally:
                with scope.entered():
                    steps.close()
                scope.close()

        return generate

    def _each_step_async(self, function: Callable[..., AsyncGenerator[Any, Any]], name: str) -> Callable[..., Any]:
        @functools.wraps(function)
        async def generate(*args: object, **keywords: object) -> AsyncGenerator[Any, Any]:
            scope = self._begin(name)._scope  # noqa: SLF001 - as above
            steps = function(*args, **keywords)
            resume: Callable[[Any], Any] = steps.asend
            value: Any = None
            try:
                while True:
                    with scope.entered():
                        try:
                            item = await resume(value)
                        except StopAsyncIteration:
                            return
                    with _Thrown() as thrown:
                        value = yield item
                    resume, value = (steps.asend, value) if thrown.error is None else (steps.athrow, thrown.error)
            finally:
                with scope.entered():
                    await steps.aclose()
                scope.close()

        return generate

    def _begin(self, name: str) -> Recording:
        profiler = self._profiler or default_profiler()
        return Recording(profiler.scope("block", name), profiler)


class _Thrown:
    """What a caller throws into a generator, kept to be thrown into the one inside it."""

    error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self.error = error
        return not isinstance(error, GeneratorExit)


@overload
def record(name: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def record(name: str | None = None, *, profiler: Profiler | None = None) -> Block: ...


def record(name: object = None, *, profiler: Profiler | None = None) -> object:
    """Record the queries of a block or a function.

    ::

        with dbprofile.record("import orders") as recording:
            import_orders()
        print(recording)

        @dbprofile.record()
        async def rebuild_index(): ...

    Args:
        name: what people read; of a decorated function its qualified name by default.
        profiler: whose rules and sinks; the default Profiler otherwise.

    Raises:
        ConfigurationError: for a name that is neither text nor a function.
    """
    if inspect.isroutine(name):
        return Block(None, profiler)(name)
    if name is not None and not isinstance(name, str):
        raise ConfigurationError(f"dbprofile: record() takes the name of a block, not {name!r}")
    return Block(name, profiler)
