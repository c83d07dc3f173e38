"""DBP404: connections that are opened anew, again and again, where one would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.analysis.stretches import by_connection
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.statements import about

__all__ = ["ConnectionChurn"]

#: Connections of one thread or task to one database that are one too many.
CHURN_MIN: Final = 2


@dataclass(frozen=True)
class ConnectionChurn:
    """Several connections that one thread or task opens to one database, in one unit of work. Severity: info."""

    code: ClassVar[str] = "DBP404"
    kind: ClassVar[str] = "connection_churn"
    asks_of: ClassVar[str] = "connections"

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each database, thread or task, and unit."""
        opened: dict[Hashable, list[tuple[int, Query]]] = defaultdict(list)
        for connection, queries in by_connection(analysis.profile):
            for moment in connection.opened:
                first = next((query for query in queries if query.started >= moment), queries[-1])
                opened[first.database.name, connection.lane, connection.unit].append((moment, first))
        for openings in opened.values():
            if len(openings) >= CHURN_MIN:
                firsts = [query for _, query in sorted(openings, key=lambda opening: opening[0])]
                yield about(
                    self,
                    firsts,
                    firsts[1],
                    severity=Severity.INFO,
                    message=f"{len(firsts)} connections opened, where one would do",
                    threshold=CHURN_MIN,
                    fix=Fix(
                        "keep one open: an engine with a pool for the whole process, or CONN_MAX_AGE", certain=False
                    ),
                )
