"""Connection: how one unit of work used one connection; kept while somebody wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Connection", "Event"]

T = TypeVar("T")

#: Spans of each kind that are kept of a connection; of a scope without an end (a websocket) there is no last one.
SPAN_LIMIT: Final = 1_000


class Connection:
    """One connection, as one scope saw it. Spans are pairs of ``perf_counter_ns``; the end of one that is open is 0.

    Attributes:
        library: whose it is, as ``Database.library``.
        serial: its number, as ``Query.connection``.
        unit: the unit of work that used it.
        lane: the thread or task that used it first.
        opened: when it was connected to its server (``perf_counter_ns``).
        held: when it was out of its pool.
        transactions: when it was in a transaction.
        dropped: spans beyond those that are kept.
    """

    __slots__ = ("dropped", "held", "lane", "library", "opened", "serial", "transactions", "unit")

    def __init__(self, library: str, serial: int, unit: object = None, lane: int = 0) -> None:
        self.library = library
        self.serial = serial
        self.unit = unit
        self.lane = lane
        self.opened: list[int] = []
        self.held: list[tuple[int, int]] = []
        self.transactions: list[tuple[int, int]] = []
        self.dropped = 0

    def open(self, moment: int) -> None:
        """It was connected to its server."""
        self._keep(self.opened, moment)

    def take(self, moment: int) -> None:
        """It left its pool."""
        self._keep(self.held, (moment, 0))

    def give_back(self, moment: int) -> None:
        """It came back to its pool."""
        _end(self.held, moment)

    def begin(self, moment: int) -> None:
        """A transaction began."""
        self._keep(self.transactions, (moment, 0))

    def finish(self, moment: int) -> None:
        """The transaction was committed or rolled back."""
        _end(self.transactions, moment)

    def until(self, moment: int) -> Connection:
        """What it was up to a moment: a span that is still open ends there."""
        copy = Connection(self.library, self.serial, self.unit, self.lane)
        copy.opened, copy.dropped = list(self.opened), self.dropped
        copy.held = [(start, end or moment) for start, end in self.held]
        copy.transactions = [(start, end or moment) for start, end in self.transactions]
        return copy

    def _keep(self, spans: list[T], span: T) -> None:
        if len(spans) < SPAN_LIMIT:
            spans.append(span)
        else:
            self.dropped += 1


def _end(spans: list[tuple[int, int]], moment: int) -> None:
    if spans and not spans[-1][1]:
        spans[-1] = (spans[-1][0], moment)


#: What happens to a connection at a moment (``perf_counter_ns``): a method of ``Connection``.
Event: TypeAlias = "Callable[[Connection, int], None]"
