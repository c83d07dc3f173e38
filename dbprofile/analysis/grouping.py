"""The analysis of a profile: its units, and the passes over each. A group consumes its queries, so no query is in two."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.duplicates import group_duplicates
from dbprofile.analysis.groups import Analysis, Group, Pass, Unit
from dbprofile.analysis.lineages import group_lineages
from dbprofile.analysis.log import Log
from dbprofile.analysis.loops import group_loops
from dbprofile.analysis.redundant import group_redundant
from dbprofile.analysis.units import by_unit, role
from dbprofile.analysis.writes import group_writes

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dbprofile.capture.profile import Profile
    from dbprofile.capture.query import Query

__all__ = ["analyse"]

#: In the order in which they take their queries.
_PASSES: Final[tuple[tuple[str, Pass], ...]] = (
    ("writes", group_writes),
    ("lineages", group_lineages),
    ("loops", group_loops),
    ("redundant", group_redundant),
    ("duplicates", group_duplicates),
)


def analyse(profile: Profile) -> Analysis:
    """Group the queries of a profile. Pure: nothing is written to the queries, so an open profile can be analysed again."""
    log = Log(profile.queries)
    found: dict[str, list[Group]] = {name: [] for name, _ in _PASSES}
    rest: list[Query] = []
    roles = {query: role(query) for query in profile.queries}
    for queries in by_unit(roles, log):
        unit = Unit(queries, roles, log)
        left: Sequence[Query] = queries
        for name, one_pass in _PASSES:
            groups, left = one_pass(left, unit)
            found[name].extend(groups)
        rest.extend(left)
    if profile.counters:
        _count_beyond(profile, found["writes"], found["lineages"], found["loops"])
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
