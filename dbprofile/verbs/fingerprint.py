"""``dbprofile fingerprint``: what a piece of SQL looks like without its values, and what it works on."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from dbprofile.errors import ConfigurationError
from dbprofile.sql.dialects import DIALECT_NAMES
from dbprofile.sql.statement import Statement
from dbprofile.sql.tokens import LONGEST_TEXT, PARAMSTYLES

__all__ = ["HELP", "add_arguments", "perform"]

HELP: Final = "show the canonical text, fingerprint, summary and tables of a statement"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="the SQL; standard input by default")
    parser.add_argument(
        "--dialect", choices=DIALECT_NAMES, default="generic", help="the database it is written for (default: generic)"
    )
    parser.add_argument(
        "--paramstyle", choices=sorted(PARAMSTYLES), help="how parameters are written (default: any way)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def perform(arguments: argparse.Namespace) -> int:
    """Print the facts of the text; one text is one statement, whatever semicolons are in it.

    Raises:
        ConfigurationError: if the file cannot be read, or there is no SQL in it.
    """
    statement = Statement.of(_read(arguments.file), arguments.dialect, arguments.paramstyle)
    if not statement.text:
        raise ConfigurationError(
            "dbprofile: no SQL given; name a file, or pipe a statement into `dbprofile fingerprint`"
        )
    facts: dict[str, str | list[str]] = {
        "text": statement.text,
        "fingerprint": statement.fingerprint,
        "summary": statement.summary,
        "shape": statement.shape,
        "tables": list(statement.tables),
        "written": list(statement.written),
        "flags": sorted(statement.flags),
    }
    if arguments.json:
        # Escaped beyond ASCII: half of a surrogate pair could not be written otherwise.
        sys.stdout.write(json.dumps({"dbprofile": 1, "kind": "statement", **facts}) + "\n")
    else:
        sys.stdout.write("".join(f"{name:<12} {_line(value)}".rstrip() + "\n" for name, value in facts.items()))
    return 0


def _line(value: str | list[str]) -> str:
    """One line for people: quoted names may hold line breaks, or what the terminal's encoding has no sign for."""
    text = value if isinstance(value, str) else ", ".join(value)
    text = " ".join(text.split())
    printable = "".join(letter if letter.isprintable() else "\ufffd" for letter in text)
    encoding = sys.stdout.encoding or "utf-8"
    return printable.encode(encoding, "replace").decode(encoding)


def _read(name: str) -> bytes:
    """The head of the input: one byte more than is ever read of a text, so that a cut shows."""
    most = LONGEST_TEXT * 4 + 1
    try:
        if name == "-":
            return sys.stdin.buffer.read(most)
        with Path(name).open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ConfigurationError(f"dbprofile: cannot read {name}: {error.strerror}") from error
