"""Transactions: which one a statement runs in, and which statements a rollback took back.

Statements of Django's do not tell where a transaction ends, because drivers commit and roll back by calls of their own: the methods
of its connections do, put once on their class.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from dbprofile.hooks import Query, Scope, guarded

__all__ = ["LINK", "Uncommitted", "hear_transactions", "leave_transactions"]

#: Statements of one transaction that a rollback can still mark: as many as a scope keeps in full detail.
KEPT: Final = 1_000
#: The attribute of a connection that holds what we know of it, its transaction among that; gone when it is closed.
LINK: Final = "_dbprofile"

_numbers = count(1)
_Method = Callable[..., Any]
_originals: dict[str, _Method] = {}


class Uncommitted:
    """What a connection did in the transaction that it is in: each has a number, none in autocommit."""

    __slots__ = ("_block", "_kept", "_number", "_savepoint")

    def __init__(self) -> None:
        self._number: int | None = None
        self._block: object = None
        self._savepoint: object = None
        self._kept: deque[tuple[Scope, Query]] = deque(maxlen=KEPT)

    def number(self, connection: Any) -> int | None:
        """The number of the transaction that a connection which does not commit by itself is in.

        The blocks of a test case are no transaction of the application's: inside them each block is one, told by its savepoint.
        """
        block = savepoint = None
        if connection.in_atomic_block and connection.commit_on_exit:
            block, savepoint = _outermost(connection)
            if block is None:
                self.over()
                return None
        if self._number is None or block is not self._block or savepoint is not self._savepoint:
            self.over()
            self._block, self._savepoint = block, savepoint
            self._number = next(_numbers)
        return self._number

    def keep(self, scope: Scope, query: Query) -> None:
        """Remember a statement of this transaction until it is over, or no scope wants to know."""
        kept = self._kept
        if kept and kept[-1][0] is not scope:
            # A connection that never commits outlives the scopes of many requests, each with all its queries.
            growing = [known for known in kept if _grows(known[0])]
            kept.clear()
            kept.extend(growing)
        kept.append((scope, query))

    def over(self) -> None:
        """Nothing of this transaction can be taken back any more."""
        self._number = self._block = self._savepoint = None
        self._kept.clear()

    def undo(self, beginning: str | None = None) -> None:
        """Mark the statements that a rollback took back: all, or those after the one that set a savepoint."""
        while self._kept:
            scope, query = self._kept[-1]
            if query.raw_sql == beginning:
                return  # it can be rolled back to again
            self._kept.pop()
            if _grows(scope):
                query.undone = True


def _outermost(connection: Any) -> tuple[object, object]:
    """The outermost block of the application's, and the savepoint that it set if it stands inside a test case's."""
    for depth, block in enumerate(connection.atomic_blocks):
        if not getattr(block, "_from_testcase", False):
            return block, connection.savepoint_ids[depth - 1] if depth else None  # the first block sets none
    return None, None


def _grows(scope: Scope | None) -> bool:
    """Whether a scope or one round it is open: after that its queries stay as they are."""
    while scope is not None and not scope.open:
        scope = scope.outer
    return scope is not None


# --- what connections tell ------------------------------------------------------------------------------------------


def _uncommitted_of(connection: Any) -> Uncommitted | None:
    link = connection.__dict__.get(LINK)
    return link.uncommitted if link is not None else None


@guarded("django.committed", None)
def _committed(connection: Any) -> None:
    uncommitted = _uncommitted_of(connection)
    if uncommitted is not None:
        uncommitted.over()


@guarded("django.rolled_back", None)
def _rolled_back(connection: Any) -> None:
    uncommitted = _uncommitted_of(connection)
    if uncommitted is not None:
        uncommitted.undo()
        uncommitted.over()


@guarded("django.rolling_back_to", None)
def _rolling_back_to(connection: Any, sid: str) -> None:
    uncommitted = _uncommitted_of(connection)
    if uncommitted is not None:
        uncommitted.undo(connection.ops.savepoint_create_sql(sid))


@guarded("django.closed", None)
def _closed(connection: Any) -> None:
    if connection.connection is None or connection.closed_in_transaction:  # a database in memory is kept open
        _rolled_back(connection)
        connection.__dict__.pop(LINK, None)  # the next one has a serial of its own


def _after(tell: Callable[[Any], None]) -> Callable[[_Method], _Method]:
    def telling(original: _Method) -> _Method:
        @wraps(original)
        def method(self: Any, *arguments: Any, **keywords: Any) -> Any:
            __tracebackhide__ = True
            result = original(self, *arguments, **keywords)
            tell(self)
            return result

        return method

    return telling


def _telling_first(original: _Method) -> _Method:
    # First: the statement that rolls back is of the transaction round the savepoint, and Django has left the block already.
    @wraps(original)
    def savepoint_rollback(self: Any, sid: Any) -> Any:
        __tracebackhide__ = True
        _rolling_back_to(self, sid)
        return original(self, sid)

    return savepoint_rollback


_METHODS: Final[dict[str, Callable[[_Method], _Method]]] = {
    "commit": _after(_committed),
    "rollback": _after(_rolled_back),
    "close": _after(_closed),
    "savepoint_rollback": _telling_first,
}


def hear_transactions() -> None:
    """Be told where transactions end, and how."""
    for name, telling in _METHODS.items():
        if name not in _originals:
            original = _originals[name] = vars(BaseDatabaseWrapper)[name]
            setattr(BaseDatabaseWrapper, name, telling(original))


def leave_transactions() -> None:
    """Undo ``hear_transactions``, where nobody has replaced ours since."""
    for name, original in list(_originals.items()):
        if getattr(vars(BaseDatabaseWrapper)[name], "__wrapped__", None) is original:
            setattr(BaseDatabaseWrapper, name, original)
            del _originals[name]
