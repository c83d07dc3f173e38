"""DBP201: a statement that took too long, counted from its execution to its last fetch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Severity
from dbprofile.findings.numbers import duration, quantity, times
from dbprofile.findings.statements import about, alike

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
        slow = [query for query in analysis.profile.queries if query.total_seconds * 1000 >= self.ms]
        for queries in alike(slow):
            slowest = max(queries, key=lambda query: query.total_seconds)
            yield about(
                self,
                queries,
                slowest,
                severity=Severity.CRITICAL if slowest.total_seconds >= CRITICAL else Severity.WARNING,
                message=_message(slowest, len(queries)),
                threshold=self.ms / 1000,
            )


def _message(slowest: Query, number: int) -> str:
    parts = [f"exec {duration(slowest.seconds)}"]
    if slowest.fetches:
        parts[0] += f" + fetch {duration(slowest.fetch_seconds)}"
    if slowest.rows is not None:
        parts.append(quantity(slowest.rows, "row"))
    often = f"{times(number)}, the slowest " if number > 1 else ""
    return f"{often}{duration(slowest.total_seconds)}  ({', '.join(parts)})"
