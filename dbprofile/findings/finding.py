"""Finding: what a rule says. Fix: the edit that cures it. Severity: how bad it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.query import Query
from dbprofile.sql.statement import Statement

__all__ = ["Finding", "Fix", "Severity", "severity_by_count"]


class Severity(IntEnum):
    """How bad a finding is; greater is worse."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3

    def __str__(self) -> str:
        return self.name.lower()


def severity_by_count(count: int, seconds: float) -> Severity:
    """The severity of whatever repeats: by how often, or by how long it took in all (seconds)."""
    if count >= 50 or seconds >= 0.1:
        return Severity.CRITICAL
    if count >= 5 or seconds >= 0.02:
        return Severity.WARNING
    return Severity.INFO


@dataclass(frozen=True)
class Fix:
    """An edit that cures a finding, as text and as data."""

    text: str
    """What to do, in one line: the expression as it reads after the edit, or a sentence where no line is known."""
    place: CallSite | None = None
    """The line to edit."""
    expression: str = ""
    """The code to add or put in, without what stands there today: ``.select_related("customer")``."""
    kind: str = "advice"
    """``add_call``, ``add_options``, ``add_line``, ``replace`` or ``advice``."""
    leaves: int = 0
    """Queries that remain of what it replaces after the edit: 0 for a join, 1 for a query that loads all at once."""
    certain: bool = True
    """Whether the place and the effect were seen; an uncertain fix is shown as something to try."""
    replaces: int = 0
    """Queries that the edit replaces, where it cures more than the finding: 0 for those of the finding alone."""


@dataclass(frozen=True, eq=False)
class Finding:
    """What a rule says about a profile. ``code``, ``subject``, ``origin`` and ``trigger`` identify it everywhere."""

    code: str
    """``DBP101``."""
    kind: str
    """``n_plus_one``."""
    severity: Severity
    subject: str
    """The relation (``Order.customer``), else the statement's shape."""
    message: str
    """One sentence: what, how often, where."""
    count: int
    """Distinct parents, invocations or executions, as the rule counts."""
    seconds: float = 0.0
    """Database time of the queries."""
    avoidable_seconds: float = 0.0
    """What of it the fix would save, about."""
    threshold: float | None = None
    relation: str | None = None
    relation_kind: str = ""
    trigger: CallSite | None = None
    """The line of the application that ran the statement."""
    callers: Sequence[CallSite] = ()
    """The lines that called it, innermost first, at most five."""
    origin: CallSite | None = None
    """The line that loaded the rows the statement hangs on."""
    origin_rows: int | None = None
    statement: Statement | None = None
    fix: Fix | None = None
    queries: Sequence[Query] = ()
    evidence: str = "observed"
    variant: str = ""
    operation: str = ""

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes it the same finding next time: code, subject, origin, trigger; no line number, no value."""
        return (self.code, self.subject, _named(self.origin), _named(self.trigger))

    @property
    def files(self) -> list[str]:
        """The files that it lies in, or that the fix is in."""
        sites = [self.trigger, self.origin, self.fix.place if self.fix is not None else None, *self.callers]
        return [site.file for site in sites if site is not None]


def _named(site: CallSite | None) -> str:
    if site is None:
        return "?"
    return f"{site.file}:{site.tag or site.function or site.line}"
