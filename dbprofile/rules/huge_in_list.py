"""DBP307: an IN list of so many values that it should be a join or several pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.analysis.variation import measured
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.statements import about, alike

__all__ = ["HugeInList"]

#: Values from which it is a warning.
VERY_LONG: Final = 10_000
#: Shorter texts (characters) hold no such list: two for each value.
_SHORTEST: Final = 2


@dataclass(frozen=True)
class HugeInList:
    """Lists that databases plan badly or refuse. Severity: warning over 10,000 values, else info."""

    code: ClassVar[str] = "DBP307"
    kind: ClassVar[str] = "huge_in_list"

    min: int = 1_000
    """A longer list is huge."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        lengths = {
            query: length
            for text, same in analysis.by_text.items()
            if len(text) > _SHORTEST * self.min and (length := measured(same[0]).longest_list) > self.min
            for query in same
        }
        for queries in alike(lengths):
            longest = max(queries, key=lengths.__getitem__)
            length = lengths[longest]
            yield about(
                self,
                queries,
                longest,
                severity=Severity.WARNING if length > VERY_LONG else Severity.INFO,
                message=f"an IN list of {length:,} values",
                threshold=self.min,
                fix=Fix("join the table or sub-select that the values come from, or ask in pieces", certain=False),
            )
