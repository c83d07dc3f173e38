"""Sessions: which one a statement ran in, where no request or task is its unit of work."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Session

from dbprofile import hooks
from dbprofile_sqlalchemy.held import remember
from dbprofile_sqlalchemy.transactions import Link, link_of

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["listen", "place", "unlisten"]

#: What a lane keeps of the Sessions that it has seen: their number -> the unit, where it began, and whether it is still at it.
_SESSIONS: Final = "sqlalchemy.sessions"


def place(watch: hooks.Stopwatch, link: Link, path: hooks.Path) -> None:
    """Where no request or task is the unit (``Scope.in_unit``), the Session is."""
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


@hooks.guarded("sqlalchemy.after_begin", None, hot=True)
def _after_begin(session: Session, _transaction: object, connection: Any) -> None:
    link = link_of(connection)
    if link.session is None or link.session() is not session:
        link.session = weakref.ref(session)
        remember(session, connection, link.serial)


def listen() -> None:
    """Hear of every Session's transactions. Idempotent."""
    if not event.contains(Session, "after_begin", _after_begin):
        event.listen(Session, "after_begin", _after_begin)


def unlisten() -> None:
    """Undo ``listen``. Idempotent."""
    if event.contains(Session, "after_begin", _after_begin):
        event.remove(Session, "after_begin", _after_begin)
