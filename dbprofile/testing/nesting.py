"""Which blocks are open, and how they lie inside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbprofile.errors import ConfigurationError

if TYPE_CHECKING:
    from dbprofile.capture.scope import Scope
    from dbprofile.testing.log import QueryLog

__all__ = ["around", "begin", "end", "overlapping"]

#: The logs of the blocks of this process that are open, in the order in which they were opened.
_open: list[QueryLog] = []


def begin(log: QueryLog, scope: Scope) -> None:
    """Note that a block is open.

    Raises:
        ConfigurationError: if it takes in the whole process beside another one that does, and not inside it.
    """
    if scope.kind == "block" and _is_process(log):
        outer = around(scope)
        if any(_is_process(other) and other not in outer for other in _open):
            scope.close(discard=True)
            raise overlapping()
    _open.append(log)


def end(log: QueryLog, scope: Scope) -> bool:
    """Note that a block is over; answers whether one that was opened later and takes in the process too is still open.

    The body of a test is different: what is open inside it was abandoned, and would take in the queries of all tests that follow.
    """
    later = [other for other in _open[_open.index(log) + 1 :] if _is_process(other)]
    _open.remove(log)
    if scope.kind == "block":
        return _is_process(log) and bool(later)
    for abandoned in later:
        _open.remove(abandoned)
        if abandoned.scope is not None:
            abandoned.scope.close(discard=True)
    return False


def around(scope: Scope) -> list[QueryLog]:
    """The logs of the open blocks round a scope."""
    scopes = set()
    outer = scope.outer
    while outer is not None:
        scopes.add(outer)
        outer = outer.outer
    return [log for log in _open if log.scope in scopes]


def overlapping() -> ConfigurationError:
    """The mistake of two blocks that overlap, with its cure."""
    return ConfigurationError(
        'two blocks overlap, and each takes in all threads of the process: write threads="same" in both, then each counts '
        "what its own thread or task sends"
    )


def _is_process(log: QueryLog) -> bool:
    return log.scope is not None and log.scope.reach == "process"
