"""DBP201: a statement that took too long, counted from its execution to its last fetch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Severity
from dbprofile.findings.numbers import duration, quantity, times
from dbprofile.findings.places import callers, in_all, place_of

__all__ = ["SlowQuery"]

#: Seconds from which a slow query is critical.
CRITICAL: Final = 5.0


@dataclass(frozen=True)
class SlowQuery:
    """Executions at or over the threshold, one finding for each statement and place. Severity: warning; critical from 5 s."""

    code: ClassVar[str] = "DBP201"
    kind: ClassVar[str] = "slow_query"

    ms: float = 100.0
    """Milliseconds, execute and fetch together."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """The slow statements of a profile, in order of first appearance."""
        slow: dict[Hashable, list[Query]] = defaultdict(list)
        for query in analysis.profile.queries:
            if query.total_seconds * 1000 >= self.ms:
                slow[query.statement, place_of(query), query.database.name].append(query)
        for queries in slow.values():
            yield self._finding(queries)

    def _finding(self, queries: list[Query]) -> Finding:
        slowest = max(queries, key=lambda query: query.total_seconds)
        why = slowest.provenance
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=Severity.CRITICAL if slowest.total_seconds >= CRITICAL else Severity.WARNING,
            subject=slowest.statement.shape,
            message=_message(slowest, len(queries)),
            count=len(queries),
            seconds=in_all(queries),
            threshold=self.ms / 1000,
            relation=why.relation if why is not None else None,
            trigger=place_of(slowest),
            callers=callers(slowest),
            statement=slowest.statement,
            queries=tuple(queries),
            operation=why.operation if why is not None else "",
        )


def _message(slowest: Query, number: int) -> str:
    parts = [f"exec {duration(slowest.seconds)}"]
    if slowest.fetches:
        parts[0] += f" + fetch {duration(slowest.fetch_seconds)}"
    if slowest.rows is not None:
        parts.append(quantity(slowest.rows, "row"))
    often = f"{times(number)}, the slowest " if number > 1 else ""
    return f"{often}{duration(slowest.total_seconds)}  ({', '.join(parts)})"
