"""Group and Analysis: queries that belong together. Unit: what a pass knows of the queries it works on, and how it reads one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from dbprofile.analysis.log import Log
from dbprofile.capture.profile import Profile
from dbprofile.capture.provenance import Lineage
from dbprofile.capture.query import Query
from dbprofile.sql.statement import Statement

__all__ = [
    "Analysis",
    "Group",
    "LineageKeys",
    "Pass",
    "Unit",
    "asked_by_library",
    "ended",
    "invocation_of",
    "operation_of",
    "own_lineage",
    "parent_lineage",
    "path_of",
    "variant_of",
    "without",
]


@dataclass(frozen=True, eq=False)
class Group:
    """Queries that belong together."""

    queries: tuple[Query, ...]
    """Its members, in order."""
    count: int
    """Distinct parents (lineages), invocations (loops, writes), executions (duplicates), questions (redundant)."""
    followed: tuple[Query, ...] = ()
    """Queries that ran because of the members: the eager loads of their rows, the refresh after a write."""
    variant: str = ""
    origin: Query | None = None
    """The query that loaded the rows the members hang on, where it is in the profile."""
    certain: bool = True
    """Whether provenance or a path binds the members, not the statement alone."""
    beyond: int = 0
    """Further executions of the statement that were only counted, beyond the detail limit."""

    @property
    def size(self) -> int:
        """How many executions it stands for."""
        return len(self.queries) + self.beyond

    @property
    def first(self) -> Query:
        """The first member: it names the place and the statement."""
        return self.queries[0]


@dataclass(frozen=True, eq=False)
class Analysis:
    """A profile and what belongs together in it."""

    profile: Profile
    writes: Sequence[Group] = ()
    """One write operation from one place, again and again for a row each."""
    lineages: Sequence[Group] = ()
    """Lazy loads of one relation by sibling rows."""
    loops: Sequence[Group] = ()
    """One statement from one place with ever other parameters."""
    redundant: Sequence[Group] = ()
    """Questions that rows answer which are read as well; the origin is the query that reads them."""
    duplicates: Sequence[Group] = ()
    """The same question asked again."""
    rest: Sequence[Query] = ()

    @cached_property
    def by_text(self) -> Mapping[str, Sequence[Query]]:
        """The queries that count by their text as sent: what a rule asks of a text it asks once."""
        found: dict[str, list[Query]] = {}
        for query in self.profile.counted:
            sql = query.raw_sql
            found.setdefault(sql if type(sql) is str else query.sql, []).append(query)
        return found


class LineageKeys:
    """Lineages by what they mean: two texts of one statement, and two lanes, are one lineage."""

    def __init__(self) -> None:
        self._known: dict[int, Hashable] = {}

    def of(self, lineage: Lineage) -> Hashable:
        """What a lineage is compared by."""
        found = self._known.get(id(lineage))
        if found is None:
            if lineage.parent is not None:
                found = (lineage.kind, lineage.name, self.of(lineage.parent))
            elif lineage.database is not None:
                statement = Statement.of(lineage.name, lineage.database.dialect, lineage.database.paramstyle)
                found = (lineage.kind, statement, lineage.path, lineage.database.name)
            else:
                found = (lineage.kind, lineage.name, lineage.path)
            self._known[id(lineage)] = found
        return found


@dataclass
class Unit:
    """What the passes know of the unit they work on."""

    queries: Sequence[Query]
    roles: dict[Query, str]
    """Of each query of the profile; a pass that sees better changes it for the passes that follow."""
    log: Log
    keys: LineageKeys = field(default_factory=LineageKeys)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The roles that occur: a pass has nothing to do where its own does not."""
        return frozenset(self.roles[query] for query in self.queries)

    def between(self, start: int, end: int, but: Collection[Query] = ()) -> bool:
        """Whether the unit began another query after ``start`` and before ``end`` (``perf_counter_ns``)."""
        return any(start < query.started < end and query not in but for query in self.queries)

    def followers(self, members: Sequence[Query], lineages: Callable[[Query], Lineage | None]) -> tuple[Query, ...]:
        """The eager loads for rows of the members, whose lineage ``lineages`` tells."""
        if "eager" not in self.kinds:
            return ()
        own = {self.keys.of(lineage) for query in members if (lineage := lineages(query)) is not None}
        return tuple(
            query
            for query in self.queries
            if self.roles[query] == "eager" and (above := parent_lineage(query)) and self.keys.of(above) in own
        )


#: A pass takes queries of one unit and answers the groups it found, and the queries that are in none.
Pass = Callable[[Sequence[Query], Unit], tuple[list[Group], list[Query]]]


def without(queries: Sequence[Query], taken: Collection[Query]) -> list[Query]:
    """The queries that are not among the taken ones."""
    return [query for query in queries if query not in taken] if taken else list(queries)


def path_of(query: Query) -> tuple[object, ...]:
    """The call path; where it was not walked the line alone, if that is known."""
    why = query.provenance
    if why is not None and why.path:
        return why.path
    return (query.call_site,) if query.call_site is not None else ()


def asked_by_library(query: Query) -> bool:
    """Whether no line of the application asked: a library did, for a class of the application's that it serves."""
    path = query.provenance.path if query.provenance is not None else ()
    return bool(path) and path[0].template is None and path[0].tag is not None


def variant_of(query: Query) -> str:
    """What is special about the query, as its provenance says."""
    return query.provenance.variant if query.provenance is not None else ""


def operation_of(query: Query) -> str:
    """What the application called; empty where nothing is known."""
    return query.provenance.operation if query.provenance is not None else ""


def invocation_of(query: Query) -> Hashable:
    """What all statements of one call of the application have in common."""
    why = query.provenance
    return why.invocation if why is not None and why.invocation is not None else query


def own_lineage(query: Query) -> Lineage | None:
    """Of the rows that the query delivers."""
    return query.provenance.lineage if query.provenance is not None else None


def parent_lineage(query: Query) -> Lineage | None:
    """Of the object that asked."""
    return query.provenance.parent_lineage if query.provenance is not None else None


def ended(query: Query) -> int:
    """When the query was over: executed, and fetched as far as it was (``perf_counter_ns``)."""
    return query.started + round(query.total_seconds * 1e9)
