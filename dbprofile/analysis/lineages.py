"""Lineages: lazy loads of one relation by rows of one query; else of one relation from one call path."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.groups import Group, own_lineage, parent_lineage, path_of, variant_of, without
from dbprofile.analysis.lookalikes import LINEAGE_LOOKALIKES
from dbprofile.analysis.variation import distinct_parents

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dbprofile.analysis.groups import Unit
    from dbprofile.capture.query import Query

__all__ = ["group_lineages"]

#: Parents of one lineage that make a loop; where only relation and path bind them; without a path.
LINEAGE_MIN: Final = 2
PATH_MIN: Final = 3
PATHLESS_MIN: Final = 5


def group_lineages(queries: Sequence[Query], unit: Unit) -> tuple[list[Group], list[Query]]:
    """Rows that each load the same thing: siblings first, then what one place loads for rows of other origins."""
    if "lazy" not in unit.kinds:
        return [], list(queries)
    groups: list[Group] = []
    others: list[Query] = []
    for members in _by_lineage(queries, unit):
        group = _siblings(members, unit)
        if group is None:
            others += members
        elif not any(lookalike(members, unit) for lookalike in LINEAGE_LOOKALIKES):
            groups.append(group)
    groups = _merged(groups) + _by_path(_unlabelled(queries, others, unit), unit)
    return groups, without(queries, {query for group in groups for query in (*group.queries, *group.followed)})


def _merged(groups: list[Group]) -> list[Group]:
    """Groups of one relation and one path as one: the pages of a list are several queries, and one loop reads them all."""
    alike: dict[Hashable, list[Group]] = defaultdict(list)
    for group in groups:
        why = group.first.provenance
        path = path_of(group.first)
        alike[(why.relation, path) if why is not None and why.relation and path else id(group)].append(group)
    return [_one_of(same) if len(same) > 1 else same[0] for same in alike.values()]


def _one_of(groups: Sequence[Group]) -> Group:
    queries = sorted((query for group in groups for query in group.queries), key=lambda query: query.started)
    followed = tuple(query for group in groups for query in group.followed)
    return replace(groups[0], queries=tuple(queries), count=sum(group.count for group in groups), followed=followed)


def _by_lineage(queries: Sequence[Query], unit: Unit) -> list[list[Query]]:
    members: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        lineage = own_lineage(query)
        if lineage is not None and lineage.kind == "R":
            members[unit.keys.of(lineage)].append(query)
    return list(members.values())


def _unlabelled(queries: Sequence[Query], others: Sequence[Query], unit: Unit) -> list[Query]:
    """Lazy loads that no lineage binds to others: in order, those of no group and those without a lineage at all."""
    alone = set(others)
    return [
        query
        for query in queries
        if query in alone or (unit.roles[query] == "lazy" and ((own := own_lineage(query)) is None or own.kind != "R"))
    ]


def _by_path(queries: Sequence[Query], unit: Unit) -> list[Group]:
    members: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        why = query.provenance
        if why is not None and why.role == "lazy" and why.relation and why.variant != "recursive":
            members[why.relation, why.path].append(query)
    groups = []
    for alike in members.values():
        count = distinct_parents(alike)
        bound = bool(path_of(alike[0]))
        if count >= (PATH_MIN if bound else PATHLESS_MIN):
            groups.append(_group(alike, count, unit, certain=bound))
    return groups


def _siblings(members: list[Query], unit: Unit) -> Group | None:
    count = distinct_parents([query for query in members if variant_of(query) != "recursive"])
    if count < LINEAGE_MIN:
        at_one_step = defaultdict(list)
        for query in members:
            at_one_step[path_of(query)[:1]].append(query)
        count = max(map(distinct_parents, at_one_step.values()))
        return _group(members, count, unit) if count >= PATH_MIN else None
    if len(members) == LINEAGE_MIN and path_of(members[0]) != path_of(members[1]):
        return None  # rows[0].customer; rows[-1].customer: written out, no loop
    return _group(members, distinct_parents(members), unit)


def _group(members: list[Query], count: int, unit: Unit, *, certain: bool = True) -> Group:
    return Group(
        tuple(members),
        count,
        unit.followers(members, own_lineage),
        variant="recursive" if "recursive" in map(variant_of, members) else variant_of(members[0]),
        origin=_origin(members, count, unit),
        certain=certain,
    )


def _origin(members: list[Query], count: int, unit: Unit) -> Query | None:
    """The query that loaded the first rows of the lineage; where they are of unknown origin the one that is likely to have."""
    parent = parent_lineage(members[0])
    if parent is None:
        return None
    if parent.root.kind != "Q":
        return _likely_origin(members, count, unit)
    wanted = unit.keys.of(parent.root)
    for candidate in unit.queries:
        lineage = own_lineage(candidate)
        if lineage is not None and lineage.parent is None and unit.keys.of(lineage) == wanted:
            return candidate
    return None


def _likely_origin(members: list[Query], count: int, unit: Unit) -> Query | None:
    """The nearest earlier query that read as many rows of the owner's model."""
    why = members[0].provenance
    owner = (why.relation or "").rpartition(".")[0] if why is not None else ""
    begun = members[0].started
    earlier = [query for query in unit.queries if query.started < begun and query.rows == count]
    return next(
        (query for query in reversed(earlier) if owner and query.provenance and query.provenance.model == owner), None
    )
