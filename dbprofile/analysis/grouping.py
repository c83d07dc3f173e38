"""The passes that group queries: lineages, loops, duplicates. Each is ``queries -> (groups, leftovers)`` over one unit.

A group consumes its queries, so each query is in at most one group by construction.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.log import Log
from dbprofile.analysis.lookalikes import LOOP_LOOKALIKES
from dbprofile.analysis.units import by_unit, role
from dbprofile.analysis.variation import distinct_parents, parameter_sets
from dbprofile.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from dbprofile.capture.profile import Profile
    from dbprofile.capture.provenance import Lineage
    from dbprofile.capture.query import Query

__all__ = ["Analysis", "Group", "analyse"]

#: Parents of one lineage that make a loop; where only relation and path bind them; invocations without provenance.
LINEAGE_MIN: Final = 2
PATH_MIN: Final = 3
LOOP_MIN: Final = 3
#: Without a call path only many equal statements are believed to be a loop.
PATHLESS_MIN: Final = 5
DUPLICATE_MIN: Final = 2
#: Two equal queries at one place that are further apart (nanoseconds) are a poll, or a retry.
POLL_GAP: Final = 50_000_000
IDLE_GAP: Final = 5_000_000
#: Roles of queries that ask something.
_ASKING: Final = frozenset({"read", "lazy"})


@dataclass(frozen=True, eq=False)
class Group:
    """Queries that belong together."""

    queries: tuple[Query, ...]
    """Its members, in order."""
    count: int
    """Distinct parents (lineages), invocations (loops), executions (duplicates)."""
    followed: tuple[Query, ...] = ()
    """Queries that ran because of the members: the eager loads of their rows."""
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
    lineages: Sequence[Group] = ()
    """Lazy loads of one relation by sibling rows."""
    loops: Sequence[Group] = ()
    """One statement from one place with ever other parameters."""
    duplicates: Sequence[Group] = ()
    """The same question asked again."""
    writes: Sequence[Group] = ()
    redundant: Sequence[Group] = ()
    rest: Sequence[Query] = ()


class _LineageKeys:
    """Lineages by what they mean: two texts of one statement, and two lanes, are one lineage."""

    def __init__(self) -> None:
        self._known: dict[int, Hashable] = {}

    def of(self, lineage: Lineage) -> Hashable:
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
class _Unit:
    """What the passes know of the unit they work on."""

    queries: Sequence[Query]
    roles: Mapping[Query, str]
    log: Log
    keys: _LineageKeys = field(default_factory=_LineageKeys)


def analyse(profile: Profile) -> Analysis:
    """Group the queries of a profile. Pure: nothing is written to the queries, so an open profile can be analysed again."""
    log = Log(profile.queries)
    found: dict[str, list[Group]] = {"lineages": [], "loops": [], "duplicates": []}
    rest: list[Query] = []
    roles = {query: role(query) for query in profile.queries}
    for queries in by_unit(roles):
        unit = _Unit(queries, roles, log)
        left: Sequence[Query] = queries
        for name, one_pass in _PASSES:
            groups, left = one_pass(left, unit)
            found[name].extend(groups)
        rest.extend(left)
    if profile.counters:
        _count_beyond(profile, found["lineages"], found["loops"])
    return Analysis(profile, **found, rest=tuple(rest))


def _count_beyond(profile: Profile, *kinds: list[Group]) -> None:
    """Add what was only counted to the one group of the same statement; where two may be meant it stays a number of the profile."""
    counted: dict[Hashable, int] = defaultdict(int)
    for counter in profile.counters:
        if counter.database is not None:
            counted[counter.statement, counter.database.name] += counter.count
    owners: dict[Hashable, int] = defaultdict(int)
    for groups in kinds:
        for group in groups:
            owners[group.first.statement, group.first.database.name] += 1
    for groups in kinds:
        for index, group in enumerate(groups):
            key = (group.first.statement, group.first.database.name)
            if owners[key] == 1 and counted[key]:
                groups[index] = replace(group, count=group.count + counted[key], beyond=counted[key])


# --- lineages -------------------------------------------------------------------------------------------------------


def lineages(queries: Sequence[Query], unit: _Unit) -> tuple[list[Group], list[Query]]:
    """Lazy loads of one relation by rows of one query; else of one relation from one call path."""
    by_lineage: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        why = query.provenance
        if why is not None and why.lineage is not None and why.lineage.kind == "R":
            by_lineage[unit.keys.of(why.lineage)].append(query)
    groups = [group for members in by_lineage.values() if (group := _siblings(members, unit)) is not None]
    taken = {query for group in groups for query in group.queries}

    by_path: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        why = query.provenance
        if (
            query not in taken
            and unit.roles[query] == "lazy"
            and why is not None
            and why.relation
            and why.variant != "recursive"
        ):
            by_path[why.relation, why.path].append(query)
    for members in by_path.values():
        count = distinct_parents(members)
        if count >= (PATH_MIN if _path(members[0]) else PATHLESS_MIN):
            groups.append(_lineage_group(members, count, unit))
            taken.update(members)

    taken.update(query for group in groups for query in group.followed)
    return groups, _without(queries, taken)


def _siblings(members: list[Query], unit: _Unit) -> Group | None:
    count = distinct_parents([query for query in members if _variant(query) != "recursive"])
    if count < LINEAGE_MIN:
        at_one_step = defaultdict(list)
        for query in members:
            at_one_step[_path(query)[:1]].append(query)
        count = max(map(distinct_parents, at_one_step.values()))
        return _lineage_group(members, count, unit) if count >= PATH_MIN else None
    if len(members) == LINEAGE_MIN and _path(members[0]) != _path(members[1]):
        return None  # rows[0].customer; rows[-1].customer: written out, no loop
    return _lineage_group(members, distinct_parents(members), unit)


def _lineage_group(members: list[Query], count: int, unit: _Unit) -> Group:
    own = {unit.keys.of(lineage) for query in members if (lineage := _own_lineage(query)) is not None}
    followed = [
        query
        for query in unit.queries
        if unit.roles[query] == "eager" and (above := _parent_lineage(query)) is not None and unit.keys.of(above) in own
    ]
    return Group(
        tuple(members),
        count,
        tuple(followed),
        variant=_variant(members[0]),
        origin=_origin_of_lineage(members[0], unit),
    )


def _origin_of_lineage(query: Query, unit: _Unit) -> Query | None:
    parent = _parent_lineage(query)
    if parent is None or parent.root.kind != "Q":
        return None
    wanted = unit.keys.of(parent.root)
    for candidate in unit.queries:
        lineage = _own_lineage(candidate)
        if lineage is not None and lineage.parent is None and unit.keys.of(lineage) == wanted:
            return candidate
    return None


# --- loops ----------------------------------------------------------------------------------------------------------


def loops(queries: Sequence[Query], unit: _Unit) -> tuple[list[Group], list[Query]]:
    """Reads of one statement from one call path whose parameter sets differ, and that are none of the look-alikes."""
    by_place: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        if unit.roles[query] == "read":
            by_place[query.statement.fingerprint, _path(query), query.database.name].append(query)
    groups = [group for members in by_place.values() if (group := _loop(members, unit)) is not None]
    return groups, _without(queries, {query for group in groups for query in group.queries})


def _loop(members: list[Query], unit: _Unit) -> Group | None:
    if len(members) < LOOP_MIN:
        return None
    sets = dict(zip(map(_invocation, members), parameter_sets(members), strict=True))
    pathless = not _path(members[0])
    if len(set(sets.values())) < (PATHLESS_MIN if pathless else LOOP_MIN):
        return None
    if "locks" in members[0].statement.flags or any(query.locks for query in members):
        return None
    if any(lookalike(members) for lookalike in LOOP_LOOKALIKES):
        return None
    lanes = {query.lane for query in members}
    if len(lanes) > 1:
        origin = _parallel_origin(members, lanes, len(sets), unit)
        return Group(tuple(members), len(sets), variant="parallel", origin=origin) if origin is not None else None
    return Group(tuple(members), len(sets), origin=_likely_origin(members, len(sets), unit), certain=not pathless)


def _parallel_origin(members: list[Query], lanes: set[int], turns: int, unit: _Unit) -> Query | None:
    """What the parallel turns were made from: as many rows, read before the first began, by none of their lanes."""
    begun = members[0].started
    for query in unit.queries:
        over = query.started + round(query.total_seconds * 1e9) <= begun
        if over and query.rows == turns and query.lane not in lanes and unit.roles[query] in {"read", "lazy"}:
            return query
    return None


def _likely_origin(members: list[Query], turns: int, unit: _Unit) -> Query | None:
    """The nearest earlier read with as many rows as there are turns; else one with at least as many in the loop's function."""
    site = members[0].call_site
    function = site.function if site is not None else ""
    earlier = [query for query in unit.queries if query.started < members[0].started and unit.roles[query] == "read"]
    for query in reversed(earlier):
        if query.rows == turns:
            return query
    for query in reversed(earlier):
        site = query.call_site
        if function and (query.rows or 0) >= turns and site is not None and site.function == function:
            return query
    return None


