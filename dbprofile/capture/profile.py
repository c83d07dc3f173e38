"""Profile: what one scope did, once it is over. Plain data, made by hand in a test."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter

from dbprofile.capture.connection import Connection
from dbprofile.capture.counters import Counter, counting_class
from dbprofile.capture.eager import EagerLoad
from dbprofile.capture.query import Query

__all__ = ["Profile", "database_seconds"]

_started = attrgetter("started")


@dataclass(frozen=True, eq=False)
class Profile:
    """What happened in one unit of work.

    Times are seconds; ``started`` is seconds since the epoch. ``queries`` are in the order in which they began.
    """

    kind: str
    """``request``, ``background``, ``message``, ``task``, ``command``, ``block`` or ``test``."""
    name: str
    """What it is called: ``GET /orders/``, a task, a test."""
    number: int = 0
    """The ``#42`` by which people refer to it; taken when the scope opened."""
    parent: int | None = None
    """Number of the scope it belongs to: the request of a background task."""
    labels: Mapping[str, object] = field(default_factory=dict)
    """What the adapter knows of it: ``http.request.method``, ``http.route``, ``http.response.status_code`` …"""
    started: float = 0.0
    seconds: float = 0.0
    queries: Sequence[Query] = ()
    counters: Sequence[Counter] = ()
    """Statements beyond the detail limit, summed by text."""
    unit: object = None
    """The unit of work of statements that ran in this scope itself."""
    object_seconds: float | None = None
    """Time spent turning rows into objects, by statements that are kept in full detail; ``None`` where that cannot be seen."""
    connections: Sequence[Connection] = ()
    """How connections were used, where somebody wants to know: ``rules_on``."""
    eager_loads: Sequence[EagerLoad] = ()
    """Relations that were loaded at once, and how often they were read, where somebody wants to know."""
    notes: Mapping[object, object] = field(default_factory=dict, repr=False)
    """What a sink has kept since the scope opened, with the sink as the key; nothing that people are shown."""
    untracked: Mapping[str, int] = field(default_factory=dict)
    """Statements outside any scope while this one was open, by thread name."""
    late: Mapping[str, int] = field(default_factory=dict)
    """Statements of scopes that had already closed, seen while this one was open, by scope and thread."""
    unfinished: int = 0
    """Statements that were begun and whose end nobody told: they may not even have been sent. Only where an adapter can but listen."""

    @property
    def happened(self) -> bool:
        """Whether anything was recorded that could be judged."""
        seen = self.queries or self.counters or self.connections or self.eager_loads
        return bool(seen or self.late or self.untracked or self.unfinished)

    @cached_property
    def _classes(self) -> tuple[str, ...]:
        return tuple(map(counting_class, self.queries))

    @cached_property
    def counted(self) -> tuple[Query, ...]:
        """The queries that count, in order: no transaction control, no connection set-up, no catalogue, no cache fill."""
        return tuple(query for query, name in zip(self.queries, self._classes, strict=True) if name == "app")

    @cached_property
    def query_count(self) -> int:
        """How many queries the application asked for: the one number that request log, test and telemetry show."""
        beyond = sum(counter.count for counter in self.counters if counting_class(counter) == "app")
        return len(self.counted) + beyond

    @cached_property
    def not_counted(self) -> Mapping[str, int]:
        """What was recorded and does not count, by class: ``tx``, ``schema``, ``connect``, ``cachefill``, ``tool``."""
        tally = Tally(self._classes)
        for counter in self.counters:
            tally[counting_class(counter)] += counter.count
        del tally["app"]
        return dict(tally)

    @cached_property
    def database_seconds(self) -> float:
        """Time in which at least one statement was executing or fetching; never more than the wall time."""
        beyond = sum(counter.seconds + counter.fetch_seconds for counter in self.counters)
        return database_seconds(self.queries) + beyond

    @cached_property
    def execute_seconds(self) -> float:
        """Sum of the execute times."""
        return sum(query.seconds for query in self.queries) + sum(counter.seconds for counter in self.counters)

    @cached_property
    def fetch_seconds(self) -> float:
        """Sum of the fetch times."""
        fetched = sum(query.fetch_seconds for query in self.queries)
        return fetched + sum(counter.fetch_seconds for counter in self.counters)

    @cached_property
    def rows(self) -> int:
        """Rows that drivers handed over."""
        return sum(query.rows or 0 for query in self.queries) + sum(counter.rows for counter in self.counters)

    @cached_property
    def unique_query_count(self) -> int:
        """Number of distinct texts among the queries that count."""
        texts = {query.sql for query in self.counted}
        return len(texts.union(counter.sql for counter in self.counters if counting_class(counter) == "app"))


def database_seconds(queries: Iterable[Query]) -> float:
    """The union over time of execute and fetch, in seconds.

    Within one lane nothing overlaps but what is sent while another statement is under way, by a wrapper or a listener: the time of
    that one holds it. Between lanes (``gather``, threads) the intervals decide; the fetches of a query count as one interval from
    its first fetch on.
    """
    queries = list(queries)
    if len({(query.unit, query.lane) for query in queries}) < 2:  # lanes are numbered by unit
        return sum(query.total_seconds for query in _outermost(queries))
    intervals = []
    for query in queries:
        intervals.append((query.started, query.started + round(query.seconds * 1e9)))
        if query.fetch_started:
            intervals.append((query.fetch_started, query.fetch_started + round(query.fetch_seconds * 1e9)))
    intervals.sort()
    total = end = 0
    for start, stop in intervals:
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total / 1e9


def _outermost(queries: Iterable[Query]) -> Iterator[Query]:
    """Of the queries of one lane those that were not sent while another one was executed."""
    end = 0.0
    for query in sorted(queries, key=_started):
        over = query.started + query.seconds * 1e9
        if over > end or not query.started:  # of one made by hand nobody may have said when it began
            end = over
            yield query
