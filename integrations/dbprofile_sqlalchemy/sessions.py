"""Sessions and transactions: which Session a statement ran in, the number of its transaction, and what a rollback took back."""

from __future__ import annotations

import weakref
from itertools import count
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session

from dbprofile import hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlalchemy.engine import Connection
    from sqlalchemy.orm import SessionTransaction

__all__ = ["Link", "link_of", "listen", "place", "unlisten"]

_connections: Final = count(1)
_transactions: Final = count(1)
#: Under this key a driver connection's own dictionary holds its serial number.
_SERIAL: Final = "dbprofile_serial"
#: What a lane keeps of the Sessions that it has seen: their number -> the unit, where it began, and whether it is still at it.
_SESSIONS: Final = "sqlalchemy.sessions"


def _none() -> None:
    """What stands for a reference before there is one."""


class Link:
    """What is known of one Connection while it is checked out.

    Attributes:
        serial: number of the driver's connection.
        transaction: a weak reference to the root transaction it was last seen in; a Connection that nobody closed must go back
            to its pool as soon as it would without us.
        number: of that transaction.
        session: the Session that began it, if any.
    """

    __slots__ = ("number", "serial", "session", "transaction")

    def __init__(self, connection: Connection) -> None:
        info = connection.info
        serial = info.get(_SERIAL)
        if serial is None:
            serial = info[_SERIAL] = next(_connections)
        self.serial: int = serial
        self.number = 0
        self.session: weakref.ref[Session] | None = None
        self.transaction: Callable[[], object] = _none

    def number_of(self, transaction: object) -> int:
        """The number of a root transaction; a new one where it is not the one seen last."""
        if self.transaction() is not transaction:
            self.transaction = weakref.ref(transaction)
            self.number = next(_transactions)
        return self.number


def link_of(connection: Any) -> Link:
    """The link of a Connection, which holds it as an attribute for as long as it lives."""
    try:
        link: Link = connection._dbprofile_link
    except AttributeError:
        link = connection._dbprofile_link = Link(connection)
    return link


def place(watch: hooks.Stopwatch, link: Link, path: hooks.Path) -> None:
    """Where no request or task is the unit, the Session is."""
    unit = watch.scope.unit
    if isinstance(unit, tuple) and unit[0] in hooks.UNIT_KINDS:
        return
    session = link.session() if link.session is not None else None
    if session is None or not session.in_transaction():
        return
    known: dict[int, tuple[weakref.ref[Session], Hashable, hooks.Path]] = watch.lane.notes.setdefault(_SESSIONS, {})
    found = known.get(session.hash_key)
    if found is None:
        joined = _joined(known, path)
        unit = ("session", session.hash_key) if joined is None else joined
        found = known[session.hash_key] = (weakref.ref(session), unit, path)
    watch.query.unit = found[1]


def _joined(known: dict[int, tuple[weakref.ref[Session], Hashable, hooks.Path]], path: hooks.Path) -> Hashable | None:
    """The unit of a Session still in a transaction that one function uses beside this one: they do one piece of work."""
    for reference, unit, other in known.values():
        session = reference()
        if session is not None and session.in_transaction() and _side_by_side(path, other):
            return unit
    return None


def _side_by_side(path: hooks.Path, other: hooks.Path) -> bool:
    """Whether the innermost function common to both stands at different lines; at the same one they are turns of a loop."""
    places = {step.code: step for step in reversed(other) if isinstance(step, hooks.Step)}
    for step in path:
        if isinstance(step, hooks.Step) and step.code in places:
            return step != places[step.code]
    return False


# --- what Sessions tell ---------------------------------------------------------------------------------------------

# Of each part of a Session's transaction: the numbers it runs in, and since when (nanoseconds).
_begun: weakref.WeakKeyDictionary[SessionTransaction, list[tuple[int, int]]] = weakref.WeakKeyDictionary()


@hooks.guarded("sqlalchemy.after_begin", None, hot=True)
def _after_begin(session: Session, transaction: SessionTransaction, connection: Any) -> None:
    link = link_of(connection)
    if link.session is None or link.session() is not session:
        link.session = weakref.ref(session)
    root = connection.get_transaction()
    if root is not None:
        _begun.setdefault(transaction, []).append((link.number_of(root), perf_counter_ns()))


@hooks.guarded("sqlalchemy.after_soft_rollback", None)
def _after_soft_rollback(_session: Session, previous: SessionTransaction) -> None:
    scope = hooks.current_scope()
    parts = _begun.pop(previous, ())
    if scope is None or not parts:
        return
    for query in reversed(scope.lane().queries):
        if any(query.transaction == number and query.started >= since for number, since in parts):
            query.undone = True


_LISTENERS: Final = (("after_begin", _after_begin), ("after_soft_rollback", _after_soft_rollback))


def listen() -> None:
    """Hear of every Session's transactions. Idempotent."""
    for name, listener in _LISTENERS:
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def unlisten() -> None:
    """Undo ``listen``. Idempotent."""
    for name, listener in _LISTENERS:
        if event.contains(Session, name, listener):
            event.remove(Session, name, listener)
