"""DBP111: the same query with the same parameters, asked again although nothing was written in between."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis, Group
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import times
from dbprofile.findings.places import in_all, place_of

__all__ = ["DuplicateQuery"]

_MANY: Final = 5
_LONG: Final = 0.02


@dataclass(frozen=True)
class DuplicateQuery:
    """The same question asked twice. Severity: warning from 5 executions or 20 ms in all, else info."""

    code: ClassVar[str] = "DBP111"
    kind: ClassVar[str] = "duplicate_query"

    min: int = 2
    """Executions that make a duplicate."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each question that was asked again."""
        for group in analysis.duplicates:
            if group.count >= self.min:
                yield self._finding(group)

    def _finding(self, group: Group) -> Finding:
        first = group.first
        seconds = in_all(group.queries)
        places = tuple(dict.fromkeys(place for query in group.queries if (place := place_of(query)) is not None))
        why = first.provenance
        relation = why.relation if why is not None and why.role == "lazy" else None
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=Severity.WARNING if group.count >= _MANY or seconds >= _LONG else Severity.INFO,
            subject=relation or first.statement.shape,
            message=f"{times(group.count)} the same query with the same parameters",
            count=group.count,
            seconds=seconds,
            avoidable_seconds=seconds * (1 - 1 / group.count),
            threshold=self.min,
            relation=relation,
            trigger=places[0] if places else None,
            callers=places[1:6],
            statement=first.statement,
            fix=Fix("read it once and keep the answer, or cache it", leaves=1, certain=False),
            queries=group.queries,
            operation=why.operation if why is not None else "",
        )
