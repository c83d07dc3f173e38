"""The two texts that OpenTelemetry wants, written as the statement is: the sanitised text and the summary."""

import sys
from typing import Final

from dbprofile.sql.kinds import BOOLEAN, FOLDED, NUMBER, STRING, UNKNOWN
from dbprofile.sql.marks import OPERATION, Structure
from dbprofile.sql.structure import read_structure
from dbprofile.sql.tokens import Tokens

LONGEST_SUMMARY: Final = 255
"""Characters; the convention's limit."""

_MASKED: Final = frozenset({NUMBER, STRING, BOOLEAN, UNKNOWN})


def summarize(tokens: Tokens, structure: Structure | None = None) -> str:
    """`{operation} {target} {target} {operation} …` in the order and spelling of the text, cut between words."""
    structure = structure or read_structure(tokens)
    text = tokens.text
    words = []
    length = -1
    for role, indexes in structure.marks:
        parts = [text[tokens.starts[index] : tokens.ends[index]] for index in indexes]
        word = " ".join(parts) if role == OPERATION else ".".join(parts)
        length += 1 + len(word)
        if length > LONGEST_SUMMARY:
            break
        words.append(word)
    return " ".join(words) or structure.verb


def sanitize(tokens: Tokens, most: int = sys.maxsize) -> str:
    """The text with `?` for its literals and without its comments; parameters, `NULL` and white space stay.

    A sign glued to a number belongs to it, whatever stands before: `99+100` becomes `??`. Only so much is looked at as
    the first `most` characters of the answer need.
    """
    text = tokens.text
    pieces: list[str] = []
    comments = iter([*tokens.comments, (len(text), len(text))])
    comment, behind = next(comments)
    length = 0
    written = 0  # everything before is in `pieces`
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        while comment < start:
            _write(pieces, text[written:comment], text[behind : behind + 1])
            written = behind
            comment, behind = next(comments)
        gap = text[written:start]
        if kind in _MASKED:
            if kind == NUMBER and not gap and pieces and pieces[-1] in {"+", "-"}:
                pieces.pop()
            pieces += (gap, "?")
        elif kind == FOLDED:
            pieces.append(gap)
            length += _mask_list(pieces, tokens, start, end, most - length)
        else:
            pieces += (gap, text[start:end])
        length += len(gap) + 1
        written = end
        if length > most:
            break
    else:
        for start, end in [(comment, behind), *comments]:
            _write(pieces, text[written:start], text[end : end + 1])
            written = end
    return "".join(pieces)[:most]


def _mask_list(pieces: list[str], tokens: Tokens, start: int, end: int, most: int) -> int:
    """Mask a list or rows that the scanner took in one step; returns the characters written, a few more than `most`."""
    text = tokens.text
    length = 0
    for found in tokens.lexicon.value.finditer(text, start, end):
        shown = found[0] if found[1] else "?"
        length += found.start() - start + len(shown)
        pieces += (text[start : found.start()], shown)
        start = found.end()
        if length > most:
            return length
    pieces.append(text[start:end])
    return length


def _write(pieces: list[str], before: str, after: str) -> None:
    """Write what stood before a comment; words that only the comment kept apart stay apart."""
    if before.isspace():
        pieces.append(before)
    if pieces and after and not pieces[-1][-1:].isspace() and not after.isspace():
        pieces.append(" ")