# --- duplicates -----------------------------------------------------------------------------------------------------


def duplicates(queries: Sequence[Query], unit: _Unit) -> tuple[list[Group], list[Query]]:
    """The same statement with the same parameters in one transaction, without a write to its tables in between."""
    by_statement: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        if unit.roles[query] in _ASKING:
            by_statement[query.statement.fingerprint, query.database.name].append(query)
    by_question: dict[Hashable, list[Query]] = defaultdict(list)
    for statement, same in by_statement.items():
        members = [query for query in same if _may_repeat(query)] if len(same) >= DUPLICATE_MIN else []
        for query, parameters in zip(members, parameter_sets(members), strict=True):
            by_question[statement, parameters, query.transaction, _asked_by(query)].append(query)
    groups: list[Group] = []
    for members in by_question.values():
        if len(members) >= DUPLICATE_MIN:
            runs = _runs(members, unit.log)
            groups.extend(Group(tuple(run), len(run)) for run in runs if len(run) >= DUPLICATE_MIN)
    return groups, _without(queries, {query for group in groups for query in group.queries})


def _asked_by(query: Query) -> Hashable:
    why = query.provenance
    return (why.relation, why.parent) if why is not None and why.role == "lazy" else None


def _may_repeat(query: Query) -> bool:
    statement = query.statement
    if not statement.tables or statement.traits.volatile:
        return False
    return not (query.locks or "locks" in statement.flags or _variant(query) == "refresh")


