"""DBP101: sibling rows that each load the same relation or column with a query of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from dbprofile.analysis.groups import Analysis, Group, own_lineage
from dbprofile.capture.callsite import CallSite
from dbprofile.findings.finding import Finding, Fix, Severity, severity_by_count
from dbprofile.findings.numbers import quantity
from dbprofile.findings.places import callers, in_all, place_of
from dbprofile.findings.problems import fix_of, origin_of

__all__ = ["NPlusOne"]


@dataclass(frozen=True)
class NPlusOne:
    """Queries that load one relation row by row.

    Severity: critical from 50 queries or 100 ms in all, warning from 5 or 20 ms, else info.
    """

    code: ClassVar[str] = "DBP101"
    kind: ClassVar[str] = "n_plus_one"

    min: int = 2
    """Parents that make a loop; where only relation and call path bind them, three at the least."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each group of lazy loads."""
        groups = [group for group in analysis.lineages if group.count >= self.min]
        for group in groups:
            yield self._finding(group, _chain(group, groups))

    def _finding(self, group: Group, chain: Sequence[Group]) -> Finding:
        first = group.first
        why = first.provenance
        queries = (*group.queries, *group.followed)
        seconds = in_all(queries)
        severity = severity_by_count(group.size, seconds)
        if any(query.locks or "locks" in query.statement.flags for query in group.queries):
            severity = Severity.INFO  # row-by-row locking is usually meant
        fix = _fix(self.kind, group, chain)
        left = fix.leaves if fix is not None else 1
        relation = why.relation if why is not None else None
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=severity,
            subject=relation or first.statement.shape,
            message=_message(group, fix, relation),
            count=group.count,
            seconds=seconds,
            avoidable_seconds=seconds * (1 - left / max(len(queries), 1)),
            threshold=self.min,
            relation=relation,
            relation_kind=why.relation_kind if why is not None else "",
            trigger=place_of(first),
            callers=callers(first),
            origin=_shown_origin(group, fix),
            origin_rows=group.origin.rows if group.origin is not None else None,
            statement=first.statement,
            fix=fix,
            queries=queries,
            variant=group.variant,
            operation=why.operation if why is not None else "",
        )


def _chain(group: Group, groups: Sequence[Group]) -> list[Group]:
    """The groups of one chain of relations that a group is in, up to the deepest: one edit cures them all."""
    own = own_lineage(group.first)
    if own is None or group.variant:
        return [group]
    deeper = [
        other
        for other in groups
        if not other.variant and (lineage := own_lineage(other.first)) is not None and own in lineage.chain
    ]
    deepest = max(deeper, key=_depth, default=group)
    lineage = own_lineage(deepest.first)
    links = lineage.chain if lineage is not None else ()
    return [other for other in groups if own_lineage(other.first) in links and not other.variant] or [group]


def _depth(group: Group) -> int:
    lineage = own_lineage(group.first)
    return lineage.depth if lineage is not None else 0


def _fix(kind: str, group: Group, chain: Sequence[Group]) -> Fix | None:
    """The edit for the deepest relation of the chain that one edit cures; else what is advised for the group's own."""
    for deepest in sorted(chain, key=_depth, reverse=True):
        up_to = [other for other in chain if _depth(other) <= _depth(deepest)]
        fix = fix_of(kind, deepest, up_to) if group in up_to else None
        if fix is not None and fix.kind != "advice":
            replaced = sum(len(other.queries) + len(other.followed) for other in up_to)
            return fix if len(up_to) == 1 else replace(fix, replaces=replaced)
    return fix_of(kind, group)


def _shown_origin(group: Group, fix: Fix | None) -> CallSite | None:
    """Where the rows come from, for people: a lazy query runs in some loop, but is written where the fix goes."""
    if fix is not None and fix.certain and fix.place is not None and fix.kind != "advice":
        return fix.place
    return origin_of(group)


def _message(group: Group, fix: Fix | None, relation: str | None) -> str:
    what = quantity(group.size, "query", "queries")
    if group.variant != "deferred" and fix is not None and fix.kind in {"add_call", "add_options", "replace"}:
        return f"{what} that one {'JOIN replaces' if fix.leaves == 0 else 'query replaces'}"
    return f"{what} for {relation}, one for each row" if relation else f"{what}, one for each row"
