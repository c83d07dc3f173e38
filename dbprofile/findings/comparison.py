"""Comparison: what changed between two reports of the same page: queries, time, the statements that explain it, findings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.counters import counting_class
from dbprofile.findings.finding import Finding
from dbprofile.findings.places import place_of
from dbprofile.findings.report import Report
from dbprofile.sql.statement import Statement

__all__ = ["Change", "Comparison"]


@dataclass(frozen=True)
class Change:
    """A statement that one report has more often than the other."""

    statement: Statement
    database: str
    before: int
    after: int
    place: CallSite | None
    """The first line that ran it, of the later report if that has it at all."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """One report beside another."""

    before: Report
    after: Report

    @property
    def is_more(self) -> bool:
        """Whether the later one has more queries."""
        return self.after.profile.query_count > self.before.profile.query_count

    @cached_property
    def changes(self) -> Sequence[Change]:
        """The statements that differ in number, those that differ most first."""
        counts = (_counts(self.before), _counts(self.after))
        places = _places(self.before) | _places(self.after)
        found = [
            Change(statement, database, before, after, places.get((statement, database)))
            for statement, database in dict.fromkeys((*counts[0], *counts[1]))
            if (before := counts[0].get((statement, database), 0)) != (after := counts[1].get((statement, database), 0))
        ]
        return sorted(found, key=lambda change: -abs(change.after - change.before))

    @cached_property
    def gone(self) -> Sequence[Finding]:
        """Findings of the earlier report that the later one has not."""
        return _without(self.before.findings, self.after.findings)

    @cached_property
    def new(self) -> Sequence[Finding]:
        """Findings of the later report that the earlier one had not."""
        return _without(self.after.findings, self.before.findings)


def _counts(report: Report) -> dict[tuple[Statement, str], int]:
    """How often each statement ran on each database, of those that count."""
    counts: dict[tuple[Statement, str], int] = defaultdict(int)
    for query in report.profile.counted:
        counts[query.statement, query.database.name] += 1
    for counter in report.profile.counters:
        if counting_class(counter) == "app":
            counts[counter.statement, counter.database.name if counter.database is not None else ""] += counter.count
    return counts


def _places(report: Report) -> dict[tuple[Statement, str], CallSite]:
    places: dict[tuple[Statement, str], CallSite] = {}
    for query in report.profile.counted:
        if (site := place_of(query)) is not None:
            places.setdefault((query.statement, query.database.name), site)
    return places


def _without(findings: Sequence[Finding], others: Sequence[Finding]) -> list[Finding]:
    known = {finding.identity for finding in others}
    return [finding for finding in findings if finding.identity not in known]
