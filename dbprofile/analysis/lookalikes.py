"""What only looks like a loop: one predicate each, its sentence as docstring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbprofile.analysis.variation import limit_of, measured, varying

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dbprofile.analysis.variation import Varying
    from dbprofile.capture.query import Query

__all__ = ["LOOP_LOOKALIKES", "chunks", "paging"]

_BOUNDS: Final = frozenset({"lower bound", "upper bound"})
#: Calls that put a LIMIT of their own into the text, which says nothing of pages.
_ONE_ROW: Final = frozenset({"get", "first", "last", "exists", "earliest", "latest", "count"})


def paging(members: Sequence[Query]) -> bool:
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
    operation = first.provenance.operation if first.provenance is not None else ""
    limit = limit_of(first)
    if limit is not None and limit != 1 and operation not in _ONE_ROW:
        return True
    if first.statement.traits.aggregate_only:
        return False
    if all(value.role in {"lower bound", "offset"} for value in values):
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


def chunks(members: Sequence[Query]) -> bool:
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
        if firsts in (sorted(firsts), sorted(firsts, reverse=True)) or not _ordered(firsts):
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


#: What a group of equal statements from one place must not be, to be a loop.
LOOP_LOOKALIKES: Final[tuple[Callable[[Sequence[Query]], bool], ...]] = (paging, chunks)
