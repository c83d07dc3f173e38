"""``dbprofile findings``: the list to work down: each finding of many reports once, the worst first."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dbprofile.findings.finding import Severity
from dbprofile.findings.gate import Gate
from dbprofile.findings.numbers import quantity, times
from dbprofile.findings.standing import FIXED, NEW, STATUSES, Standing, standings
from dbprofile.output.blocks import Block
from dbprofile.output.renderers.json import finding_document
from dbprofile.output.terminal import Terminal, visible
from dbprofile.rules import DEFAULT_RULES, OPTIONAL_RULES
from dbprofile.settings import project_root
from dbprofile.verbs.options import REPORTS, add_colour
from dbprofile.verbs.printing import terminal_of, write_text
from dbprofile.verbs.sources import reports_named

__all__ = ["HELP", "add_arguments", "perform"]

HELP: Final = "list the findings of saved reports, the worst first"

_FOUND: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.description = f"{HELP[0].upper()}{HELP[1:]}. Exits with 1 if there are any that are not fixed."
    parser.add_argument(
        "reports",
        nargs="+",
        metavar="FILE",
        help=f"the oldest first: {REPORTS}",
    )
    parser.add_argument(
        "--status",
        choices=STATUSES,
        help="open: still there; new: of these, what an earlier report of the same program was without; fixed: gone"
        " (default: open)",
    )
    parser.add_argument(
        "--code", default="", metavar="CODES", help="only these: DBP101,DBP2xx; or from a severity on: warning"
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    add_colour(parser)


def perform(arguments: argparse.Namespace) -> int:
    """List them.

    Raises:
        ConfigurationError: for a file that cannot be read or is none of ours, for a code that no rule has.
    """
    root = project_root()
    rules: tuple[Any, ...] = (*DEFAULT_RULES, *OPTIONAL_RULES)
    found = standings(reports_named(arguments.reports, root))
    # A rule of one's own has a code of its own.
    gate = Gate.of(arguments.code, {rule.code for rule in rules} | {one.finding.code for one in found})
    found = [one for one in found if _is_asked_for(one, arguments.status)]
    if arguments.code:
        found = [one for one in found if gate.stopped([one.finding])]
    if arguments.format == "json":
        shown = json.dumps({"dbprofile": 1, "kind": "findings", "findings": [_document(one, root) for one in found]})
    else:
        shown = "\n".join(_lines(found, arguments.status, terminal_of(None, arguments.colour), root))
    write_text(shown, None)
    return _FOUND if any(one.is_open for one in found) else 0


def _is_asked_for(one: Standing, status: str | None) -> bool:
    if status == FIXED:
        return not one.is_open
    return one.status == NEW if status == NEW else one.is_open


def _document(one: Standing, root: str) -> dict[str, object]:
    profile = one.report.profile
    return {
        **finding_document(one.finding, root),
        "status": one.status,
        "unit": {"kind": profile.kind, "name": profile.name, "number": profile.number},
        "times": one.times,
    }


def _lines(found: Sequence[Standing], status: str | None, terminal: Terminal, root: str) -> Iterator[str]:
    for one in found:
        yield from Block(one.finding, one.report.profile, terminal, root).lines()
        yield f"    in  {_unit(one, terminal)}"
        yield ""
    kind = f"{status} " if status in {NEW, FIXED} else ""
    by_severity = [
        (severity, sum(one.finding.severity == severity for one in found)) for severity in reversed(Severity)
    ]
    parts = ", ".join(f"{count:,} {severity}" for severity, count in by_severity if count)
    yield quantity(len(found), f"{kind}finding") + (f": {parts}" if parts else "")


def _unit(one: Standing, terminal: Terminal) -> str:
    profile = one.report.profile
    text = f"{profile.kind} {profile.name}" + (f" #{profile.number}" if profile.number else "")
    told = f", {times(one.times)}" if one.times > 1 else ""
    return visible(f"{text}{told}" + ("" if one.status == "open" else f", {one.status}"), terminal)
