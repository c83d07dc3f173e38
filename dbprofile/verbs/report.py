"""``dbprofile report``: a saved report as text, JSON or Markdown."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

from dbprofile.findings.report import Report
from dbprofile.output.renderers import json, markdown, text
from dbprofile.output.terminal import Terminal
from dbprofile.settings import project_root
from dbprofile.verbs.options import REPORTS, add_colour
from dbprofile.verbs.printing import terminal_of, write_text
from dbprofile.verbs.sources import reports_named

__all__ = ["FORMATS", "HELP", "add_arguments", "perform"]

HELP: Final = "show a saved report"
FORMATS: Final = ("text", "json", "markdown")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("report", metavar="FILE", help=REPORTS)
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument("-o", dest="output", metavar="FILE", help="write to FILE, not to standard output")
    add_colour(parser)


def perform(arguments: argparse.Namespace) -> int:
    """Render the reports.

    Raises:
        ConfigurationError: for a file that cannot be read or written, or is none of ours.
    """
    root = project_root()
    reports = reports_named([arguments.report], root)
    terminal = terminal_of(arguments.output, arguments.colour)
    write_text(_rendered(reports, arguments.format, terminal, root), arguments.output)
    return 0


def _rendered(reports: Sequence[Report], format_: str, terminal: Terminal, root: str) -> str:
    if format_ == "json":
        return json.render(reports, root=root)
    if format_ == "markdown":
        return markdown.render(reports, root=root)
    return text.render(reports, terminal, root=root)
