"""Text: a report as people read it in the terminal; one line when all is well, a block where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dbprofile.findings.finding import Severity
from dbprofile.findings.numbers import duration, quantity
from dbprofile.findings.report import Report
from dbprofile.output.terminal import PLAIN, Terminal, visible

__all__ = ["render"]


def render(reports: Sequence[Report], terminal: Terminal = PLAIN, *, root: Path | None = None) -> str:
    """The reports as text, without a line break at the end."""
    return "\n".join(_text(report, terminal) for report in reports)


def _text(report: Report, terminal: Terminal) -> str:
    profile = report.profile
    line = (
        f"dbprofile {visible(profile.name, terminal)} | {quantity(profile.query_count, 'query', 'queries')}"
        f" | db {duration(profile.database_seconds)} of {duration(profile.seconds)}"
    )
    if report.findings:
        line += f" | {quantity(len(report.findings), 'finding')}"
    lines = [line]
    if (report.worst or 0) >= Severity.WARNING:
        lines.extend(f"  {finding.code}  {visible(finding.message, terminal)}" for finding in report.findings)
    return "\n".join(lines)
