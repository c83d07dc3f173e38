"""Loops: reads of one statement from one call path whose parameter sets differ, and that are none of the look-alikes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.groups import Group, ended, invocation_of, own_lineage, path_of, without
from dbprofile.analysis.lookalikes import LOOP_LOOKALIKES
from dbprofile.analysis.variation import parameter_sets

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dbprofile.analysis.groups import Unit
    from dbprofile.capture.query import Query

__all__ = ["group_loops", "likely_origin"]

#: Invocations that make a loop without provenance; and without a call path, where only the statement binds them.
LOOP_MIN: Final = 3
PATHLESS_MIN: Final = 5
#: Roles of queries that read what the application asked for.
_ASKING: Final = frozenset({"read", "lazy"})


def group_loops(queries: Sequence[Query], unit: Unit) -> tuple[list[Group], list[Query]]:
    """One statement from one place, each time with other parameters."""
    by_place: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        if unit.roles[query] == "read":
            by_place[query.statement.fingerprint, path_of(query), query.database.name].append(query)
    groups = [group for members in by_place.values() if (group := _loop(members, unit)) is not None]
    return groups, without(queries, {query for group in groups for query in (*group.queries, *group.followed)})


def _loop(members: list[Query], unit: Unit) -> Group | None:
    if len(members) < LOOP_MIN:
        return None
    sets = dict(zip(map(invocation_of, members), parameter_sets(members), strict=True))
    pathless = not path_of(members[0])
    turns = len(set(sets.values()))
    if turns < (PATHLESS_MIN if pathless else LOOP_MIN):
        return None
    if any(query.locks or "locks" in query.statement.flags for query in members):
        return None  # row by row is usually meant
    if any(lookalike(members, unit) for lookalike in LOOP_LOOKALIKES):
        return None
    followed = unit.followers(members, own_lineage)
    lanes = {query.lane for query in members}
    if len(lanes) > 1:
        origin = _parallel_origin(members, lanes, len(sets), unit)
        if origin is None:
            return None
        return Group(tuple(members), len(sets), followed, variant="parallel", origin=origin)
    return Group(
        tuple(members), len(sets), followed, origin=likely_origin(members, len(sets), unit), certain=not pathless
    )


def _parallel_origin(members: list[Query], lanes: set[int], turns: int, unit: Unit) -> Query | None:
    """What the parallel turns were made from: as many rows, read before the first began, by none of their lanes."""
    begun = members[0].started
    for query in unit.queries:
        made = query.rows == turns and ended(query) <= begun
        if made and query.lane not in lanes and unit.roles[query] in _ASKING:
            return query
    return None


def likely_origin(members: Sequence[Query], turns: int, unit: Unit) -> Query | None:
    """The nearest earlier read with as many rows as there are turns; else one with at least as many in the loop's function."""
    site = members[0].call_site
    function = site.function if site is not None else ""
    begun = members[0].started
    earlier = [
        query
        for query in unit.queries
        if query.started < begun and unit.roles[query] in _ASKING and query not in members
    ]
    for query in reversed(earlier):
        if query.rows == turns:
            return query
    for query in reversed(earlier):
        site = query.call_site
        if function and (query.rows or 0) >= turns and site is not None and site.function == function:
            return query
    return None
