"""DBP401: many writes, each in a transaction of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import quantity
from dbprofile.findings.statements import about

__all__ = ["AutocommitLoop"]


@dataclass(frozen=True)
class AutocommitLoop:
    """Writes on one connection that each wait for a commit of their own. Severity: warning."""

    code: ClassVar[str] = "DBP401"
    kind: ClassVar[str] = "autocommit_loop"

    min: int = 10
    """Writes on one connection."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each connection."""
        writes: dict[Hashable, list[Query]] = defaultdict(list)
        for query in analysis.profile.counted:
            if query.autocommit and query.error is None and query.statement.written:
                writes[query.database.name, query.connection].append(query)
        for queries in writes.values():
            if len(queries) >= self.min:
                yield about(
                    self,
                    queries,
                    queries[0],
                    severity=Severity.WARNING,
                    message=f"{quantity(len(queries), 'write')}, each in a transaction of its own",
                    threshold=self.min,
                    fix=Fix("put them into one transaction", certain=False),
                )
