"""Log: the writes, locks, failures and rollbacks of a profile, sorted once and asked "what happened between?"."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cached_property

from dbprofile.capture.query import Query

__all__ = ["Log"]

_ANY = ""
_CHANGES = frozenset({"UPDATE", "DELETE"})


class Log:
    """What changes the answer to a question, of the whole profile: a write of any unit does.

    All moments are those of ``perf_counter_ns``; "between" is after ``start`` and before ``end``.
    """

    def __init__(self, queries: Sequence[Query]) -> None:
        self._queries = queries

    @cached_property
    def _starts(self) -> list[int]:
        return sorted([query.started for query in self._queries])

    @cached_property
    def _failures(self) -> list[int]:
        return sorted(query.started for query in self._queries if query.error is not None)

    @cached_property
    def _writes(self) -> dict[str, list[int]]:
        writes: dict[str, list[int]] = {}
        for query in sorted(self._queries, key=lambda query: query.started):
            statement = query.statement
            written = statement.written or (() if statement.tables or not _is_write(query) else (_ANY,))
            for table in written:
                writes.setdefault(_last_part(table), []).append(query.started)
        return writes

    @cached_property
    def _locks(self) -> list[int]:
        return sorted(query.started for query in self._queries if query.locks or "locks" in query.statement.flags)

    @cached_property
    def _rollbacks(self) -> list[int]:
        return sorted(query.started for query in self._queries if query.statement.verb == "ROLLBACK")

    @cached_property
    def _kept(self) -> list[int]:
        return sorted(
            query.started
            for query in self._queries
            if not query.undone and (query.statement.written or _is_write(query))
        )

    @cached_property
    def changes(self) -> list[Query]:
        """The updates and deletions, in order."""
        return sorted(
            (query for query in self._queries if query.statement.verb in _CHANGES), key=lambda query: query.started
        )

    def changes_between(self, before: Query, after: Query) -> list[Query]:
        """The updates and deletions that began between two queries."""
        return [query for query in self.changes if before.started < query.started < after.started]

    @property
    def has_writes(self) -> bool:
        """Whether anything was written at all."""
        return bool(self._writes)

    def written_between(self, tables: Iterable[str], start: int, end: int) -> bool:
        """Whether one of the tables was written.

        A write whose tables are unknown counts for all, and a read whose tables are unknown is changed by any write.
        """
        if not self._writes:
            return False
        names = {_last_part(table) for table in tables}
        candidates = (
            self._writes if not names else {name: at for name, at in self._writes.items() if name in names | {_ANY}}
        )
        return any(_any_between(at, start, end) for at in candidates.values())

    def failed_between(self, start: int, end: int) -> bool:
        """Whether a statement failed."""
        return _any_between(self._failures, start, end)

    def locked_between(self, start: int, end: int) -> bool:
        """Whether a read took locks: what is read after it may be read anew on purpose."""
        return _any_between(self._locks, start, end)

    def rolled_back_between(self, start: int, end: int) -> bool:
        """Whether something was rolled back, as far as the statements show it."""
        return _any_between(self._rollbacks, start, end)

    def committed_between(self, start: int, end: int) -> bool:
        """Whether there was a write that no rollback took back."""
        return _any_between(self._kept, start, end)

    def anything_between(self, start: int, end: int) -> bool:
        """Whether any statement began."""
        return _any_between(self._starts, start, end)


def _any_between(moments: list[int], start: int, end: int) -> bool:
    return bool(moments) and bisect_right(moments, start) < bisect_left(moments, end)


def _last_part(table: str) -> str:
    return table.rpartition(".")[2]


def _is_write(query: Query) -> bool:
    why = query.provenance
    return (why is not None and why.role == "write") or query.statement.verb in {"CALL", "EXEC", "EXECUTE", "DO"}
