"""record() and Recording: a block whose queries can be read while it is open. Also a decorator, of plain and async functions."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from dbprofile.output.renderers import text
from dbprofile.profiler import Profiler, default_profiler
from dbprofile.settings import project_root

if TYPE_CHECKING:
    from types import TracebackType

    from dbprofile.capture.query import Query
    from dbprofile.capture.scope import Scope
    from dbprofile.findings.finding import Finding
    from dbprofile.findings.report import Report

__all__ = ["Recording", "record"]

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


class record:  # noqa: N801 - reads as a function: with record("import orders") as recording
    """Record the queries of a block or a function.

    ::

        with dbprofile.record("import orders") as recording:
            import_orders()
        print(recording)

    Args:
        name: what people read; of a decorated function its qualified name by default.
        profiler: whose rules and sinks; the default Profiler otherwise.
    """

    def __init__(self, name: str | None = None, *, profiler: Profiler | None = None) -> None:
        self._name = name
        self._profiler = profiler
        self._open: list[Recording] = []

    def __enter__(self) -> Recording:
        profiler = self._profiler or default_profiler()
        scope = profiler.scope("block", self._name or "block")
        scope.__enter__()
        recording = Recording(scope, profiler)
        self._open.append(recording)
        return recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        recording = self._open.pop()
        scope = recording._scope  # noqa: SLF001 - the recording is ours
        scope.__exit__(kind, error, traceback)
        recording._finish()  # noqa: SLF001 - as above

    async def __aenter__(self) -> Recording:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Record each call of a function, async functions included."""
        name = self._name or function.__qualname__

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: P.args, **keywords: P.kwargs) -> Any:
                with record(name, profiler=self._profiler):
                    return await function(*args, **keywords)

            return cast("Callable[P, R]", call_async)

        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R:
            with record(name, profiler=self._profiler):
                return function(*args, **keywords)

        return call
