"""DBP301: rows that were loaded eagerly, and serve nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis, Group, LineageKeys, parent_lineage
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.eager import EagerLoad
from dbprofile.capture.provenance import Lineage
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import quantity
from dbprofile.findings.places import callers, in_all, place_of
from dbprofile.findings.problems import fix_of, fix_of_query, origin_of
from dbprofile.findings.statements import about

__all__ = ["UnusedEagerLoad"]


@dataclass(frozen=True)
class UnusedEagerLoad:
    """A relation that is loaded for all rows at once, and then asked for again by each of them, or never read.

    Severity: warning where it is asked for again, else info.
    """

    code: ClassVar[str] = "DBP301"
    kind: ClassVar[str] = "unused_eager_load"

    audit: bool = False
    """Whether to say also what nobody read, for which every row notes what is read: for tests, and for a whole run."""

    @property
    def asks_of(self) -> str:
        """What it needs to be told of besides queries."""
        return "uses" if self.audit else ""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each N+1 whose parents had the same relation loaded already; in an audit one for each unread relation."""
        asked_again = list(self._asked_again(analysis))
        yield from asked_again
        if self.audit and analysis.profile.eager_loads:
            told = {finding.relation for finding in asked_again}
            yield from (finding for finding in self._unread(analysis) if finding.relation not in told)

    def _asked_again(self, analysis: Analysis) -> Iterable[Finding]:
        eager = [query for query in analysis.profile.counted if _is_eager(query)] if analysis.lineages else ()
        if eager:
            keys = LineageKeys()
            for group in analysis.lineages:
                loads = [query for query in eager if _same_rows(query, group.first, keys)]
                if loads:
                    yield self._finding(loads, group)

    def _unread(self, analysis: Analysis) -> Iterable[Finding]:
        """Of each relation and place all loads together: a branch that one of them did not take another may have."""
        loads: dict[tuple[str, CallSite | None, object], list[EagerLoad]] = defaultdict(list)
        for load in analysis.profile.eager_loads:
            loads[load.relation, load.lineage.origin, load.unit].append(load)
        for (relation, _, _), same in loads.items():
            lineages = {load.lineage for load in same}
            queries = [query for query in analysis.profile.counted if _loaded(query, relation, lineages)]
            # A narrowed question reads what was loaded, and throws it away.
            wasted = sum(_asks_again(query, relation, lineages) for query in analysis.profile.counted)
            rows = sum(load.loads for load in same)
            if rows and queries and sum(load.uses for load in same) <= wasted:
                shown = next((query for query in queries if _is_eager(query)), queries[0])
                yield about(
                    self,
                    queries,
                    shown,
                    severity=Severity.INFO,
                    message=f"{relation} of {quantity(rows, 'row')} loaded at once, and never read",
                    fix=fix_of_query(self.kind, shown, relation)
                    or Fix(f"leave {relation} out where the rows are loaded", certain=False),
                    relation=relation,
                )

    def _finding(self, loads: Sequence[Query], group: Group) -> Finding:
        why = group.first.provenance
        relation = why.relation if why is not None else None
        call = f"{why.operation}()" if why is not None and why.operation else "each row's own query"
        seconds = in_all(loads)
        rows = sum(query.rows or 0 for query in loads)
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=Severity.WARNING,
            subject=relation or group.first.statement.shape,
            message=f"{quantity(rows, 'row')} of {relation} loaded at once, which do not serve {call}",
            count=len(loads),
            seconds=seconds,
            avoidable_seconds=seconds,
            relation=relation,
            relation_kind=why.relation_kind if why is not None else "",
            trigger=place_of(group.first),
            callers=callers(group.first),
            origin=origin_of(group),
            statement=loads[0].statement,
            fix=fix_of("n_plus_one", group) or Fix(f"leave out the eager load of {relation}", certain=False),
            queries=tuple(loads),
            operation=why.operation if why is not None else "",
        )


def _is_eager(query: Query) -> bool:
    return query.provenance is not None and query.provenance.role == "eager" and query.provenance.relation is not None


def _loaded(query: Query, relation: str, lineages: Collection[Lineage]) -> bool:
    """Whether a query loaded a relation at once, for rows of these lineages, or the rows that it came joined into."""
    why = query.provenance
    if why is None:
        return False
    if why.role == "eager":
        return why.relation == relation and why.parent_lineage in lineages
    return why.role == "read" and why.lineage in {lineage.root for lineage in lineages}


def _asks_again(query: Query, relation: str, lineages: Collection[Lineage]) -> bool:
    """Whether a row of these lineages asked for a relation by a query of its own."""
    why = query.provenance
    return why is not None and why.role == "lazy" and why.relation == relation and why.parent_lineage in lineages


def _same_rows(load: Query, lazy: Query, keys: LineageKeys) -> bool:
    """Whether both are of one relation, for rows of one query."""
    one, other = load.provenance, lazy.provenance
    if one is None or other is None or one.relation != other.relation or lazy.unit != load.unit:
        return False
    above, below = parent_lineage(load), parent_lineage(lazy)
    return above is not None and below is not None and keys.of(above) == keys.of(below)
