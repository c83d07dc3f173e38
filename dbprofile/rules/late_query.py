"""DBP503: statements of a unit of work that was over already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import quantity

__all__ = ["LateQuery"]


#: Kinds of scopes that have units of work inside them.
_ROUND: Final = frozenset({"test", "block", "command"})


@dataclass(frozen=True)
class LateQuery:
    """What a task sent that outlived its request, seen by the test, block or program round it. Severity: info."""

    code: ClassVar[str] = "DBP503"
    kind: ClassVar[str] = "late_query"

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each unit that had closed."""
        if analysis.profile.kind not in _ROUND:
            return  # it saw them pass, but they are those of another unit
        for name, number in analysis.profile.late.items():
            yield Finding(
                code=self.code,
                kind=self.kind,
                severity=Severity.INFO,
                subject=name,
                message=f"{quantity(number, 'query', 'queries')} of {name}, which was over already",
                count=number,
                fix=Fix(
                    "await the task before the response, or give it a unit of its own: dbprofile.record()",
                    certain=False,
                ),
            )
