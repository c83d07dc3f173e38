"""Unseen: statements that belong to no open scope, counted by name so that a profile can say what it did not see."""

from __future__ import annotations

import re
import threading
from collections import Counter as Tally
from collections.abc import Mapping
from typing import Final

__all__ = ["NAME_LIMIT", "here", "late", "of_this_thread", "outside", "renew", "since", "thread_name"]

#: Names under which such statements are counted; all further threads and scopes share one.
NAME_LIMIT: Final = 100

_NUMBER: Final = re.compile(r"\d+")

#: Statements outside any scope, by the name of their thread.
outside: Tally[str] = Tally()
#: Statements of scopes that had closed already, by scope and thread.
late: Tally[str] = Tally()
#: The name of the running thread: asking for it takes three calls, in a place that nobody watching should cost none.
here = threading.local()


def of_this_thread() -> None:
    """Count a statement of a thread that no scope has reached."""
    name = getattr(here, "name", None)
    if name is None:
        name = here.name = _told_apart(thread_name(), outside)
    outside[name] += 1


def of_closed(scope: str) -> None:
    """Count a statement of a scope that is over: of a task that outlived its request, say."""
    late[_told_apart(f"{scope} ({thread_name()})", late)] += 1


def thread_name() -> str:
    """The name of the running thread."""
    return threading.current_thread().name


def since(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    """What was counted between a copy and now."""
    return {name: number - before.get(name, 0) for name, number in list(now.items()) if number > before.get(name, 0)}


def renew() -> None:
    """Begin at nothing: the child of a fork has seen nothing yet."""
    outside.clear()
    late.clear()


def _told_apart(name: str, tally: Tally[str]) -> str:
    # Threads that live as long as one request, and paths without a route, would fill the memory with their names. They differ in
    # their numbers: the second half of the names is kept for what is left without those.
    if name in tally or len(tally) < NAME_LIMIT // 2:
        return name
    alike = _NUMBER.sub("*", name)
    return alike if alike in tally or len(tally) < NAME_LIMIT else "others"
