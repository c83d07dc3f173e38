"""Terminal: how wide it is, whether it takes colour and more than ASCII; and text made fit for it."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TextIO

__all__ = [
    "LOG",
    "PLAIN",
    "Terminal",
    "cells",
    "colour_wanted",
    "elide_end",
    "elide_middle",
    "escaped",
    "visible",
    "wrapped",
]

NARROWEST: Final = 80
WIDEST: Final = 120
#: Columns where nobody knows better: a pipe, a file, a log.
USUAL: Final = 100

_STYLES: Final[Mapping[str, str]] = {"critical": "1;31", "warning": "1;33", "info": "1", "faint": "2"}


@dataclass(frozen=True)
class Terminal:
    """What is known of the place where text goes."""

    width: int = USUAL
    """Columns that a line may fill."""
    colour: bool = False
    """Whether escape sequences for colour are understood."""
    ascii: bool = False
    """Whether nothing but ASCII can be shown."""
    aligned: bool = True
    """Whether lines begin at its left edge: what stands at the right edge then stands below each other, and a longer line is folded."""

    @classmethod
    def of(cls, stream: TextIO, environment: Mapping[str, str] = os.environ, *, colour: bool | None = None) -> Terminal:
        """Ask a stream what it is.

        Args:
            stream: where text will go.
            environment: variables; ``NO_COLOR``, ``FORCE_COLOR`` and ``TERM`` are read.
            colour: what a person chose on the command line; beats the variables.
        """
        watched = _is_terminal(stream)
        if colour is None:
            colour = colour_wanted(watched, environment)
        return cls(_columns(stream) if watched else USUAL, colour, not _takes(stream, "…"))

    def paint(self, text: str, style: str) -> str:
        """Text in a style: ``critical``, ``warning``, ``info``, ``faint``; as it is where there is no colour."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and text else text

    @property
    def ellipsis(self) -> str:
        """What stands for what was left out."""
        return "..." if self.ascii else "…"


#: No terminal at all.
PLAIN: Final = Terminal()
#: A log, of which each line begins with the time, the process, or whatever its format puts there.
LOG: Final = Terminal(aligned=False)


def colour_wanted(watched: bool, environment: Mapping[str, str]) -> bool:
    """``NO_COLOR`` beats ``FORCE_COLOR`` beats what the stream is; an empty variable is unset."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return watched and environment.get("TERM") != "dumb"


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False  # not a file, or a closed one


def _columns(stream: TextIO) -> int:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError, ValueError):
        return USUAL
    return min(max(columns, NARROWEST), WIDEST) if columns else USUAL


def _takes(stream: TextIO, text: str) -> bool:
    try:
        text.encode(getattr(stream, "encoding", None) or "utf-8")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


# --- text -----------------------------------------------------------------------------------------------------------


def escaped(text: str) -> str:
    r"""Text in which control, bidirectional and other invisible characters read as ``\x1b``: no line break, no escape code."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def visible(text: str, terminal: Terminal) -> str:
    """Escaped text in the characters that the terminal has."""
    text = escaped(text)
    if terminal.ascii and not text.isascii():
        text = text.replace("…", "...").encode("ascii", "backslashreplace").decode("ascii")
    return text


def cells(text: str) -> int:
    """Columns that printable text fills."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def _cell(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def elide_end(text: str, width: int, ellipsis: str) -> str:
    """The beginning of a text, in at most ``width`` columns."""
    if cells(text) <= width:
        return text
    return _head(text, max(width - len(ellipsis), 0)).rstrip() + ellipsis


def elide_middle(text: str, width: int, ellipsis: str) -> str:
    """Beginning and end of a text, in at most ``width`` columns."""
    if cells(text) <= width:
        return text
    room = max(width - len(ellipsis), 0)
    tail = _head(text[::-1], room // 3)[::-1]
    return _head(text, room - cells(tail)) + ellipsis + tail


def wrapped(text: str, first: int, others: int) -> list[str]:
    """Text in lines: the first of at most ``first`` columns, the others of at most ``others``, cut where a word or a call ends."""
    lines = []
    room = max(first, 1)
    while cells(text) > room:
        cut = _cut(text, max(len(_head(text, room)), 1))
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
        room = max(others, 1)
    return [*lines, text]


def _cut(text: str, most: int) -> int:
    """Where a line of at most so many characters ends best."""
    for ends in (
        (text.rfind(" ", 0, most + 1), text.rfind(").", 0, most + 1) + 1),
        (text.rfind(",", 0, most) + 1, text.rfind("(", 0, most) + 1),
    ):
        if (end := max(ends)) > most // 3:
            return end
    return most


def _head(text: str, width: int) -> str:
    used = 0
    for index, character in enumerate(text):
        used += _cell(character)
        if used > width:
            return text[:index]
    return text
