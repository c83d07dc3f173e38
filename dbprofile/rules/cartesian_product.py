"""DBP303: rows that multiply each other, because two collections are joined side by side, or two tables without a condition."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import quantity
from dbprofile.findings.problems import fix_of_query
from dbprofile.findings.statements import about, alike
from dbprofile.sql.joins import unjoined

__all__ = ["CartesianProduct"]

#: Rows from which it is critical.
MANY: Final = 1_000


@dataclass(frozen=True)
class CartesianProduct:
    """A result of every row with every row. Severity: critical from 1,000 rows, else warning."""

    code: ClassVar[str] = "DBP303"
    kind: ClassVar[str] = "cartesian_product"

    rows: int = 100
    """Rows that one execution delivers."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        for queries in alike(query for query in analysis.profile.counted if (query.rows or 0) >= self.rows):
            factors = _factors(queries[0])
            if not factors:
                continue
            biggest = max(queries, key=lambda query: query.rows or 0)
            rows = biggest.rows or 0
            named = f"{', '.join(factors[:-1])} and {factors[-1]}"
            if queries[0].siblings:
                message = f"{quantity(rows, 'row')}: {named} are joined side by side and multiply each other"
                fix = fix_of_query(self.kind, biggest, factors[-1]) or Fix(
                    f"load {factors[-1]} with a query of its own", certain=False
                )
            else:
                message = f"{quantity(rows, 'row')}: no condition joins {named}"
                fix = Fix(f"add the condition that joins {named}, or leave one of them out", certain=False)
            yield about(
                self,
                queries,
                biggest,
                severity=Severity.CRITICAL if rows >= MANY else Severity.WARNING,
                message=message,
                threshold=self.rows,
                fix=fix,
            )


def _factors(query: Query) -> tuple[str, ...]:
    """What each row of one is delivered with each row of; empty where rows do not multiply."""
    if query.siblings:
        return query.siblings
    database = query.database
    return unjoined(query.sql, database.dialect, database.paramstyle)
