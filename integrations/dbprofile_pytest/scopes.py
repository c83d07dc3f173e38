"""A scope for the body of each test: plain and async functions, methods of unittest.TestCase, examples of Hypothesis."""

from __future__ import annotations

import functools
import inspect
from collections import Counter as Tally
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from dbprofile import ConfigurationError
from dbprofile.hooks import guarded
from dbprofile.testing import QueryBlock, QueryLog
from dbprofile.testing.blocks import on_unraised
from dbprofile.testing.expectations import NOTHING, not_ignored
from dbprofile.testing.project import profiler_of_tests
from dbprofile.testing.sources import install_imported
from dbprofile_pytest.captured import forget, observe
from dbprofile_pytest.gates import Gates, fail_in, marked_block, tolerated

if TYPE_CHECKING:
    from types import TracebackType

    from dbprofile.findings.finding import Finding

__all__ = ["GATES", "Body", "Run", "body_of", "new_body", "recorded", "replaced"]

#: What every test has to pass; absent where the plugin is told to keep out (``--no-queries``).
GATES: Final = pytest.StashKey[Gates]()
_BODY: Final = pytest.StashKey["Body"]()
#: Whether what pytest calls is the body itself, in the context of the call.
_PLAIN: Final = pytest.StashKey[bool]()


class Body:
    """What the body of one test has sent, over all examples of Hypothesis."""

    def __init__(self) -> None:
        self.log = QueryLog(profiler_of_tests())
        self.queries = 0
        self.not_counted: Tally[str] = Tally()
        self.loops: dict[tuple[str, str, str, str], Finding] = {}
        """The N+1 that are not tolerated, by identity."""
        self.met: set[str] = set()
        """The subjects that markers ``nplusone_ok`` name and that an N+1 had."""
        self.messages: list[str] = []
        """Of blocks that were left by an exception: that one fails the test, these are told beside it."""
        self.failed = False
        """Whether it ended with an exception, that of a skip included."""
        self.seen = False
        """Whether a run of it was recorded to its end."""


def new_body(item: pytest.Item) -> None:
    """Forget what an earlier run of the same test has sent."""
    item.stash[_BODY] = Body()


def body_of(item: pytest.Item) -> Body:
    """What the body of a test has sent so far."""
    if _BODY not in item.stash:
        new_body(item)
    return item.stash[_BODY]


class Run:
    """One run of a test's body, or of one example: recorded while it lasts, judged if it ends well."""

    def __init__(self, item: pytest.Item, gates: Gates | None) -> None:
        self._item = item
        self._gates = gates
        self._body = body_of(item)
        self._blocks: list[QueryBlock] = []

    def __enter__(self) -> None:
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        text = self._end(error)
        if text and error is None:
            function = getattr(self._item, "function", None)
            fail_in(inspect.unwrap(function) if callable(function) else None, text)

    @guarded("pytest.begin", None)
    def _begin(self) -> None:
        install_imported()
        observe()
        forget()
        body = self._body
        body.log.tolerated = tolerated(self._item)
        on_unraised(body.messages.append)
        self._enter(QueryBlock(NOTHING, kind="test", name=self._item.nodeid, log=body.log))
        marked = marked_block(self._item)
        if marked is not None:
            self._enter(marked)

    def _enter(self, block: QueryBlock) -> None:
        block.__enter__()
        self._blocks.append(block)

    @guarded("pytest.end", "")
    def _end(self, error: BaseException | None) -> str:
        failures = []
        blocks, self._blocks = self._blocks, []
        for block in reversed(blocks):
            try:
                block.__exit__(type(error) if error is not None else None, error, None)
            except (AssertionError, ConfigurationError) as failure:
                failures.append(str(failure))
        on_unraised(None)
        if blocks:
            self._sum_up()
        if self._gates is not None and not failures:
            failures.append(self._gates.failure(self._body.log, marked=len(blocks) > 1))
        return failures[0] if failures else ""

    def _sum_up(self) -> None:
        body, log = self._body, self._body.log
        body.seen = True
        if log.is_empty:
            return
        body.queries += log.count
        body.not_counted.update(log.not_counted)
        if self._gates is not None and self._gates.nplusone != "off":
            loops = log.nplusone()
            body.loops.update({loop.identity: loop for loop in not_ignored(loops, log.tolerated)})
            body.met.update(name for name in log.tolerated if len(not_ignored(loops, [name])) < len(loops))


def run_of(item: pytest.Item) -> Run | None:
    """The run that a test is about to begin; ``None`` if nobody wants to know."""
    gates = item.config.stash.get(GATES, None)
    if gates is None and "db_queries" not in getattr(item, "fixturenames", ()) and marked_block(item) is None:
        return None
    return Run(item, gates)


# --- where the body is not what pytest calls ------------------------------------------------------------------------


@contextmanager
def replaced(item: pytest.Item) -> Iterator[None]:
    """While pytest runs a test, let its body record itself where a scope round ``pytest_pyfunc_call`` would miss it.

    A coroutine runs in a context of its runner's; a method of a TestCase together with ``setUp`` and ``tearDown``; and under
    Hypothesis each example is a body of its own.
    """
    function = getattr(item, "obj", None)
    if not isinstance(item, pytest.Function) or function is None:
        yield
        return
    handle = getattr(function, "hypothesis", None)
    example = getattr(handle, "inner_test", None)
    owner: object
    if example is not None:
        owner, name, before = handle, "inner_test", example
    elif _is_method_of_testcase(item) or inspect.iscoroutinefunction(function):
        owner, name, before = item, "obj", function
    else:
        item.stash[_PLAIN] = True
        yield
        return
    item.stash[_PLAIN] = False
    recording = _recording(item, before)
    setattr(owner, name, recording)
    if owner is item and _is_method_of_testcase(item):
        # pytest-django runs the attribute of the instance; pytest itself replaces that one by the item's.
        setattr(item.instance, item.name, recording)
    try:
        yield
    finally:
        setattr(owner, name, before)
        if owner is item and _is_method_of_testcase(item):
            vars(item.instance).pop(item.name, None)


@contextmanager
def recorded(item: pytest.Function) -> Iterator[None]:
    """Round the call of a plain test function: the call is its body."""
    __tracebackhide__ = True
    run = run_of(item) if item.stash.get(_PLAIN, False) else None
    if run is None:
        yield
        return
    with run:
        yield


def _is_method_of_testcase(item: pytest.Function) -> bool:
    """Whether a test is a method of a ``unittest.TestCase``, which runs itself."""
    return hasattr(item.instance, "_testMethodName") and callable(getattr(item.instance, "run", None))


def _recording(item: pytest.Function, function: Callable[..., Any]) -> Callable[..., Any]:
    run = run_of(item)
    if run is None:
        return function

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def body_async(*args: Any, **keywords: Any) -> Any:
            __tracebackhide__ = True
            with run:
                return await function(*args, **keywords)

        return body_async

    @functools.wraps(function)
    def body(*args: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        with run:
            return function(*args, **keywords)

    return body
