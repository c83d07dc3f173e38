"""DBP305: an OFFSET so deep that the database reads and throws away more than it delivers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.analysis.variation import offset_of
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.statements import about, alike

__all__ = ["DeepOffset"]

#: Rows from which it is a warning.
VERY_DEEP: Final = 10_000


@dataclass(frozen=True)
class DeepOffset:
    """Pages far down, which cost as much as all pages before them. Severity: warning from 10,000 rows, else info."""

    code: ClassVar[str] = "DBP305"
    kind: ClassVar[str] = "deep_offset"

    rows: int = 1_000
    """Rows that are skipped; a statement whose offset is not known is left alone."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        with_offset = [
            query for same in analysis.by_text.values() if same[0].statement.traits.has_offset for query in same
        ]
        deep = {query: depth for query in with_offset if (depth := offset_of(query) or 0) >= self.rows}
        for queries in alike(deep):
            deepest = max(queries, key=deep.__getitem__)
            depth = deep[deepest]
            yield about(
                self,
                queries,
                deepest,
                severity=Severity.WARNING if depth >= VERY_DEEP else Severity.INFO,
                message=f"skips {depth:,} rows to read its page",
                threshold=self.rows,
                fix=Fix("page by the last key seen: WHERE id > … ORDER BY id LIMIT …", certain=False),
            )
