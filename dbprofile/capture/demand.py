"""Demand: what adapters tell only while somebody wants to know, because listening for it costs something."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONNECTIONS", "USES", "leave", "supply", "want", "withdraw"]

#: How connections are used; which rows of eager loads are read.
CONNECTIONS: Final = "connections"
USES: Final = "uses"

#: By subject. A profiler that nobody closes is gone when nobody holds it.
_wanting: Final[dict[str, WeakSet[object]]] = defaultdict(WeakSet)
_supplies: Final[dict[tuple[str, str], tuple[Callable[[], None], Callable[[], None]]]] = {}


def want(subject: str, who: object) -> None:
    """Have the adapters tell of a subject from now on."""
    if not _wanting[subject]:
        for (_, told), (listen, _) in _supplies.items():
            if told == subject:
                listen()
    _wanting[subject].add(who)


def leave(who: object) -> None:
    """Undo ``want`` for all subjects. Idempotent; nobody listens any more when the last one leaves."""
    for subject, wanting in _wanting.items():
        if who in wanting:
            wanting.discard(who)
            if not wanting:
                for (_, told), (_, unlisten) in _supplies.items():
                    if told == subject:
                        unlisten()


def supply(library: str, subject: str, listen: Callable[[], None], unlisten: Callable[[], None]) -> None:
    """An adapter can tell of a subject: it is asked to when somebody wants it, at once if somebody does."""
    _supplies[library, subject] = (listen, unlisten)
    if _wanting[subject]:
        listen()


def withdraw(library: str) -> None:
    """Undo ``supply`` for all subjects. Idempotent."""
    for known in [known for known in _supplies if known[0] == library]:
        _supplies.pop(known)[1]()
