"""DBP306: values written into the text of a statement instead of being handed over as parameters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis
from dbprofile.analysis.variation import measured
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.statements import about

__all__ = ["LiteralSQL"]


@dataclass(frozen=True)
class LiteralSQL:
    """Several texts of one statement that differ in their literals. Severity: warning, for injection and for the plan cache."""

    code: ClassVar[str] = "DBP306"
    kind: ClassVar[str] = "literal_sql"

    min: int = 3
    """Different texts of one statement."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement."""
        alike: dict[Hashable, list[Query]] = defaultdict(list)
        for same in analysis.by_text.values():
            if _has_no_parameters(same[0]):
                alike[same[0].statement, same[0].database.name].extend(same)
        for queries in alike.values():
            if len({query.sql for query in queries}) < self.min or not _differ_in_values(queries):
                continue
            yield about(
                self,
                queries,
                queries[0],
                severity=Severity.WARNING,
                message=f"{len({query.sql for query in queries}):,} texts of one statement, with their values written in",
                threshold=self.min,
                fix=Fix("hand the values over as parameters: execute(sql, parameters)", certain=False),
            )


def _has_no_parameters(query: Query) -> bool:
    return query.parameters is not None and query.parameters.count == 0 and query.batch_size is None


def _differ_in_values(queries: Iterable[Query]) -> bool:
    """Not only in a comment, and not in LIMIT and OFFSET, which some libraries write as they are."""
    told = {
        tuple(value.hash for value in measured(query).values if value.role not in {"limit", "offset"})
        for query in queries
    }
    return len(told) > 1
