"""Text: a report as people read it in the terminal; one line when all is well, a block where something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dbprofile.findings.finding import Severity
from dbprofile.findings.numbers import quantity, times
from dbprofile.findings.report import Report
from dbprofile.output.blocks import Block
from dbprofile.output.headlines import headline
from dbprofile.output.source import Root
from dbprofile.output.terminal import PLAIN, Terminal
from dbprofile.output.told import Again, Fixed

__all__ = ["LINES", "render", "render_again", "render_fixed"]

#: Lines that one report may fill.
LINES: Final = 25


def render(reports: Sequence[Report], terminal: Terminal = PLAIN, *, root: Root | None = None) -> str:
    """The reports as people read them, without a line break at the end.

    Args:
        reports: one after the other.
        terminal: where the text goes: its width, whether it takes colour.
        root: the folder that paths are shown relative to; the working directory if ``None``.
    """
    return "\n".join(line for report in reports for line in _lines(report, terminal, root))


def render_again(report: Report, again: Again, terminal: Terminal = PLAIN) -> str:
    """The line of a report whose findings were told before: ``same 2 findings as #42 (3x)``."""
    same = f"same {quantity(len(report.findings), 'finding')} as #{again.number} ({times(again.times)})"
    return headline(report, terminal, same)


def render_fixed(report: Report, fixed: Fixed, terminal: Terminal = PLAIN, *, root: Root | None = None) -> str:
    """A report whose earlier findings are gone: ``fixed since #42: 54 -> 4 queries`` stands below it, once."""
    told = f"fixed since #{fixed.number}: {fixed.before:,} -> {quantity(fixed.after, 'query', 'queries')}"
    return "\n".join([*_lines(report, terminal, root), f"  {told}"])


def _lines(report: Report, terminal: Terminal, root: Root | None) -> list[str]:
    lines = [headline(report, terminal)]
    if report.worst is None or report.worst < Severity.WARNING:
        return lines
    for index, finding in enumerate(report.findings):
        left = len(report.findings) - index
        block = list(Block(finding, report.profile, terminal, root).lines())
        if index and len(lines) + 1 + len(block) > LINES - (2 if left > 1 else 0):
            lines.extend(("", f"  and {left:,} more"))
            break
        lines.extend(("", *block))
    return lines
