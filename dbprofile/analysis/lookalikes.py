"""What only looks like a loop: one predicate each, its sentence as docstring."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.groups import Unit, ended, operation_of, own_lineage, parent_lineage
from dbprofile.analysis.variation import Varying, limit_of, measured, parameter_set, varying
from dbprofile.capture.query import Query

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = [
    "LINEAGE_LOOKALIKES",
    "LOOP_LOOKALIKES",
    "WRITE_LOOKALIKES",
    "Lookalike",
    "chunks",
    "drained_parents",
    "draining",
    "idle",
    "locking",
    "paging",
    "search",
]

_BOUNDS: Final = frozenset({"lower bound", "upper bound"})
#: Calls that put a LIMIT of their own into the text, which says nothing of pages.
_ONE_ROW: Final = frozenset({"get", "first", "last", "exists", "earliest", "latest", "count"})
#: Calls that try a candidate.
_TRYING: Final = frozenset({"get", "first", "last"})
#: A loop of the application leaves no such gap (nanoseconds) between all of its turns with nothing read in them.
_IDLE: Final = 50_000_000


def paging(members: Sequence[Query], unit: Unit) -> bool:  # noqa: ARG001 - asked like its siblings
    """Pages: what varies is an OFFSET, or a column that the WHERE also bounds; and a limit or windows say it is a page.

    A constant LIMIT alone is no page: the top three for each parent is a loop.
    """
    values = varying(members)
    if not values:
        return False
    bounded = {value.column for member in members[:1] for value in measured(member).values if value.role in _BOUNDS}
    if not all(value.role == "offset" or (value.column and value.column in bounded) for value in values):
        return False
    first = members[0]
    limit = limit_of(first)
    if limit is not None and limit != 1 and operation_of(first) not in _ONE_ROW:
        return True
    if first.statement.traits.aggregate_only:
        return False
    if all(value.role == "lower bound" for value in values):
        return True
    return _windows_meet(values)


def _windows_meet(values: Sequence[Varying]) -> bool:
    lower = [value for value in values if value.role == "lower bound"]
    upper = [value for value in values if value.role == "upper bound"]
    if len(lower) != 1 or len(upper) != 1:
        return False
    starts, ends = lower[0].hashes, upper[0].hashes
    upwards = all(end == start for end, start in zip(ends, starts[1:], strict=False))
    downwards = all(start == end for start, end in zip(starts, ends[1:], strict=False))
    return upwards or downwards


def chunks(members: Sequence[Query], unit: Unit) -> bool:
    """Chunks: the lists of an IN are pairwise disjoint and few, or of one length in order, or level by level."""
    if _in_list(members[0]) is None:
        return False
    lists = [_in_list(member) for member in members]
    if any(found is None for found in lists):
        return False
    known = [found for found in lists if found is not None]
    lengths = [length for length, _ in known]
    disjoint = _pairwise_disjoint([hashes for _, hashes in known])
    if disjoint and len(members) <= sum(lengths) / len(lengths):
        return True
    if disjoint and min(lengths[:-1]) == max(lengths[:-1]) >= 2 and lengths[-1] <= lengths[0]:
        firsts = [hashes[0] for _, hashes in known]
        in_order = firsts in (sorted(firsts), sorted(firsts, reverse=True)) or not _ordered(firsts)
        if in_order and not unit.between(members[0].started, members[-1].started, _with_followers(members, unit)):
            return True
    answers = [member.rows for member in members]
    return max(lengths) > 1 and all(length == answer for length, answer in zip(lengths[1:], answers, strict=False))


def _in_list(query: Query) -> tuple[int, tuple[int, ...]] | None:
    """Length of the statement's longest IN list, and the hashes that are known of its values."""
    inside = measured(query)
    values = [value for value in inside.values if value.role == "in"]
    if not values or inside.longest_list < 1:
        return None
    hashes = [value.hash for value in values if value.hash is not None]
    digest = query.parameters
    if not hashes and digest is not None:
        hashes.extend(digest.head + digest.tail)
    return (inside.longest_list, tuple(hashes)) if hashes else None


