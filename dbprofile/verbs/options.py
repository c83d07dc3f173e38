"""Options that several verbs share."""

from __future__ import annotations

import argparse
from typing import Final

__all__ = ["REPORTS", "add_colour"]

#: What a verb about saved reports reads.
REPORTS: Final = (
    'what `dbprofile run --json FILE` wrote, or the log of a server with console = "json"; - is standard input'
)


def add_colour(parser: argparse.ArgumentParser) -> None:
    """``--color`` and ``--no-color``; without either the terminal and the environment decide, and ``colour`` is ``None``."""
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--color", dest="colour", action="store_true", default=None, help="colour, whatever the terminal is"
    )
    chosen.add_argument("--no-color", dest="colour", action="store_false", default=None, help="no colour")
