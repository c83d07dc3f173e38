"""``dbprofile compare``: two reports of the same page or program, and the statements that explain the difference."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Final

from dbprofile.findings.comparison import Change, Comparison
from dbprofile.findings.finding import Finding
from dbprofile.findings.numbers import duration, quantity
from dbprofile.output.excerpts import sql_excerpt
from dbprofile.output.source import shown_path
from dbprofile.output.terminal import Terminal, cells, elide_end, visible
from dbprofile.output.wording import word_of
from dbprofile.settings import project_root
from dbprofile.verbs.options import add_colour
from dbprofile.verbs.printing import terminal_of, write_text
from dbprofile.verbs.sources import one_report

__all__ = ["HELP", "add_arguments", "perform"]

HELP: Final = "compare two saved reports"

#: Statements that are listed.
_MOST_CHANGES: Final = 20
#: Columns of SQL that are worth a place beside them.
_LEAST_SQL: Final = 30
_WORSE: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument(
        "before", metavar="A", help="a file that `dbprofile run --json FILE` wrote; - is standard input"
    )
    parser.add_argument("after", metavar="B", help="another, of the same program after an edit")
    parser.add_argument("--fail-on-more", action="store_true", help="exit with 1 if B has more queries than A")
    add_colour(parser)


def perform(arguments: argparse.Namespace) -> int:
    """Say what changed.

    Raises:
        ConfigurationError: for a file that cannot be read, or does not hold one report.
    """
    root = project_root()
    comparison = Comparison(one_report(arguments.before, root), one_report(arguments.after, root))
    terminal = terminal_of(None, arguments.colour)
    write_text("\n".join(_lines(comparison, terminal, root)), None)
    return _WORSE if arguments.fail_on_more and comparison.is_more else 0


def _lines(comparison: Comparison, terminal: Terminal, root: str) -> Iterator[str]:
    yield from _headline(comparison, terminal)
    changes = comparison.changes
    if changes:
        yield ""
        counts = [f"{change.before:,} -> {change.after:,}" for change in changes[:_MOST_CHANGES]]
        width = max(map(len, counts))
        for change, count in zip(changes, counts, strict=False):
            yield _change(change, f"  {count:>{width}}  ", terminal, root)
        if len(changes) > _MOST_CHANGES:
            yield f"  and {len(changes) - _MOST_CHANGES:,} more statements"
    else:
        yield "  the same statements, each as often"
    findings = [*(("gone", one) for one in comparison.gone), *(("new", one) for one in comparison.new)]
    if findings:
        yield ""
        for outcome, finding in findings:
            yield _finding(outcome, finding, terminal, root)


def _headline(comparison: Comparison, terminal: Terminal) -> Iterator[str]:
    before, after = comparison.before.profile, comparison.after.profile
    names = [visible(name, terminal) for name in dict.fromkeys((before.name, after.name))]
    numbers = (
        f"{before.query_count:,} -> {quantity(after.query_count, 'query', 'queries')},"
        f" {_times(before.database_seconds, after.database_seconds)} db"
    )
    line = f"{' -> '.join(names)}: {numbers}"
    if cells(line) <= terminal.width:
        yield line
    else:
        yield from (elide_end(name, terminal.width, terminal.ellipsis) for name in names)
        yield numbers


def _times(before: float, after: float) -> str:
    """``61 -> 4 ms``: the unit once where it is the same."""
    first, second = duration(before), duration(after)
    unit = second.partition(" ")[2]
    if first.endswith(f" {unit}") and first.count(" ") == 1:
        first = first.removesuffix(f" {unit}")
    return f"{first} -> {second}"


def _change(change: Change, left: str, terminal: Terminal, root: str) -> str:
    place = f"{shown_path(change.place.file, root)}:{change.place.line}" if change.place is not None else ""
    place = visible(place, terminal)
    room = terminal.width - cells(left) - (cells(place) + 2 if place else 0)
    if room < _LEAST_SQL:
        place, room = "", terminal.width - cells(left)
    sql = sql_excerpt(change.statement, room, terminal.ellipsis) or "statements beyond the detail limit"
    sql = elide_end(visible(sql, terminal), room, terminal.ellipsis)
    return f"{left}{sql}{' ' * (room - cells(sql) + 2)}{place}" if place else f"{left}{sql}"


def _finding(outcome: str, finding: Finding, terminal: Terminal, root: str) -> str:
    site = finding.trigger
    place = f"  {shown_path(site.file, root)}:{site.line}" if site is not None else ""
    text = f"{finding.code}  {word_of(finding)}  {finding.message}{place}"
    line = f"  {outcome:<4}  {elide_end(visible(text, terminal), terminal.width - 8, terminal.ellipsis)}"
    return terminal.paint(line, str(finding.severity)) if outcome == "new" else line
