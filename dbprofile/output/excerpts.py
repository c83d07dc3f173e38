"""SQL shortened to a width: first without what one table's columns need no qualifier for, then without its lists of columns."""

from __future__ import annotations

import re
from typing import Final

from dbprofile.output.terminal import elide_middle
from dbprofile.sql.statement import Statement

__all__ = ["sql_excerpt"]

#: A canonical text quotes nothing but names, so these are its brackets and clauses and no part of anything else.
_MARKS: Final = re.compile(
    r'"(?:[^"]|"")*"|[()]|\bSELECT(?: DISTINCT)?\b|(?<!DISTINCT )\bFROM\b|\b(?:UNION|INTERSECT|EXCEPT)\b'
)


def sql_excerpt(statement: Statement, width: int, ellipsis: str = "…") -> str:
    """The statement with its values masked, in at most ``width`` columns if they are enough for anything at all."""
    text = _without_qualifier(statement)
    if len(text) > width:
        text = _without_lists(text, ellipsis)
    return elide_middle(text, width, f" {ellipsis} ")


def _without_qualifier(statement: Statement) -> str:
    """``customer.id`` is ``id`` where no table stands but ``customer``, and that once: beside itself it is known by its aliases."""
    if len(statement.tables) != 1:
        return statement.text
    name = rf'(?<![\w".$]){re.escape(statement.tables[0])}'
    if len(re.findall(rf"{name}(?![\w$.])", statement.text)) != 1:
        return statement.text
    own = re.compile(rf'{name}\.|"(?:[^"]|"")*"')
    return own.sub(lambda found: "" if found[0].endswith(".") else found[0], statement.text)


def _without_lists(text: str, ellipsis: str) -> str:
    """Each ``SELECT a, b FROM`` as ``SELECT … FROM``; an inner one goes with the list it stands in."""
    kept: list[str] = []
    copied = depth = start = 0
    opened: int | None = None
    for mark in _MARKS.finditer(text):
        word = mark[0]
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
            if opened is not None and depth < opened:
                opened = None
        elif word.startswith("SELECT") and opened is None:
            opened = depth
            start = mark.end()
        elif word == "FROM" and opened == depth:
            if mark.start() - start > len(ellipsis) + 2:
                kept.append(f"{text[copied:start]} {ellipsis} ")
                copied = mark.start()
            opened = None
        elif word in {"UNION", "INTERSECT", "EXCEPT"} and opened == depth:
            opened = None  # a list without FROM
    return "".join(kept) + text[copied:]
