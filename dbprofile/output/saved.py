"""Saved: files of reports, one JSON object a line, as ``dbprofile run --json`` and the console ``json`` write them; logs too."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Final

from dbprofile.errors import ConfigurationError
from dbprofile.findings.report import Report
from dbprofile.output.fields import DamagedError
from dbprofile.output.restoring import restored
from dbprofile.output.source import Root

__all__ = ["read_saved", "reports_in"]

#: The version of the format that this code writes. Fields are added within it, and none is taken away.
VERSION: Final = 1
#: Kinds of JSON of ours that are no report.
_OTHERS: Final = {"tests": "the record of a test run", "baseline": "a baseline", "statement": "one statement"}
#: How each of our objects begins, as we write it.
_BEGIN: Final = '{"dbprofile":'
_HOW: Final = "`dbprofile run --json FILE` writes one"


def read_saved(file: str, root: Root) -> list[Report]:
    """The reports of a file; ``-`` is standard input.

    Args:
        file: its path.
        root: the folder that the paths in it are relative to.

    Raises:
        ConfigurationError: for a file that cannot be read, is damaged, is none of ours, or of a later version.
    """
    name = "standard input" if file == "-" else file
    try:
        if file == "-":
            if sys.stdin is None:  # closed by the shell: `<&-`
                raise ConfigurationError("dbprofile: there is no standard input; name a file")
            content = sys.stdin.buffer.read()
        else:
            with open(file, "rb") as opened:
                content = opened.read()
    except OSError as error:
        raise ConfigurationError(f"dbprofile: cannot read {name}: {error.strerror}") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"dbprofile: {name} is no saved report, and no text at all; {_HOW}") from error
    return reports_in(text, name, root)


def reports_in(text: str, name: str, root: Root) -> list[Report]:
    """The reports of a text, in its order.

    Args:
        text: one object, on one line or several; or one object a line, where lines of others in between, and what a log puts
            before ours, are passed over.
        name: what the text is called in messages.
        root: the folder that paths are relative to.

    Raises:
        ConfigurationError: for a text that is empty, damaged, none of ours, or of a later version.
    """
    numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not numbered:
        raise ConfigurationError(f"dbprofile: {name} is empty, and no saved report; {_HOW}")
    whole = _parsed(text) if len(numbered) > 1 else None
    if isinstance(whole, Mapping):  # laid out by a tool
        return [_report(whole, name, root)]
    several = len(numbered) > 1
    ours = [(number, line[at:]) for number, line in numbered if (at := line.find(_BEGIN)) >= 0]
    numbered = ours or numbered[:1]
    return [_report(_parsed(line), f"line {number} of {name}" if several else name, root) for number, line in numbered]


def _parsed(text: str) -> object:
    """What a text says; nothing if it is no JSON; what is wrong, in words, if it begins as ours does and does not end so."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return "it ends too early" if text.startswith(_BEGIN) else None


def _report(document: object, name: str, root: Root) -> Report:
    if isinstance(document, str):
        raise ConfigurationError(f"dbprofile: {name} is damaged: {document}")
    if not isinstance(document, Mapping) or type(version := document.get("dbprofile")) is not int:
        raise ConfigurationError(f"dbprofile: {name} is no saved report; {_HOW}")
    if version > VERSION:
        raise ConfigurationError(
            f"dbprofile: {name} was written by a later version of dbprofile, in format {version}, and this one reads"
            f" format {VERSION}; pip install --upgrade dbprofile"
        )
    if (other := _OTHERS.get(str(document.get("kind")))) is not None:
        raise ConfigurationError(f"dbprofile: {name} is {other}, and no saved report; {_HOW}")
    try:
        return restored(document, root)
    except DamagedError as error:
        raise ConfigurationError(f"dbprofile: {name} is damaged: {error}") from error
