"""Redundant questions: an exists() or a count() beside the rows that answer it."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.groups import Group, asked_by_library, operation_of, path_of, without
from dbprofile.analysis.variation import value_hashes

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dbprofile.analysis.groups import Unit
    from dbprofile.capture.query import Query

__all__ = ["group_redundant"]

_ASKING: Final = frozenset({"read", "lazy"})
#: Calls that read fewer rows than there are, or throw them away as they come: they answer nothing.
_PARTIAL: Final = frozenset({"get", "first", "last", "earliest", "latest", "iterator", "aggregate", "exists", "count"})
_WHERE: Final = " WHERE "


def group_redundant(queries: Sequence[Query], unit: Unit) -> tuple[list[Group], list[Query]]:
    """Only the question is consumed: the rows may be in any group, and stay there."""
    questions = [(query, kind) for query in queries if unit.roles[query] in _ASKING and (kind := _asks(query))]
    if not questions:
        return [], list(queries)
    rows: dict[Hashable, list[Query]] = defaultdict(list)
    for query in unit.queries:
        if unit.roles[query] in _ASKING and operation_of(query) not in _PARTIAL and _delivers_rows(query):
            rows[query.database.name].append(query)
    asked: dict[Hashable, int] = defaultdict(int)
    for query, _ in questions:
        asked[query.statement, path_of(query)] += 1
    groups = []
    for query, kind in questions:
        if asked[query.statement, path_of(query)] > 1:
            continue  # asked again at one place: what repeats is another pass's
        answer = next((each for each in rows[query.database.name] if _answers(each, query, kind, unit)), None)
        if answer is not None:
            groups.append(Group((query,), 1, variant=kind, origin=answer))
    return groups, without(queries, {query for group in groups for query in group.queries})


def _asks(query: Query) -> str:
    """``exists`` or ``count``; empty for any other query."""
    operation = operation_of(query)
    if asked_by_library(query):
        return ""
    if operation == "exists":
        return "exists"
    if query.statement.verb != "SELECT" or not query.statement.traits.tail:
        return ""
    counts = query.statement.traits.aggregate_only and query.statement.text.upper().startswith("SELECT COUNT(")
    return "count" if counts and operation in {"count", ""} else ""


def _delivers_rows(query: Query) -> bool:
    statement = query.statement
    return statement.verb == "SELECT" and bool(statement.traits.tail) and not statement.traits.aggregate_only


def _answers(rows: Query, question: Query, kind: str, unit: Unit) -> bool:
    if rows.statement.traits.has_limit and (kind != "exists" or rows.started < question.started):
        return False
    if not _same_condition(rows, question):
        return False
    first, last = sorted((rows, question), key=lambda query: query.started)
    return not unit.log.written_between(rows.statement.tables, first.started, last.started)


def _same_condition(rows: Query, question: Query) -> bool:
    """Whether both have the same WHERE over the same tables; the rows may join further ones behind them."""
    joined, _, condition = rows.statement.traits.tail.partition(_WHERE)
    asked, _, asked_condition = question.statement.traits.tail.partition(_WHERE)
    if condition != asked_condition or not (joined == asked or joined.startswith(asked + " ")):
        return False
    theirs, ours = value_hashes(rows), value_hashes(question)
    if theirs is None or ours is None:
        return False
    # Compared from the end: exists() sends a 1 of its own before the condition.
    if len(ours) < len(theirs) or len(ours) > len(theirs) + 1:
        return False
    pairs = zip_longest(reversed(theirs), reversed(ours[len(ours) - len(theirs) :]))
    return all(one is None or other is None or one == other for one, other in pairs)
