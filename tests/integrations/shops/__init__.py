"""The same shop on each framework: pages that behave well and badly, and all that their clients and the database see of it."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

from dbprofile import Profiler

__all__ = ["Opened", "Shop", "Thing", "things", "wait_for_ever", "waits"]


class Thing:
    """An object of the application: each page has one in a variable, which nobody may keep when the page is over."""

    def __init__(self) -> None:
        things.add(self)


things: weakref.WeakSet[Thing] = weakref.WeakSet()

#: Set where a page waits for ever, for a client that goes away then.
waits: ContextVar[asyncio.Event] = ContextVar("waits")


async def wait_for_ever() -> None:
    """What a page does whose client goes away, or whose server gives it up."""
    waits.get().set()
    await asyncio.Event().wait()


@dataclass
class Shop:
    """An application that is open for visits."""

    pages: Mapping[str, Callable[[], object]]
    """By its name, a visit of each page: it answers with all that the client sees."""
    contents: Callable[[], object]
    """What is in the tables."""
    reset: Callable[[], None]
    """Puts into the tables what was there before."""
    forget: Callable[[], object] = lambda: None
    """Empties what its libraries keep for us, so that we fill it again."""
    sent: list[str] = field(default_factory=list)
    """The statements that reached the database, by its own account."""

    def visit(
        self, names: Iterable[str] | None = None, within: AbstractContextManager[object] | None = None
    ) -> list[object]:
        """Visit pages, all of them by default: the answers, the statements, the contents.

        Args:
            names: which pages.
            within: what holds while they are visited, but neither before nor after.
        """
        self.reset()
        self.sent.clear()
        with within or nullcontext():
            answers: list[object] = [(name, self.pages[name]()) for name in names or self.pages]
        # What runs at once is sent in any order.
        return [*answers, sorted(self.sent), self.contents()]


#: A profiled shop; without a Profiler the application as it is without us.
Opened: TypeAlias = Callable[[Profiler | None], AbstractContextManager[Shop]]
