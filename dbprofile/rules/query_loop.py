"""DBP102: one statement from one place in the code, again and again with other parameters, where no relation is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis, Group
from dbprofile.findings.finding import Finding, Severity, severity_by_count
from dbprofile.findings.numbers import quantity
from dbprofile.findings.places import callers, in_all, place_of
from dbprofile.findings.problems import fix_of

__all__ = ["QueryLoop"]


@dataclass(frozen=True)
class QueryLoop:
    """A query in a loop that one query for all turns would replace.

    Severity: critical from 50 queries or 100 ms in all, warning from 5 or 20 ms, else info; info where no call path is known.
    """

    code: ClassVar[str] = "DBP102"
    kind: ClassVar[str] = "query_loop"

    min: int = 3
    """Turns with parameters of their own that make a loop."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each group of equal statements from one call path."""
        for group in analysis.loops:
            if group.count >= self.min:
                yield self._finding(group)

    def _finding(self, group: Group) -> Finding:
        first = group.first
        why = first.provenance
        queries = (*group.queries, *group.followed)
        seconds = in_all(queries)
        severity = severity_by_count(group.size, seconds) if group.certain else Severity.INFO
        fix = fix_of(self.kind, group)
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=severity,
            subject=first.statement.shape,
            message=f"{quantity(group.size, 'query', 'queries')} in a loop, each with parameters of its own",
            count=group.count,
            seconds=seconds,
            avoidable_seconds=seconds * (1 - 1 / len(queries)),
            threshold=self.min,
            trigger=place_of(first),
            callers=callers(first),
            origin=place_of(group.origin) if group.origin is not None else None,
            origin_rows=group.origin.rows if group.origin is not None else None,
            statement=first.statement,
            fix=fix,
            queries=queries,
            variant=group.variant,
            operation=why.operation if why is not None else "",
        )
