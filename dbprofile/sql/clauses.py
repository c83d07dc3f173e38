"""Clauses: what a keyword in the middle of a statement says of the names that follow it."""

from collections.abc import Callable, Mapping
from typing import Final

from dbprofile.sql.cursor import Cursor
from dbprofile.sql.marks import OBJECT, OPERATION, READ, WRITE
from dbprofile.sql.words import DEFINITIONS, SET_OPERATORS

_READERS: Final = frozenset({"SELECT", "UPDATE", "SHOW"})
"""Operations whose `FROM` names tables that are read; elsewhere it belongs to a function such as `EXTRACT`."""


def _from(cursor: Cursor, index: int) -> None:
    frame = cursor.frame
    before = cursor.spelling(index - 1)
    if before == "DISTINCT" and cursor.spelling(index - 2) in {"IS", "NOT"}:
        return
    if frame.operation == "DELETE":
        role = READ if frame.deletes or frame.listed else WRITE
        cursor.expect(role, role)
    elif frame.operation in _READERS:
        cursor.expect(READ, READ)
    elif frame.operation == "COPY":
        _written_copy(cursor)
    elif frame.operation == "FETCH":
        frame.naming = True


def _written_copy(cursor: Cursor) -> None:
    marks = cursor.found.marks
    if marks and marks[-1].role == READ:
        marks[-1] = marks[-1]._replace(role=WRITE)


def _join(cursor: Cursor, _index: int) -> None:
    if cursor.frame.operation:
        cursor.expect(READ, READ)


def _straight_join(cursor: Cursor, _index: int) -> None:
    """MySQL's; as a word behind `SELECT` it is an option."""
    if cursor.frame.listed:
        cursor.frame.expected = READ


def _using(cursor: Cursor, index: int) -> None:
    if cursor.frame.operation in {"DELETE", "MERGE"} and cursor.spelling(index + 1) != "(":
        cursor.expect(READ, READ)


def _into(cursor: Cursor, _index: int) -> None:
    if cursor.frame.operation == "SELECT":
        cursor.frame.expected = WRITE


def _on(cursor: Cursor, _index: int) -> None:
    """`CREATE INDEX i ON t`: the table follows the first `ON`."""
    frame = cursor.frame
    if frame.operation in DEFINITIONS and frame.naming is False and cursor.found.marks[-1].role in {OBJECT, OPERATION}:
        frame.expected = WRITE


def _as(cursor: Cursor, _index: int) -> None:
    if cursor.frame.operation in {"CREATE", "PREPARE"}:
        cursor.frame.start = True


def _to(cursor: Cursor, _index: int) -> None:
    if cursor.frame.operation == "ROLLBACK":
        cursor.frame.naming = True


def _of(cursor: Cursor, index: int) -> None:
    if cursor.spelling(index - 1) == "current":
        cursor.frame.naming = True


def _end_list(cursor: Cursor, _index: int) -> None:
    cursor.frame.listed = ""


def _update(cursor: Cursor, index: int) -> None:
    before = cursor.spelling(index - 1)
    if before == "FOR" or (before == "KEY" and cursor.spelling(index - 2) == "no"):
        cursor.found.locks = True


def _share(cursor: Cursor, index: int) -> None:
    before, earlier = cursor.spelling(index - 1), cursor.spelling(index - 2)
    if before == "FOR" or (before == "KEY" and earlier == "FOR") or (before == "IN" and earlier == "LOCK"):
        cursor.found.locks = True


def _recursive(cursor: Cursor, _index: int) -> None:
    cursor.frame.recursive = True


CLAUSES: Final[Mapping[str, Callable[[Cursor, int], None]]] = {
    "FROM": _from,
    "JOIN": _join,
    "STRAIGHT_JOIN": _straight_join,
    "USING": _using,
    "INTO": _into,
    "ON": _on,
    "AS": _as,
    "TO": _to,
    "OF": _of,
    "UPDATE": _update,
    "SHARE": _share,
    "RECURSIVE": _recursive,
} | dict.fromkeys(
    [*SET_OPERATORS, *"SET WHERE GROUP ORDER HAVING LIMIT OFFSET RETURNING WINDOW FETCH FOR VALUES".split()],
    _end_list,
)
"""The keywords that matter, and what each does to the cursor; the second argument is the keyword's token."""
