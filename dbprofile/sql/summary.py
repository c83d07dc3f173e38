"""The two texts that OpenTelemetry wants, written as the statement is: the sanitised text and the summary."""

import re
from typing import Final

from dbprofile.sql.kinds import BOOLEAN, FOLDED, NUMBER, SIGN, STRING, UNKNOWN
from dbprofile.sql.structure import OPERATION, Structure, read_structure
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


def sanitize(tokens: Tokens) -> str:
    """The text with `?` for its literals and without its comments; parameters, `NULL` and white space stay.

    A sign glued to a number belongs to it, whatever stands before: `99+100` becomes `??`.
    """
    text = tokens.text
    pieces: list[str] = []
    comments = iter(tokens.comments)
    comment = next(comments, None)
    written = 0  # everything before is in `pieces`
    for kind, start, end in zip(tokens.kinds, tokens.starts, tokens.ends, strict=True):
        while comment is not None and comment[0] < start:
            _write(pieces, text[written : comment[0]], text[comment[1] : comment[1] + 1])
            written = comment[1]
            comment = next(comments, None)
        if kind in _MASKED:
            gap = text[written:start]
            if kind == NUMBER and not gap and pieces and pieces[-1] in {"+", "-"}:
                pieces.pop()
            pieces += (gap, "?")
        elif kind == FOLDED:
            pieces += (text[written:start], tokens.lexicon.value.sub(_masked, text[start:end]))
        elif kind == SIGN:
            pieces += (text[written:start], text[start:end])
        else:
            pieces.append(text[written:end])
        written = end
    while comment is not None:
        _write(pieces, text[written : comment[0]], text[comment[1] : comment[1] + 1])
        written = comment[1]
        comment = next(comments, None)
    rest = text[written:]
    if rest.isspace():
        pieces.append(rest)
    return "".join(pieces)


def _masked(found: "re.Match[str]") -> str:
    return found[0] if found[1] else "?"


def _write(pieces: list[str], before: str, after: str) -> None:
    """Write what stood before a comment; words that only the comment kept apart stay apart."""
    pieces.append(before)
    written = before or (pieces[-2] if len(pieces) > 1 else "")
    if written and after and not written[-1].isspace() and not after.isspace():
        pieces.append(" ")