def _runs(members: list[Query], log: Log) -> list[list[Query]]:
    """Members cut where a write, a failure or the passing of time makes asking again sensible."""
    runs = [[members[0]]]
    for before, after in pairwise(members):
        end = before.started + round(before.total_seconds * 1e9)
        changed = log.written_between(before.statement.tables, before.started, after.started)
        if changed or log.failed_between(before.started, after.started) or _polls(before, after, end, log):
            runs.append([])
        runs[-1].append(after)
    return runs


def _polls(before: Query, after: Query, end: int, log: Log) -> bool:
    if _path(before) != _path(after):
        return False
    if before.rows == 0 or before.rows != after.rows or before.answer != after.answer:
        return True  # it waited for another answer, and got one
    gap = after.started - end
    return gap > POLL_GAP or (gap > IDLE_GAP and not log.anything_between(before.started, after.started))


_PASSES: Final[tuple[tuple[str, Callable[[Sequence[Query], _Unit], tuple[list[Group], list[Query]]]], ...]] = (
    ("lineages", lineages),
    ("loops", loops),
    ("duplicates", duplicates),
)


def _without(queries: Sequence[Query], taken: set[Query]) -> list[Query]:
    return [query for query in queries if query not in taken] if taken else list(queries)


# --- what a query says of itself ------------------------------------------------------------------------------------


def _path(query: Query) -> tuple[object, ...]:
    why = query.provenance
    if why is not None and why.path:
        return why.path
    return (query.call_site,) if query.call_site is not None else ()


def _variant(query: Query) -> str:
    return query.provenance.variant if query.provenance is not None else ""


def _invocation(query: Query) -> Hashable:
    why = query.provenance
    return why.invocation if why is not None and why.invocation is not None else query


def _own_lineage(query: Query) -> Lineage | None:
    return query.provenance.lineage if query.provenance is not None else None


def _parent_lineage(query: Query) -> Lineage | None:
    return query.provenance.parent_lineage if query.provenance is not None else None
