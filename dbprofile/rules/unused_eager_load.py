"""DBP301: rows that were loaded eagerly although what the application asks of each parent does not use them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis, Group, LineageKeys, parent_lineage
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import quantity
from dbprofile.findings.places import callers, in_all, place_of
from dbprofile.findings.problems import fix_of, origin_of

__all__ = ["UnusedEagerLoad"]


@dataclass(frozen=True)
class UnusedEagerLoad:
    """A relation that is loaded for all rows at once, and then asked for again by each of them. Severity: warning."""

    code: ClassVar[str] = "DBP301"
    kind: ClassVar[str] = "unused_eager_load"

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each N+1 whose parents had the same relation loaded already."""
        eager = [query for query in analysis.profile.counted if _is_eager(query)] if analysis.lineages else ()
        if eager:
            keys = LineageKeys()
            for group in analysis.lineages:
                loads = [query for query in eager if _same_rows(query, group.first, keys)]
                if loads:
                    yield self._finding(loads, group)

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


def _same_rows(load: Query, lazy: Query, keys: LineageKeys) -> bool:
    """Whether both are of one relation, for rows of one query."""
    one, other = load.provenance, lazy.provenance
    if one is None or other is None or one.relation != other.relation or lazy.unit != load.unit:
        return False
    above, below = parent_lineage(load), parent_lineage(lazy)
    return above is not None and below is not None and keys.of(above) == keys.of(below)
