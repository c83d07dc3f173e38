"""assert_queries() and record_queries(): blocks whose queries are recorded, and compared with what is expected of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypedDict, TypeVar, cast

from dbprofile.capture.objects import held_objects, release_objects
from dbprofile.errors import ConfigurationError
from dbprofile.testing.counts import Count
from dbprofile.testing.expectations import NOTHING, Expectations
from dbprofile.testing.listing import failure_text
from dbprofile.testing.log import ALL, QueryLog
from dbprofile.testing.nesting import around, begin, end, overlapping
from dbprofile.testing.project import current_project, profiler_of_tests
from dbprofile.testing.sources import install_imported, known_libraries, missed_libraries, observed_libraries

if TYPE_CHECKING:
    from types import TracebackType

    from dbprofile.capture.scope import Scope

__all__ = ["Keywords", "QueryBlock", "assert_queries", "on_unraised", "record_queries"]

P = ParamSpec("P")
R = TypeVar("R")

_unraised: Callable[[str], object] | None = None
_NO_TABLES: Final[Mapping[str | type, Count]] = {}
_NO_STATEMENTS: Final[Mapping[str, Count]] = {}


class Keywords(TypedDict, total=False):
    """The keywords of ``assert_queries``, for functions that pass them on."""

    max: int | None
    min: int | None
    select: Count | None
    insert: Count | None
    update: Count | None
    delete: Count | None
    tables: Mapping[str | type, Count]
    statements: Mapping[str, Count]
    nplusone: bool | None
    duplicates: bool | None
    slow: float | None
    db_time: float | None
    ignore: Sequence[str]
    using: str | Sequence[str]
    count: Literal["app", "all"] | None
    threads: Literal["all", "same"]
    fresh: bool
    note: str


def assert_queries(
    n: Count | None = None,
    *,
    max: int | None = None,  # noqa: A002 - the words that read best where they are written
    min: int | None = None,  # noqa: A002 - as above
    select: Count | None = None,
    insert: Count | None = None,
    update: Count | None = None,
    delete: Count | None = None,
    tables: Mapping[str | type, Count] = _NO_TABLES,
    statements: Mapping[str, Count] = _NO_STATEMENTS,
    nplusone: bool | None = None,
    duplicates: bool | None = None,
    slow: float | None = None,
    db_time: float | None = None,
    ignore: Sequence[str] = (),
    using: str | Sequence[str] = ALL,
    count: Literal["app", "all"] | None = None,
    threads: Literal["all", "same"] = "all",
    fresh: bool = False,
    note: str = "",
) -> QueryBlock:
    """Fail unless a block sends the queries that are expected of it.

    ::

        with assert_queries(2):
            client.get("/orders/")

    A context manager, also for ``async with``, that yields the ``QueryLog``; and a decorator of plain and async functions. All
    expectations are checked when the block ends without an exception; nothing is raised inside the application.

    Args:
        n: exactly so many queries, or ``at_most(3)``, ``at_least(1)``, ``between(2, 4)``.
        max: at most so many.
        min: at least so many.
        select: how many of this kind, by the statement's verb.
        insert: as above; ``WITH ... INSERT`` is an insert.
        update: as above.
        delete: as above.
        tables: how many name a table: its name, a Django model or a class mapped by SQLAlchemy.
        statements: how many have a shape that matches; only ``*`` is special.
        nplusone: ``False``: no N+1 of the application. ``True``: any. ``None``: as the project's setting has it.
        duplicates: ``False``: no question asked twice.
        slow: seconds that one query may take.
        db_time: seconds that the database may be busy.
        ignore: codes or subjects (globs) of findings that may be: ``["DBP102", "Order.*"]``.
        using: Django aliases or names of SQLAlchemy engines.
        count: ``app`` counts what the application asked for, ``all`` transaction control and connection set-up too; ``app`` unless
            the project has it otherwise.
        threads: ``same`` leaves out threads that run outside any context of ours, for blocks that overlap.
        fresh: before the block, what the Sessions of SQLAlchemy hold is flushed and let go, uncounted, so that no identity map hides
            a load. Objects that the test holds are detached then.
        note: a text for the message.

    Raises:
        AssertionError: names the culprit in its first line.
        ConfigurationError: for a value that cannot be meant.
    """
    expectations = Expectations.of(
        n,
        most=max,
        least=min,
        kinds={"select": select, "insert": insert, "update": update, "delete": delete},
        tables=tables,
        statements=statements,
        nplusone=nplusone,
        duplicates=duplicates,
        slow=slow,
        db_time=db_time,
        ignore=ignore,
    )
    return QueryBlock(expectations, using=using, count=count, threads=threads, fresh=fresh, note=note)


def record_queries(
    *,
    using: str | Sequence[str] = ALL,
    count: Literal["app", "all"] | None = None,
    threads: Literal["all", "same"] = "all",
    fresh: bool = False,
) -> QueryBlock:
    """Record the queries of a block without expecting anything; the keywords are those of ``assert_queries``."""
    return QueryBlock(NOTHING, using=using, count=count, threads=threads, fresh=fresh)


class QueryBlock:
    """A block of code whose queries are recorded and checked. Each use of it is a block of its own.

    Args:
        expectations: what is checked at the end.
        kind, name: of the scope that it opens; ``test`` for the body of a test.
        log: filled instead of a new one.
    """

    def __init__(
        self,
        expectations: Expectations,
        *,
        using: str | Sequence[str] = ALL,
        count: str | None = None,
        threads: str = "all",
        fresh: bool = False,
        note: str = "",
        kind: str = "block",
        name: str = "assert_queries",
        log: QueryLog | None = None,
    ) -> None:
        if count not in {None, "app", "all"}:
            raise ConfigurationError(f"count={count!r} is neither 'app' nor 'all'")
        if threads not in {"all", "same"}:
            raise ConfigurationError(f"threads={threads!r} is neither 'all' nor 'same'")
        self._expectations = expectations
        self._using = using
        self._count = count
        self._threads = threads
        self._fresh = fresh
        self._note = note
        self._kind = kind
        self._name = name
        self._log = log
        self._open: list[QueryLog] = []

    def __enter__(self) -> QueryLog:
        __tracebackhide__ = True
        if self._kind == "block":
            install_imported()
            if self._fresh:
                release_objects()
        profiler = profiler_of_tests()
        log = self._log or QueryLog(profiler, using=self._using, count=self._count or current_project().count)
        scope = profiler.scope(self._kind, self._name, reach="process" if self._threads == "all" else "context")
        log.follow(scope, held_objects() if self._kind == "block" else ())
        begin(log, scope)
        self._open.append(log)
        scope.__enter__()
        return log

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        log = self._open.pop()
        scope = cast("Scope", log.scope)
        scope.__exit__(kind, error, traceback)
        log.finish()
        overlaps = end(log, scope)
        if self._expectations.nplusone:
            for outer in around(scope):
                outer.allow(log.profile.queries)
        text = self._failure(log)
        if error is None:
            if overlaps:
                raise overlapping()
            if text:
                raise AssertionError(text)
        elif text and isinstance(error, Exception) and _unraised is not None:
            # The body's own failure wins; this is told beside it.
            _unraised(text)

    async def __aenter__(self) -> QueryLog:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.__exit__(kind, error, traceback)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Check each call of a function, async functions included.

        Raises:
            ConfigurationError: for a class or a generator: their bodies run at other times than they are called.
        """
        if inspect.isclass(function) or inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ConfigurationError(f"{function!r} is no plain or async function: write a with-block inside it")

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: P.args, **keywords: P.kwargs) -> Any:
                __tracebackhide__ = True
                async with self._again():
                    return await function(*args, **keywords)

            return cast("Callable[P, R]", call_async)

        @functools.wraps(function)
        def call(*args: P.args, **keywords: P.kwargs) -> R:
            __tracebackhide__ = True
            with self._again():
                return function(*args, **keywords)

        return call

    def _again(self) -> QueryBlock:
        # Calls that run at the same time must not share the list of what is open.
        block = copy(self)
        block._open = []  # noqa: SLF001 - a block of our own
        return block

    def _failure(self, log: QueryLog) -> str:
        if self._expectations is NOTHING:
            outcome = None
        else:
            logs = (log, *around(cast("Scope", log.scope)))
            tolerated = [pattern for each in logs for pattern in each.tolerated]
            outcome = self._expectations.check(
                log, forbids_nplusone=current_project().forbids_nplusone, tolerated=tolerated
            )
        if self._kind == "block":
            missed = missed_libraries()
            if missed:
                return _MISSED.format(" and ".join(missed))
            if log.is_empty and not observed_libraries():
                return _NO_SOURCE.format(", ".join(known_libraries()))
        return "" if outcome is None or outcome.holds else failure_text(log, outcome, self._note)


_MISSED: Final = "{} was first imported inside the block, so that its queries were not seen: import it before the block"
_NO_SOURCE: Final = (
    "no query could be seen: no library that sends queries is imported. Import it before the block; if it is none of {}, "
    "install its adapter"
)


def on_unraised(tell: Callable[[str], object] | None) -> None:
    """Hear of the messages of blocks that were left by an exception; ``None`` ends it."""
    global _unraised
    _unraised = tell
