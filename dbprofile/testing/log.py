"""QueryLog: the queries of a block, live while it is open and final after it."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from time import perf_counter_ns
from typing import TYPE_CHECKING, Final

from dbprofile.capture.counters import counting_class
from dbprofile.capture.objects import held_objects
from dbprofile.capture.profile import Profile
from dbprofile.findings.places import place_of
from dbprofile.testing.counted import Sent, TableCounts
from dbprofile.testing.loopowner import is_applications
from dbprofile.testing.project import current_project

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dbprofile.capture.counters import Counter
    from dbprofile.capture.objects import Held
    from dbprofile.capture.query import Query
    from dbprofile.capture.scope import Scope
    from dbprofile.findings.finding import Finding
    from dbprofile.profiler import Profiler

__all__ = ["ALL", "CountedInt", "QueryLog"]

#: Every engine and every alias: the default of ``using``.
ALL: Final = "__all__"
#: Kinds of findings that are an N+1.
_NPLUSONE: Final = frozenset({"n_plus_one", "query_loop"})
_DUPLICATE: Final = frozenset({"duplicate_query"})


class CountedInt(int):
    """A number of queries that carries their log, so that a failed comparison can list them. Copies and pickles as an ``int``."""

    log: QueryLog

    @classmethod
    def of(cls, number: int, log: QueryLog) -> CountedInt:
        """The number, with the log that it was read from."""
        counted = cls(number)
        counted.log = log
        return counted

    def __reduce__(self) -> tuple[type[int], tuple[int]]:
        return int, (int(self),)


class QueryLog:
    """What was sent to databases: live inside the block, final after it.

    Args:
        profiler: whose rules judge.
        using: names of Django aliases or SQLAlchemy engines, or ``ALL``.
        count: ``app`` counts what the application asked for, ``all`` transaction control and set-up too.

    Attributes:
        tolerated: codes or subjects (globs) of findings that may be, for blocks inside this one that do not say what they allow.
    """

    def __init__(self, profiler: Profiler, *, using: str | Sequence[str] = ALL, count: str = "app") -> None:
        self._profiler = profiler
        self._using = None if using == ALL else frozenset([using] if isinstance(using, str) else using)
        self._every = count == "all"
        self._scope: Scope | None = None
        self._final: Profile | None = None
        self._findings: Sequence[Finding] | None = None
        self._cleared_at = 0
        self._cleared: dict[Counter, int] = {}
        self._allowed: list[frozenset[Query]] = []
        self._held_before: Mapping[Hashable, int] = {}
        self._held_by: Mapping[int, int] = {}
        self.tolerated: tuple[str, ...] = ()

    # --- what was sent

    @property
    def count(self) -> CountedInt:
        """How many queries were sent. A failed comparison with it lists them."""
        beyond = sum(number for counter, number in self._beyond() if self._counts(counter))
        return CountedInt.of(len(self.queries) + beyond, self)

    @property
    def queries(self) -> list[Query]:
        """The queries that count, in the order in which they began: the first thousand, and slow ones beyond."""
        return [query for query in self.profile.queries if self._counts(query)]

    @property
    def by_table(self) -> TableCounts:
        """Queries by table, each counted for every table that it names."""
        return TableCounts(self.sent)

    @property
    def by_kind(self) -> Mapping[str, int]:
        """Queries by kind: ``select``, ``insert``, ``update``, ``delete``, ``other``; a kind that was not sent has 0."""
        tally: Tally[str] = Tally()
        for sent in self.sent:
            tally[sent.kind] += sent.count
        return tally

    @property
    def not_counted(self) -> Mapping[str, int]:
        """What was sent and does not count, by class: ``tx`` (transaction control), ``schema``, ``connect``, ``cachefill``, ``tool``."""
        tally: Tally[str] = Tally()
        if not self._every:
            tally.update(counting_class(query) for query in self.profile.queries if not self._counts(query))
            for counter, number in self._beyond():
                if not self._counts(counter):
                    tally[counting_class(counter)] += number
        return tally

    def nplusone(self) -> list[Finding]:
        """Queries in loops of the application: the same relation row by row, or the same statement again and again.

        A loop of the test itself is none, nor one that a block inside has allowed.
        """
        return self._judged(_NPLUSONE)

    def duplicates(self) -> list[Finding]:
        """Questions that the application asked again although nothing had changed."""
        return self._judged(_DUPLICATE)

    def slowest(self, n: int = 5) -> list[Query]:
        """The queries that took longest, execute and fetch together, longest first."""
        return sorted(self.queries, key=lambda query: -query.total_seconds)[:n]

    def shape(self) -> list[str]:
        """One line for each distinct shape, in order of first appearance: ``5x default  SELECT customer WHERE id = ?``."""
        tally: Tally[tuple[str, str]] = Tally()
        for sent in self.sent:
            tally[sent.database, sent.statement.shape] += sent.count
        return [f"{number}x {database}  {shape}" for (database, shape), number in tally.items()]

    def clear(self) -> None:
        """Forget what was sent so far."""
        self._cleared_at = perf_counter_ns()
        if self._scope is not None:
            counters = self._final.counters if self._final is not None else self._scope.profile().counters
            self._cleared = {counter: counter.count for counter in counters}
        self._findings = None
        if self._final is not None:
            self._final = self._about(self._final)

    # --- for those who open the block, or print the log

    def follow(self, scope: Scope, held: Iterable[Held] = ()) -> None:
        """Show what is recorded in a scope from now on.

        Args:
            scope: of the block.
            held: what Sessions hold at this moment.
        """
        self._held_before, self._held_by = {each.session: each.number for each in held}, {}
        self._scope, self._final, self._findings = scope, None, None
        self._cleared_at, self._cleared, self._allowed = 0, {}, []

    def finish(self) -> None:
        """Keep what there is; the scope has closed."""
        if self._scope is not None:
            self._final = self._about(self._scope.profile())
        if self._held_before:
            self._held_by = {each.connection: self._held_before.get(each.session, 0) for each in held_objects()}

    @property
    def held(self) -> int:
        """Objects that the Sessions which sent the queries held when the block began: they load these no more."""
        used = {query.connection for query in self.queries}
        return sum(number for connection, number in self._held_by.items() if connection in used)

    def allow(self, queries: Iterable[Query]) -> None:
        """Let findings made of these queries alone pass: a block inside says that they may be."""
        self._allowed.append(frozenset(queries))
        self._findings = None

    @property
    def scope(self) -> Scope | None:
        """Where it is recorded; ``None`` before the block has begun."""
        return self._scope

    @property
    def profile(self) -> Profile:
        """What the log is about, as a profile: of the databases asked for, since the last ``clear``."""
        if self._final is not None:
            return self._final
        if self._scope is None:
            return Profile("block", "")
        return self._about(self._scope.profile())

    @property
    def is_empty(self) -> bool:
        """Whether no statement of any class was seen, on any database."""
        return self._scope is None or self._scope.is_empty

    @property
    def sent(self) -> list[Sent]:
        """The queries that count, by shape, database and place, in order of first appearance."""
        by_place: dict[Hashable, list[Query]] = {}
        for query in self.queries:
            by_place.setdefault((query.statement.shape, query.database.name, place_of(query)), []).append(query)
        sent = [
            Sent(queries[0].statement, queries[0].database.name, place_of(queries[0]), len(queries), tuple(queries))
            for queries in by_place.values()
        ]
        for counter, number in self._beyond():
            if self._counts(counter):
                name = counter.database.name if counter.database is not None else ""
                sent.append(Sent(counter.statement, name, None, number))
        return sent

    @property
    def findings(self) -> Sequence[Finding]:
        """What the rules say, those of the test's own loops included, worst first."""
        if self._findings is not None:
            return self._findings
        findings = self._profiler.report(self.profile).findings
        if self._final is not None:
            self._findings = findings
        return findings

    @property
    def rows_beyond(self) -> int:
        """Rows fetched by the queries that are not kept in detail."""
        return sum(counter.rows for counter, _ in self._beyond() if self._counts(counter))

    def _about(self, profile: Profile) -> Profile:
        queries = [
            query
            for query in profile.queries
            if query.started >= self._cleared_at and self._is_used(query.database.name)
        ]
        return replace(profile, queries=tuple(queries))

    def _is_used(self, database: str) -> bool:
        return self._using is None or database in self._using

    def _counts(self, sent: Query | Counter) -> bool:
        return self._every or counting_class(sent) == "app"

    def _beyond(self) -> Iterator[tuple[Counter, int]]:
        for counter in self.profile.counters:
            number = counter.count - self._cleared.get(counter, 0)
            if number and self._is_used(counter.database.name if counter.database is not None else ""):
                yield counter, number

    def _judged(self, kinds: frozenset[str]) -> list[Finding]:
        is_test_file = current_project().is_test_file
        return [
            finding
            for finding in self.findings
            if finding.kind in kinds and is_applications(finding, is_test_file) and not self._is_allowed(finding)
        ]

    def _is_allowed(self, finding: Finding) -> bool:
        return any(queries.issuperset(finding.queries) for queries in self._allowed)

    def __repr__(self) -> str:
        return f"<QueryLog: {int(self.count)} queries>"
