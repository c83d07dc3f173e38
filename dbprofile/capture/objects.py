"""What an ORM's sessions hold between statements, and so load no more. Asked by tests alone; until then nothing is remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dbprofile.capture.scope import muted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

__all__ = ["Held", "Holders", "held_objects", "keep_objects", "leave_objects", "release_objects"]


class Held(NamedTuple):
    """What one session holds."""

    session: Hashable
    """Its number."""
    number: int
    """Of objects in its identity map."""
    connection: int
    """The serial number of the connection that it used last, as long as no other session does."""


class Holders(NamedTuple):
    """How an adapter answers for its library's sessions."""

    held: Callable[[], Iterable[Held]]
    release: Callable[[], None]
    """Sends what is pending, and lets all objects go.

    Raises:
        ConfigurationError: where that can only be done in a coroutine.
    """


_holders: dict[str, Holders] = {}


def keep_objects(library: str, holders: Holders) -> None:
    """An adapter can tell what its library's sessions hold."""
    _holders[library] = holders


def leave_objects(library: str) -> None:
    """Undo ``keep_objects``. Idempotent."""
    _holders.pop(library, None)


def held_objects() -> list[Held]:
    """What the sessions that used a connection hold now. The first answer is empty: sessions are remembered from then on."""
    return [held for holders in _holders.values() for held in holders.held()]


def release_objects() -> None:
    """Empty the identity maps of all sessions that used a connection; statements that it takes are neither recorded nor counted."""
    with muted():
        for holders in _holders.values():
            holders.release()
