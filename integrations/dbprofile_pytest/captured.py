"""Suites that count with Django's own blocks go on doing so: what such a block sent is told beside its failure.

``assertNumQueries`` and the fixtures of pytest-django are all made of one class. It is looked up where it was imported; it is
never imported for us.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from dbprofile.hooks import guarded
from dbprofile.testing import QueryBlock, QueryLog
from dbprofile.testing.expectations import NOTHING
from dbprofile.testing.listing import Listing
from dbprofile.testing.project import current_project

if TYPE_CHECKING:
    import pytest

__all__ = ["forget", "observe", "told_of_failure", "unobserve"]

#: How the failures of such blocks begin or go on, in Django's words and in those of pytest-django.
_FAILURES: Final = ("queries executed, ", "Expected to perform ")
_BLOCK: Final = "_dbprofile_block"

_undo: list[Callable[[], None]] = []
_last: list[QueryLog] = []


def observe() -> None:
    """Watch the blocks of Django once it is imported. Idempotent."""
    module = sys.modules.get("django.test.utils")
    if module is None or _undo:
        return
    captures: Any = getattr(module, "CaptureQueriesContext", None)
    if captures is not None:
        _watch(captures)


def unobserve() -> None:
    """Undo ``observe``. Idempotent."""
    forget()
    while _undo:
        _undo.pop()()


def forget() -> None:
    """Begin with a test: nothing was captured yet."""
    _last.clear()


@guarded("pytest.captured", "")
def told_of_failure(failure: pytest.ExceptionInfo[BaseException] | None) -> str:
    """What the block that failed sent; empty if it is no such failure."""
    if failure is None or not _last or not any(words in str(failure.value) for words in _FAILURES):
        return ""
    listing = Listing(_last[-1], current_project())
    return "\n".join([listing.summed_up(), *listing.lines()])


def _watch(captures: Any) -> None:
    enter, leave = captures.__enter__, captures.__exit__

    @functools.wraps(enter)
    def entered(self: object) -> object:
        __tracebackhide__ = True
        result = enter(self)
        _begin(self)
        return result

    @functools.wraps(leave)
    def left(self: object, *error: object) -> object:
        __tracebackhide__ = True
        _end(self)
        return leave(self, *error)

    def undo() -> None:
        captures.__enter__, captures.__exit__ = enter, leave

    captures.__enter__, captures.__exit__ = entered, left
    _undo.append(undo)


@guarded("pytest.capture", None)
def _begin(context: Any) -> None:
    # As Django counts: one connection, one thread.
    block = QueryBlock(NOTHING, using=context.connection.alias, threads="same", name="CaptureQueriesContext")
    setattr(context, _BLOCK, (block, block.__enter__()))


@guarded("pytest.captured", None)
def _end(context: Any) -> None:
    block, log = vars(context).pop(_BLOCK, (None, None))
    if block is not None:
        block.__exit__(None, None, None)
        _last[:] = [log]
