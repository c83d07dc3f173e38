"""DBP202: fetching the rows took far longer than finding them: too many, or too wide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import duration, quantity
from dbprofile.findings.statements import about, alike

__all__ = ["SlowFetch"]

#: How many times longer than the execution.
LONGER: Final = 3
#: Seconds from which it is a warning.
LONG: Final = 1.0


@dataclass(frozen=True)
class SlowFetch:
    """Fetches that took three times as long as the execution, and so long that it matters. Severity: warning from 1 s, else info."""

    code: ClassVar[str] = "DBP202"
    kind: ClassVar[str] = "slow_fetch"

    ms: float = 100.0
    """Milliseconds in fetches."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        slow = [query for query in analysis.profile.queries if self._is_slow(query)]
        for queries in alike(slow):
            slowest = max(queries, key=lambda query: query.fetch_seconds)
            yield about(
                self,
                queries,
                slowest,
                severity=Severity.WARNING if slowest.fetch_seconds >= LONG else Severity.INFO,
                message=f"{duration(slowest.fetch_seconds)} to fetch {quantity(slowest.rows or 0, 'row')}, "
                f"{duration(slowest.seconds)} to find them",
                threshold=self.ms / 1000,
                fix=Fix("read fewer rows or fewer columns, or read them in pieces as they are needed", certain=False),
            )

    def _is_slow(self, query: Query) -> bool:
        return query.fetch_seconds * 1000 >= self.ms and query.fetch_seconds >= LONGER * query.seconds
