"""Which queries are judged at all, in which role, and which may be judged together."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbprofile.analysis.variation import parameter_set, varying

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from dbprofile.analysis.log import Log
    from dbprofile.capture.query import Query

__all__ = ["by_unit", "role"]

_WRITES: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "TRUNCATE", "COPY"})
_CONTROL: Final = frozenset({"BEGIN", "START", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET"})
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
    if verb in _CONTROL:
        return ""
    if verb in _WRITES or query.statement.written or (why is not None and why.role == "write"):
        return "write"
    if verb not in _READS:
        return ""
    return why.role if why is not None else "read"


def by_unit(roles: Mapping[Query, str], log: Log) -> tuple[Sequence[Query], ...]:
    """The queries that are judged, by their unit of work, each in order. What belongs to two units is never one loop.

    Where a unit works a queue off, each claim on it begins a unit of its own.

    Args:
        roles: what ``role`` says of each query of a profile, in their order.
        log: of the profile.
    """
    parts: dict[object, list[Query]] = {}
    for query, judged in roles.items():
        if judged:
            parts.setdefault(query.unit, []).append(query)
    if not log.changes:
        return tuple(parts.values())
    return tuple(job for queries in parts.values() for job in _jobs(queries, roles, log))


# --- queues ---------------------------------------------------------------------------------------------------------


def _jobs(queries: Sequence[Query], roles: Mapping[Query, str], log: Log) -> Iterator[Sequence[Query]]:
    """The parts of a unit from one claim up to the next; the whole where it claims nothing."""
    alike: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        if _may_claim(query, roles[query]):
            why = query.provenance
            path = why.path if why is not None else ()
            alike[query.statement, path, query.database.name].append(query)
    claims = {claim for asked in alike.values() if len(asked) > 1 and _is_queue(asked, log) for claim in asked}
    job: list[Query] = []
    for query in queries:
        if query in claims and job:
            yield job
            job = []
        job.append(query)
    yield job


def _may_claim(query: Query, judged: str) -> bool:
    statement = query.statement
    if judged == "write":
        text = statement.text.upper()
        return statement.verb in {"UPDATE", "DELETE"} and "(SELECT " in text and (" LIMIT " in text or _ORDERED in text)
    if judged not in {"read", "lazy"} or statement.traits.aggregate_only:
        return False
    return statement.traits.has_limit or _ORDERED in statement.text.upper()


_ORDERED: Final = " ORDER BY "


def _is_queue(asked: Sequence[Query], log: Log) -> bool:
    """Whether each answer was worked off before the question was asked again: nothing of it varies but a moment."""
    if asked[0].statement.written:
        return len(set(map(parameter_set, asked))) == 1
    if any(value.role != "upper bound" for value in varying(asked)):
        return False
    return all(
        any(_takes(write, before) for write in log.changes_between(before, after)) for before, after in pairwise(asked)
    )


def _takes(write: Query, claim: Query) -> bool:
    """Whether a write may have taken a row out of the queue: of an object the claim loaded, else any if the claim was limited."""
    tables = {table.rpartition(".")[2] for table in claim.statement.tables}
    if tables.isdisjoint(table.rpartition(".")[2] for table in write.statement.written):
        return False
    above = write.provenance.parent_lineage if write.provenance is not None else None
    own = claim.provenance.lineage if claim.provenance is not None else None
    if above is not None and own is not None:
        return above.root is own
    return claim.statement.traits.has_limit
