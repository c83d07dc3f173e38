"""What Sessions hold in their identity maps, for tests: an object that is held hides the statement that would load it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from dbprofile import ConfigurationError, hooks

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["forget_sessions", "remember", "tell"]


class _Use(NamedTuple):
    """The last transaction that a Session began."""

    number: int
    serial: int
    is_async: bool


_uses: weakref.WeakKeyDictionary[Session, _Use] = weakref.WeakKeyDictionary()
_numbers = count(1)
# Nothing is remembered before somebody asks.
_is_asked = False


def remember(session: Session, connection: Any, serial: int) -> None:
    """A Session has begun a transaction on a connection."""
    if _is_asked:
        _uses[session] = _Use(next(_numbers), serial, bool(connection.dialect.is_async))


def forget_sessions() -> None:
    """Forget what was remembered; who has asked once may ask again."""
    _uses.clear()
    hooks.leave_objects("sqlalchemy")


def tell() -> None:
    """Answer those who ask what Sessions hold."""
    hooks.keep_objects("sqlalchemy", hooks.Holders(_held, _release))


def _held() -> Iterator[hooks.Held]:
    global _is_asked
    _is_asked = True
    last = {use.serial: use.number for use in sorted(_uses.values())}
    for session, use in list(_uses.items()):
        is_last = last.get(use.serial) == use.number
        yield hooks.Held(session.hash_key, sum(1 for _ in session.identity_map.values()), use.serial if is_last else -1)


def _release() -> None:
    for session, use in list(_uses.items()):
        if use.is_async and (session.new or session.dirty or session.deleted):
            raise ConfigurationError(
                "fresh=True cannot flush an AsyncSession: write 'await session.flush()' before the block"
            )
        session.flush()
        session.expunge_all()
