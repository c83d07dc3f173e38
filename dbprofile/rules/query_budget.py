"""DBP131: more queries than the budget of this kind of work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis
from dbprofile.findings.finding import Finding, Severity
from dbprofile.findings.numbers import quantity
from dbprofile.findings.places import in_all

__all__ = ["QueryBudget"]


@dataclass(frozen=True)
class QueryBudget:
    """A number of queries that a unit of work may send. Severity: warning; critical from twice the budget."""

    code: ClassVar[str] = "DBP131"
    kind: ClassVar[str] = "query_budget"

    max: int | Mapping[str, int] | None = None
    """A number for requests, or a table by kind of scope; without one the rule is silent."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for a profile over its budget."""
        profile = analysis.profile
        budgets = self.max if isinstance(self.max, Mapping) else {"request": self.max}
        budget = budgets.get(profile.kind)
        if budget is None or profile.query_count <= budget:
            return
        over = profile.query_count - budget
        yield Finding(
            code=self.code,
            kind=self.kind,
            severity=Severity.CRITICAL if profile.query_count >= 2 * budget else Severity.WARNING,
            subject=profile.name,
            message=f"{quantity(profile.query_count, 'query', 'queries')}, {over:,} over the budget of {budget:,}",
            count=profile.query_count,
            seconds=in_all(profile.counted),
            threshold=budget,
            queries=profile.counted,
        )
