"""What differs between the members of a group: parameter sets, and which values vary in which role."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dbprofile.capture.provenance import Token
from dbprofile.sql.statement import Position, measure

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from dbprofile.capture.query import Digest, Query
    from dbprofile.sql.statement import Measure, Value

__all__ = [
    "Varying",
    "distinct_parents",
    "limit_of",
    "measured",
    "offset_of",
    "parameter_set",
    "parameter_sets",
    "value_hashes",
    "varying",
]

#: Hashes below it are whole numbers themselves; those of anything else are as good as never so small.
_NUMBERS: Final = 2**40
_NOTHING: Final = hash(None)
_UNKNOWN: Final = frozenset({None})


def measured(query: Query) -> Measure:
    """What the inside of a query's text says: its lists, limits, and the role of each value."""
    database = query.database
    return measure(_text(query), database.dialect, database.paramstyle)


def _text(query: Query) -> str:
    sql = query.raw_sql
    return sql if type(sql) is str else query.sql


def parameter_set(query: Query) -> Hashable:
    """The literals in the order of the text, and the digest. A set that could not be hashed equals no other."""
    return parameter_sets((query,))[0]


def parameter_sets(queries: Iterable[Query]) -> list[Hashable]:
    """The parameter set of each query. Queries that share a text and a database are measured once."""
    found: list[Hashable] = []
    literals: tuple[int, ...] = ()
    text = database = None
    for query in queries:
        digest = query.parameters
        if digest is None:
            found.append(object())
            continue
        sql = query.raw_sql
        if type(sql) is not str:
            sql = query.sql
        if sql != text or query.database is not database:
            text, database = sql, query.database
            literals = tuple([value.hash for value in measured(query).values if value.hash is not None])
        found.append((literals, digest.hash, digest.count))
    return found


def value_hashes(query: Query) -> list[int | None] | None:
    """The hashes of a query's values in their order, without LIMIT and OFFSET; ``None`` where its parameters have no digest.

    Of a value beyond those whose hashes are kept the hash is ``None``.
    """
    digest = query.parameters
    if digest is None:
        return None
    return [_hash(value, digest) for value in measured(query).values if value.role not in {"limit", "offset"}]


@dataclass(frozen=True)
class Varying:
    """One value of the statement that is not the same in all members."""

    role: str
    """``equal``, ``lower bound``, ``upper bound``, ``in``, ``limit``, ``offset`` or ``other``."""
    column: str
    hashes: tuple[int | None, ...]
    """Of each member; ``None`` where it is not known. Hashes of small integers are the integers: their order is visible."""


def varying(members: Sequence[Query]) -> tuple[Varying, ...]:
    """The values that differ between the members, by their place in the statement.

    Members whose texts hold different numbers of values (lists of different lengths) are compared by role and column.
    """
    if _share_a_text(members):
        digests = [member.parameters for member in members]
        # A literal of the one text is the same in all of them.
        found = [
            Varying(value.role, value.column, _at_each(value.position, digests))
            for value in measured(members[0]).values
            if value.hash is None
        ]
    else:
        rows = [[(value, _hash(value, query.parameters)) for value in measured(query).values] for query in members]
        found = _by_place(rows) if len({len(row) for row in rows}) == 1 else _by_column(rows)
    return tuple([value for value in found if len(set(value.hashes) - _UNKNOWN) > 1])


def _share_a_text(members: Sequence[Query]) -> bool:
    texts = [member.raw_sql for member in members]
    # Counted in C; a driver's own SQL object is compared by its text.
    return texts.count(texts[0]) == len(texts) if type(texts[0]) is str else len(set(map(_text, members))) == 1


def _by_place(rows: list[list[tuple[Value, int | None]]]) -> list[Varying]:
    columns = zip(*rows, strict=True)
    return [
        Varying(column[0][0].role, column[0][0].column, tuple(hashed for _, hashed in column)) for column in columns
    ]


def _by_column(rows: list[list[tuple[Value, int | None]]]) -> list[Varying]:
    merged: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    for row in rows:
        parts: dict[tuple[str, str], list[int | None]] = defaultdict(list)
        for value, hashed in row:
            parts[value.role, value.column].append(hashed)
        for key, hashes in parts.items():
            merged[key].append(hash(tuple(hashes)))
    return [Varying(role, column, tuple(hashes)) for (role, column), hashes in merged.items()]


def limit_of(query: Query) -> int | None:
    """The number behind LIMIT, where it can be known: a literal, or a parameter whose hash is the number itself."""
    return _number(measured(query).limit, query.parameters)


def offset_of(query: Query) -> int | None:
    """The number behind OFFSET, where it can be known, as for ``limit_of``."""
    return _number(measured(query).offset, query.parameters)


def _number(found: int | Position | None, parameters: Digest | None) -> int | None:
    if not isinstance(found, Position):
        return found
    hashed = _at(found.position, parameters)
    # The hash of a text, or of nothing (a constant since Python 3.12), is no number that anybody pages by.
    return hashed if hashed is not None and 0 <= hashed < _NUMBERS and hashed != _NOTHING else None


def _hash(value: Value, parameters: Digest | None) -> int | None:
    return value.hash if value.hash is not None else _at(value.position, parameters)


def _at(position: int | str | None, parameters: Digest | None) -> int | None:
    """The hash of a parameter, if it is among the first or last that are kept."""
    if parameters is None or position is None:
        return None
    if isinstance(position, str):
        ends = parameters.head + parameters.tail
        return ends[parameters.names.index(position)] if position in parameters.names else None
    if position < len(parameters.head):
        return parameters.head[position]
    from_end = position - parameters.count + len(parameters.tail)
    return parameters.tail[from_end] if 0 <= from_end < len(parameters.tail) else None


def _at_each(position: int | str | None, digests: Sequence[Digest | None]) -> tuple[int | None, ...]:
    """The hash of one parameter in each set."""
    if isinstance(position, int):
        try:  # nearly always: known of all, and among the first
            return tuple([digest.head[position] for digest in digests])  # type: ignore[union-attr]
        except (AttributeError, IndexError):
            pass
    return tuple([_at(position, digest) for digest in digests])


def distinct_parents(members: Iterable[Query]) -> int:
    """How many parents asked: objects within one execution, rows across executions with equal text and parameters."""
    alone: set[Hashable] = set()
    executions: dict[object, dict[int, set[Token]]] = {}
    for query in members:
        why = query.provenance
        parent = why.parent if why is not None else None
        if isinstance(parent, Token) and parent.batch is not None and parent.batch.digest is not None:
            batch = parent.batch
            executions.setdefault((id(batch.lineage), batch.digest), {}).setdefault(batch.number, set()).add(parent)
        else:
            alone.add(parent if parent is not None else parameter_set(query))
    count = len(alone)
    for batches in executions.values():
        rows = {token.key for tokens in batches.values() for token in tokens}
        count += max(len(rows), *map(len, batches.values()))
    return count