def _pairwise_disjoint(lists: Sequence[tuple[int, ...]]) -> bool:
    seen: set[int] = set()
    for hashes in lists:
        if not seen.isdisjoint(hashes):
            return False
        seen.update(hashes)
    return True


def _ordered(hashes: Sequence[int]) -> bool:
    """Whether the order of values can be told from their hashes: small integers hash to themselves, texts do not."""
    return all(0 <= hashed < 2**40 for hashed in hashes)


def _with_followers(members: Sequence[Query], unit: Unit) -> set[Query]:
    return {*members, *unit.followers(members, own_lineage)}


def draining(members: Sequence[Query], unit: Unit) -> bool:
    """Draining: before each member the same limited question was asked, and each time its answer was written away."""
    if not unit.log.has_writes:
        return False
    own = set(members)
    questions: dict[Hashable, list[Query]] = {}
    for query in unit.queries:
        limited = unit.roles[query] in {"read", "lazy"} and query.statement.traits.has_limit
        if limited and query not in own and operation_of(query) not in _ONE_ROW:
            questions.setdefault((query.statement, parameter_set(query)), []).append(query)
    return any(_drained(asked, members, unit) for asked in questions.values())


def _drained(asked: Sequence[Query], members: Sequence[Query], unit: Unit) -> bool:
    tables = asked[0].statement.tables
    for before, after in pairwise(asked):
        if not unit.log.written_between(tables, before.started, after.started):
            return False
    # Several members may work on one answer; a member that no asking comes before does not.
    asked_before = [sum(query.started < member.started for query in asked) for member in members]
    return asked_before[0] > 0 and asked_before[-1] > asked_before[0] and len(set(asked_before)) * 2 > len(members)


def search(members: Sequence[Query], unit: Unit) -> bool:  # noqa: ARG001 - as above
    """Search: exists() whose answers are all alike but the last, or a row that only the last candidate had."""
    *before, last = [(member.rows, member.answer) for member in members]
    operation = operation_of(members[0])
    if operation == "exists" or members[0].statement.text.upper().startswith("SELECT EXISTS"):
        return len(set(before)) == 1 and last != before[0]
    return operation in _TRYING and last[0] != 0 and all(rows == 0 for rows, _ in before)


def locking(members: Sequence[Query], unit: Unit) -> bool:
    """Locking: each member in a transaction of its own, which read with locks before: row by row is meant."""
    transactions = [member.transaction for member in members]
    if None in transactions or len(set(transactions)) < len(members):
        return False
    locked: dict[object, int] = {}
    for query in unit.queries:
        if query.locks or "locks" in query.statement.flags:
            locked.setdefault(query.transaction, query.started)
    return all(locked.get(member.transaction, member.started) < member.started for member in members)


def idle(members: Sequence[Query], unit: Unit) -> bool:
    """Idling: long gaps between all neighbours, and nothing else read in them: a poll whose moment moves with the clock."""
    if not all(after.started - ended(before) > _IDLE for before, after in pairwise(members)):
        return False
    followed = _with_followers(members, unit)
    return not any(unit.between(before.started, after.started, followed) for before, after in pairwise(members))


def drained_parents(members: Sequence[Query], unit: Unit) -> bool:
    """Draining, of parents: the rows that load something came one answer at a time from a question that is asked again."""
    lineage = parent_lineage(members[0])
    if lineage is None or lineage.root.kind != "Q":
        return False
    wanted = unit.keys.of(lineage.root)
    asked = [
        query
        for query in unit.queries
        if (own := own_lineage(query)) is not None and own.parent is None and unit.keys.of(own) == wanted
    ]
    limited = bool(asked) and asked[0].statement.traits.has_limit and operation_of(asked[0]) not in _ONE_ROW
    return limited and len(set(map(parameter_set, asked))) == 1 and _drained(asked, members, unit)


#: Whether members of one group only look like a repetition that one statement would replace.
Lookalike = Callable[[Sequence[Query], Unit], bool]

LOOP_LOOKALIKES: Final[tuple[Lookalike, ...]] = (paging, chunks, draining, search, locking, idle)
LINEAGE_LOOKALIKES: Final[tuple[Lookalike, ...]] = (drained_parents,)
WRITE_LOOKALIKES: Final[tuple[Lookalike, ...]] = (draining, locking)
