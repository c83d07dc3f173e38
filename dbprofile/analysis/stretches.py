"""Stretches of time in which a connection was kept, and how long statements ran in them."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbprofile.analysis.groups import ended, path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dbprofile.capture.connection import Connection
    from dbprofile.capture.profile import Profile
    from dbprofile.capture.query import Query

__all__ = ["Stretch", "by_connection", "by_place", "long_stretches"]


@dataclass(frozen=True)
class Stretch:
    """A time in which a connection was kept for what it was sent."""

    queries: Sequence[Query]
    """What ran in it, in order; at least one."""
    seconds: float
    busy: float
    """Seconds in which a statement ran or its rows were fetched."""
    idle_after: Query
    """The statement behind which it was idle longest."""

    @property
    def idle(self) -> float:
        """Seconds in which nothing ran."""
        return max(self.seconds - self.busy, 0.0)


def by_connection(profile: Profile) -> Iterator[tuple[Connection, Sequence[Query]]]:
    """The connections of which somebody told, each with what was sent on it, in order."""
    if not profile.connections:
        return
    sent: dict[object, list[Query]] = defaultdict(list)
    for query in profile.queries:
        sent[query.database.library, query.connection].append(query)
    for connection in profile.connections:
        queries = sent.get((connection.library, connection.serial))
        if queries:
            yield connection, queries


def long_stretches(times: Iterable[tuple[int, int]], queries: Sequence[Query], seconds: float) -> Iterator[Stretch]:
    """The stretches of one connection in which statements ran.

    Args:
        times: beginning and end of each (``perf_counter_ns``).
        queries: on the connection, in order.
        seconds: the least that counts.
    """
    begun = [query.started for query in queries]
    for start, end in times:
        inside = queries[bisect_left(begun, start) : bisect_left(begun, end)]
        if inside and end - start >= seconds * 1e9:
            ends = [*(query.started for query in inside[1:]), end]
            longest = max(zip(inside, ends, strict=True), key=lambda pair: pair[1] - ended(pair[0]))
            yield Stretch(inside, (end - start) / 1e9, sum(query.total_seconds for query in inside), longest[0])


def by_place(found: Iterable[Stretch]) -> list[list[Stretch]]:
    """The stretches that were idle behind one line of the application together."""
    places: dict[object, list[Stretch]] = defaultdict(list)
    for stretch in found:
        places[stretch.idle_after.statement, path_of(stretch.idle_after)[:1]].append(stretch)
    return list(places.values())
