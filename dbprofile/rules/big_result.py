"""DBP304: a SELECT without a limit that delivers very many rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import quantity
from dbprofile.findings.statements import about, alike

__all__ = ["BigResult"]

#: Rows from which it is a warning.
MANY: Final = 10_000


@dataclass(frozen=True)
class BigResult:
    """A result that grows with the table. Severity: warning from 10,000 rows, else info."""

    code: ClassVar[str] = "DBP304"
    kind: ClassVar[str] = "big_result"

    rows: int = 1_000
    """Rows that one execution delivers."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        for queries in alike(query for query in analysis.profile.counted if self._is_big(query)):
            biggest = max(queries, key=lambda query: query.rows or 0)
            rows = biggest.rows or 0
            yield about(
                self,
                queries,
                biggest,
                severity=Severity.WARNING if rows >= MANY else Severity.INFO,
                message=f"{quantity(rows, 'row')}, and no limit",
                threshold=self.rows,
                fix=Fix("read a page of them (LIMIT), or iterate in pieces", certain=False),
            )

    def _is_big(self, query: Query) -> bool:
        if (query.rows or 0) < self.rows or query.statement.written:
            return False
        traits = query.statement.traits
        return not traits.has_limit and not traits.aggregate_only
