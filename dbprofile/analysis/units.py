"""Which queries are judged at all, in which role, and which may be judged together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dbprofile.capture.query import Query

__all__ = ["by_unit", "role"]

_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "TRUNCATE", "COPY"})
_READS: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "CALL", "EXEC", "EXECUTE", "FETCH"})


def role(query: Query) -> str:
    """``read``, ``write``, ``lazy`` or ``eager``; ``""`` for what is never judged as repetition.

    Not judged: transaction control, settings and introspection (by verb), infrastructure, and failed executions.
    """
    if query.error is not None:
        return ""
    why = query.provenance
    if why is not None and why.role == "infra":
        return ""
    verb = query.statement.verb
    if verb in _WRITES or (why is not None and why.role == "write"):
        return "write"
    if verb not in _READS:
        return ""
    return why.role if why is not None else "read"


def by_unit(roles: Mapping[Query, str]) -> tuple[Sequence[Query], ...]:
    """The queries that are judged, by their unit of work, each in order. What belongs to two units is never one loop.

    Args:
        roles: what ``role`` says of each query of a profile, in their order.
    """
    parts: dict[object, list[Query]] = {}
    for query, judged in roles.items():
        if judged:
            parts.setdefault(query.unit, []).append(query)
    return tuple(parts.values())
