"""The flags by which SQLAlchemy knows that somebody listens: put back when we no longer do, or each statement would go on paying for it.

``event.listen`` sets them on a class or an object, and ``event.remove`` leaves them set.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine import Dialect, Engine

from dbprofile import hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["put_back", "remember"]

_FLAG: Final = "_has_events"
#: What stood in the flag of each owner before we listened; ``None`` where it had none of its own.
_before: Final[weakref.WeakKeyDictionary[Any, bool | None]] = weakref.WeakKeyDictionary()


@hooks.guarded("sqlalchemy.flags", None)
def remember(target: Any) -> None:
    """Note the flags of an engine, or of the class, that somebody is about to listen to."""
    for owner in _owners(target):
        _before.setdefault(owner, vars(owner).get(_FLAG))


@hooks.guarded("sqlalchemy.flags", None)
def put_back(target: Any) -> None:
    """Nobody of ours listens any more: the flags are as they were, unless others listen or listened before us."""
    for owner in _owners(target):
        if owner in _before:
            before = _before.pop(owner)
            if before or _is_heard(owner):
                continue
            if before is not None:
                setattr(owner, _FLAG, before)
            elif _FLAG in vars(owner):
                delattr(owner, _FLAG)


def _owners(target: Any) -> tuple[Any, Any]:
    return (Engine, Dialect) if target is Engine else (target, target.dialect)


def _is_heard(owner: Any) -> bool:
    return any(_listeners(owner))


def _listeners(owner: Any) -> Iterator[bool]:
    """Whether each event of an owner has listeners; where a version of SQLAlchemy does not let us look, one has."""
    names = getattr(owner.dispatch, "_event_names", None)
    if names is None:
        yield True
        return
    for name in names:
        heard = getattr(owner.dispatch, name)
        if isinstance(owner, type):
            yield any(map(len, getattr(heard, "_clslevel", {None: (True,)}).values()))
        else:
            yield bool(getattr(heard, "listeners", True))
