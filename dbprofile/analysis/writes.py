"""Writes: one operation from one place, again and again for a single row each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.groups import (
    Group,
    invocation_of,
    operation_of,
    parent_lineage,
    path_of,
    variant_of,
    without,
)
from dbprofile.analysis.lookalikes import WRITE_LOOKALIKES
from dbprofile.analysis.loops import likely_origin
from dbprofile.analysis.variation import measured, parameter_set, varying

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dbprofile.analysis.groups import Unit
    from dbprofile.capture.query import Query

__all__ = ["group_writes"]

#: Turns that make a loop of writes.
WRITE_MIN: Final = 3
#: Rows of a flush that may still be one thing with its parts: an order with its lines.
SMALL_FLUSH: Final = 20
#: Calls that write one row by what they mean.
_ONE_ROW: Final = frozenset({"save", "create", "get_or_create", "update_or_create"})
#: Calls of a related manager, which write for one parent whatever the number of rows.
_MANAGER: Final = frozenset({"add", "set", "remove", "clear"})
_CHANGING: Final = frozenset({"UPDATE", "DELETE"})
#: How a WHERE picks rows.
_PICKING: Final = frozenset({"equal", "in", "lower bound", "upper bound"})
_BOUNDS: Final = frozenset({"lower bound", "upper bound"})


@dataclass(eq=False)
class _Turn:
    """One call of the application, and the statements that it sent."""

    queries: list[Query] = field(default_factory=list)

    @property
    def writes(self) -> list[Query]:
        return [query for query in self.queries if query.statement.written]

    @property
    def first(self) -> Query:
        return self.queries[0]


def group_writes(queries: Sequence[Query], unit: Unit) -> tuple[list[Group], list[Query]]:
    """Writes of one row each that one statement would replace; their look-ups, savepoints and refreshes are part of them."""
    if "write" not in unit.kinds:
        return [], list(queries)
    turns: dict[Hashable, _Turn] = defaultdict(_Turn)
    for query in queries:
        if unit.roles[query] == "write":
            turns[invocation_of(query)].queries.append(query)
    places: dict[Hashable, list[_Turn]] = defaultdict(list)
    for turn in turns.values():
        places[_key(turn)].append(turn)
    groups = []
    for members in places.values():
        if any(turn.writes for turn in members):
            group = _group(members, queries, unit)
            groups += [group] if group is not None else []
        else:
            # It found what it would have written: to the passes that follow it has only read.
            unit.roles.update((query, "read") for turn in members for query in turn.queries if _reads(query))
    return groups, without(queries, {query for group in groups for query in (*group.queries, *group.followed)})


def _key(turn: _Turn) -> Hashable:
    why = turn.first.provenance
    if why is not None and why.operation:
        return (why.operation, why.model, path_of(turn.first), turn.first.database.name)
    return (turn.first.statement, path_of(turn.first), turn.first.database.name)


def _reads(query: Query) -> bool:
    return query.statement.verb in {"SELECT", "WITH"} and not query.statement.written


def _group(members: list[_Turn], queries: Sequence[Query], unit: Unit) -> Group | None:
    turns = members if _of_several_parents(members) else [turn for turn in members if _is_of_one_row(turn)]
    turns = _without_repeated_attempts(turns)
    if len(turns) < WRITE_MIN or not path_of(turns[0].first):
        return None
    writes = [write for turn in turns for write in turn.writes[:1]]
    if _makes_progress(writes) or _meets_nothing(writes) or _moves_windows(writes):
        return None
    if len(writes) > 1 and any(lookalike(writes, unit) for lookalike in WRITE_LOOKALIKES):
        return None
    sent = tuple(query for turn in turns for query in turn.queries)
    return Group(sent, len(turns), _refreshes(turns, queries), origin=_origin(turns, unit))


def _of_several_parents(turns: Sequence[_Turn]) -> bool:
    if operation_of(turns[0].first) not in _MANAGER:
        return False
    parents = {why.parent for turn in turns if (why := turn.first.provenance) is not None and why.parent is not None}
    return len(parents) >= WRITE_MIN


def _is_of_one_row(turn: _Turn) -> bool:
    operation = operation_of(turn.first)
    if operation in _ONE_ROW:
        return True
    if operation in {"flush", "bulk_save"}:
        return _is_small_flush(turn)
    writes = turn.writes
    if not writes:
        return True
    if any(write.batch_size is not None and write.batch_size != 1 for write in writes):
        return False
    one = all(measured(write).value_rows <= 1 and not _copies(write) for write in writes)
    return one and measured(turn.first).longest_list <= 1


def _copies(query: Query) -> bool:
    """``INSERT … SELECT``: as many rows as it reads."""
    statement = query.statement
    return (
        statement.verb == "INSERT"
        and measured(query).value_rows == 0
        and len(statement.tables) > 0
        and (" SELECT " in f" {statement.text.upper()} ")
    )


def _is_small_flush(turn: _Turn) -> bool:
    rows: dict[Hashable, int] = defaultdict(int)
    for write in turn.writes:
        rows[write.statement.verb, write.statement.written] += write.batch_size or max(1, measured(write).value_rows)
    if not rows:
        return True
    return max(rows.values()) == 1 or (sum(rows.values()) < SMALL_FLUSH and min(rows.values()) == 1)


def _without_repeated_attempts(turns: Sequence[_Turn]) -> list[_Turn]:
    """Without those that write again what an earlier one wrote, after a rollback or in a new transaction."""
    kept: list[_Turn] = []
    seen: dict[Hashable, Query] = {}
    for turn in turns:
        written = tuple((write.statement, parameter_set(write)) for write in turn.writes)
        earlier = seen.get(written) if written else None
        if earlier is not None and (earlier.undone or earlier.transaction != turn.first.transaction):
            continue
        seen.setdefault(written, turn.first)
        kept.append(turn)
    return kept


def _makes_progress(writes: Sequence[Query]) -> bool:
    """All change the same rows: a state that moves on, a counter."""
    if not writes or not all(write.statement.verb in _CHANGING for write in writes):
        return False
    return len({write.statement for write in writes}) == 1 and not any(
        value.role in _PICKING for value in varying(writes)
    )


def _meets_nothing(writes: Sequence[Query]) -> bool:
    """Fewer than two met a row."""
    met = sum(write.affected_rows != 0 for write in writes)
    return bool(writes) and met < 2 and all(write.statement.verb in _CHANGING for write in writes)


def _moves_windows(writes: Sequence[Query]) -> bool:
    """They differ only in what they compare with ``<`` and ``>``: an archive that is moved piece by piece."""
    if not writes or not all(write.statement.verb in _CHANGING for write in writes):
        return False
    values = varying(writes)
    return bool(values) and all(value.role in _BOUNDS for value in values)


def _refreshes(turns: Sequence[_Turn], queries: Sequence[Query]) -> tuple[Query, ...]:
    """What reads the written row again right behind a turn; not if it is one and the same row each time."""
    last = {id(turn.queries[-1]) for turn in turns}
    found = [
        after
        for before, after in pairwise(queries)
        if id(before) in last and variant_of(after) == "refresh" and after.provenance is not None
    ]
    rows = {query.provenance.parent for query in found if query.provenance is not None}
    return () if len(rows) == 1 and len(found) >= WRITE_MIN else tuple(found)


def _origin(turns: Sequence[_Turn], unit: Unit) -> Query | None:
    """The query that loaded the written objects, else the one that the loop is likely to go over."""
    firsts = [turn.first for turn in turns]
    above = parent_lineage(firsts[0])
    if above is not None and above.root.kind == "Q":
        wanted = unit.keys.of(above.root)
        for query in unit.queries:
            why = query.provenance
            lineage = why.lineage if why is not None else None
            if lineage is not None and lineage.parent is None and unit.keys.of(lineage) == wanted:
                return query
    return likely_origin(firsts, len(turns), unit)
