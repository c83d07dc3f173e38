"""Duplicates: the same statement with the same parameters in one transaction, without a write to its tables in between."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.groups import Group, asked_by_library, ended, operation_of, path_of, variant_of, without
from dbprofile.analysis.variation import parameter_sets
from dbprofile.capture.callsite import Step
from dbprofile.capture.repetition import only_repeats

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dbprofile.analysis.groups import Unit
    from dbprofile.analysis.log import Log
    from dbprofile.capture.query import Query

__all__ = ["group_duplicates"]

DUPLICATE_MIN: Final = 2
#: An expired row that is read again after each commit: twice is what committing twice means.
EXPIRED_MIN: Final = 3
#: Two equal queries at one place that are further apart (nanoseconds) are a poll, or a retry; the second with nothing between.
POLL_GAP: Final = 50_000_000
IDLE_GAP: Final = 5_000_000
#: Roles of queries that ask something.
_ASKING: Final = frozenset({"read", "lazy"})
#: Calls by which the application says that it wants to read a row anew.
_ANEW: Final = frozenset({"refresh", "refresh_from_db", "populate_existing"})


def group_duplicates(queries: Sequence[Query], unit: Unit) -> tuple[list[Group], list[Query]]:
    """What was answered already."""
    by_question: dict[Hashable, list[Query]] = defaultdict(list)
    for statement, same in _by_statement(queries, unit).items():
        members = [query for query in same if _may_repeat(query)] if len(same) >= DUPLICATE_MIN else []
        for query, parameters in zip(members, parameter_sets(members), strict=True):
            when = None if variant_of(query) == "refresh" else query.transaction
            by_question[statement, parameters, when, _asked_by(query)].append(query)
    groups: list[Group] = []
    for members in by_question.values():
        if variant_of(members[0]) == "refresh":
            groups.extend(_expired(members, unit.log))
        elif len(members) >= DUPLICATE_MIN:
            runs = _runs(members, unit.log)
            groups.extend(Group(tuple(run), len(run)) for run in runs if len(run) >= DUPLICATE_MIN)
    return groups, without(queries, {query for group in groups for query in group.queries})


def _by_statement(queries: Sequence[Query], unit: Unit) -> dict[Hashable, list[Query]]:
    found: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        if unit.roles[query] in _ASKING:
            found[query.statement.fingerprint, query.database.name].append(query)
    return found


def _asked_by(query: Query) -> Hashable:
    why = query.provenance
    return (why.relation, why.parent) if why is not None and why.role == "lazy" else None


def _may_repeat(query: Query) -> bool:
    statement = query.statement
    if not statement.tables or statement.traits.volatile or asked_by_library(query):
        return False
    return not (query.locks or "locks" in statement.flags or operation_of(query) in _ANEW)


def _expired(members: list[Query], log: Log) -> list[Group]:
    """One row, read again after each of several commits because they expire it."""
    if len(members) < EXPIRED_MIN or len(set(map(path_of, members))) > 1:
        return []
    if not all(log.committed_between(before.started, after.started) for before, after in pairwise(members)):
        return []
    return [Group(tuple(members), len(members), variant="refresh")]


def _runs(members: list[Query], log: Log) -> list[list[Query]]:
    """Members cut where a write, a failure, a lock or the passing of time makes asking again sensible."""
    runs = [[members[0]]]
    repeated = _Repeated()
    for before, after in pairwise(members):
        start, end = before.started, after.started
        changed = log.written_between(before.statement.tables, start, end)
        if (
            changed
            or log.failed_between(start, end)
            or log.locked_between(start, end)
            or _polls(before, after, log, repeated)
        ):
            runs.append([])
        runs[-1].append(after)
    return runs


def _polls(before: Query, after: Query, log: Log, repeated: _Repeated) -> bool:
    if path_of(before) != path_of(after):
        return False
    if before.rows == 0 or before.rows != after.rows or before.answer != after.answer:
        return True  # it waited for another answer, and got one
    gap = after.started - ended(before)
    if gap > POLL_GAP or (gap > IDLE_GAP and not log.anything_between(before.started, after.started)):
        return True
    return log.rolled_back_between(before.started, after.started) or repeated[path_of(after)]


class _Repeated(dict[tuple[object, ...], bool]):
    """By path whether it is one that only tries again: the source is read once for all members that share it."""

    def __missing__(self, path: tuple[object, ...]) -> bool:
        repeats = self[path] = _only_repeats(path)
        return repeats


def _only_repeats(path: tuple[object, ...]) -> bool:
    """Whether the innermost loop round a query, of whichever function, is one that only tries again."""
    for step in path:
        if isinstance(step, Step):
            repeats = only_repeats(step.code, step.offset)
            if repeats is not None:
                return repeats
    return False
