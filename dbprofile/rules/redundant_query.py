"""DBP112: a question that the rows answer which are read as well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis, Group
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.places import callers, in_all, place_of

__all__ = ["RedundantQuery"]

_LONG: Final = 0.02
_CURES: Final = {
    "exists": "read the rows once and ask them: bool(rows)",
    "count": "read the rows once and count them: len(rows)",
}


@dataclass(frozen=True)
class RedundantQuery:
    """exists() or count() beside all rows of the same condition. Severity: warning from 20 ms, else info."""

    code: ClassVar[str] = "DBP112"
    kind: ClassVar[str] = "redundant_query"

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each question."""
        return map(self._finding, analysis.redundant)

    def _finding(self, group: Group) -> Finding:
        question = group.first
        why = question.provenance
        seconds = in_all(group.queries)
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=Severity.WARNING if seconds >= _LONG else Severity.INFO,
            subject=question.statement.shape,
            message=f"{group.variant}() of rows that are read as well",
            count=group.count,
            seconds=seconds,
            avoidable_seconds=seconds,
            relation=why.relation if why is not None else None,
            trigger=place_of(question),
            callers=callers(question),
            origin=place_of(group.origin) if group.origin is not None else None,
            origin_rows=group.origin.rows if group.origin is not None else None,
            statement=question.statement,
            fix=Fix(_CURES[group.variant], place_of(question), certain=False),
            queries=group.queries,
            variant=group.variant,
            operation=why.operation if why is not None else "",
        )
