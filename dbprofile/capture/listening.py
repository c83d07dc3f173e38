"""Listening: who wants to hear of each statement, with or without a scope."""

from __future__ import annotations

from typing import Any

__all__ = ["add_listener", "listeners", "remove_listener"]

#: Read by every statement, as an attribute of this module: another one takes the place of the tuple when somebody comes or goes.
listeners: tuple[Any, ...] = ()


def add_listener(listener: object) -> None:
    """Tell ``listener.query_done(query, handle, exception)`` of every statement from now on."""
    global listeners
    if listener not in listeners:
        listeners = (*listeners, listener)


def remove_listener(listener: object) -> None:
    """Undo ``add_listener``."""
    global listeners
    listeners = tuple(known for known in listeners if known is not listener)
