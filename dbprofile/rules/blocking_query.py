"""DBP501: a synchronous driver call on a thread that runs an event loop: nothing else moves while it waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import duration
from dbprofile.findings.places import in_all
from dbprofile.findings.statements import about, alike

__all__ = ["BlockingQuery"]

#: Seconds for which the loop stood still, from which it is critical.
LONG: Final = 0.1


@dataclass(frozen=True)
class BlockingQuery:
    """Statements that stop an event loop. Severity: critical from 100 ms, else warning."""

    code: ClassVar[str] = "DBP501"
    kind: ClassVar[str] = "blocking_query"

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        for queries in alike(query for query in analysis.profile.counted if query.on_loop):
            seconds = in_all(queries)
            yield about(
                self,
                queries,
                max(queries, key=lambda query: query.total_seconds),
                severity=Severity.CRITICAL if seconds >= LONG else Severity.WARNING,
                message=f"the event loop stood still for {duration(seconds)}",
                fix=Fix("await an asynchronous driver, or run it in a thread", certain=False),
            )
