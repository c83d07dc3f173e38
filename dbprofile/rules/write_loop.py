"""DBP121: rows that are written one by one from one place, where one statement would write them all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from dbprofile.analysis.groups import Analysis, Group, invocation_of
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, severity_by_count
from dbprofile.findings.numbers import quantity
from dbprofile.findings.places import callers, in_all, place_of
from dbprofile.findings.problems import fix_of, origin_of

__all__ = ["WriteLoop"]

_DONE = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}


@dataclass(frozen=True)
class WriteLoop:
    """Writes of one row each that one call would do together; what each call reads besides is part of it.

    Severity: critical from 50 queries or 100 ms in all, warning from 5 or 20 ms, else info.
    """

    code: ClassVar[str] = "DBP121"
    kind: ClassVar[str] = "write_loop"

    min: int = 3
    """Turns that make a loop."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each operation and place."""
        for group in analysis.writes:
            if group.count >= self.min:
                yield self._finding(group)

    def _finding(self, group: Group) -> Finding:
        first = _shown(group)
        why = group.first.provenance
        queries = (*group.queries, *group.followed)
        seconds = in_all(queries)
        fix = fix_of(self.kind, group)
        return Finding(
            code=self.code,
            kind=self.kind,
            severity=severity_by_count(len(queries) + group.beyond, seconds),
            subject=first.statement.shape,
            message=_message(group, first.statement.verb, len(queries) + group.beyond),
            count=group.count,
            seconds=seconds,
            avoidable_seconds=seconds * (1 - 1 / group.count),
            threshold=self.min,
            trigger=place_of(group.first),
            callers=callers(group.first),
            origin=origin_of(group),
            origin_rows=group.origin.rows if group.origin is not None else None,
            statement=first.statement,
            fix=fix,
            queries=queries,
            variant=group.variant,
            operation=why.operation if why is not None else "",
        )


def _shown(group: Group) -> Query:
    """The write of the first turn that says what it was: of a deletion the last, because what hangs on the row goes before it."""
    turn = invocation_of(group.first)
    writes = [query for query in group.queries if query.statement.written and invocation_of(query) == turn]
    if not writes:
        return next((query for query in group.queries if query.statement.written), group.first)
    return writes[-1] if writes[-1].statement.verb == "DELETE" else writes[0]


def _message(group: Group, verb: str, number: int) -> str:
    text = f"{quantity(group.count, 'row')} {_DONE.get(verb, 'written')} one by one"
    return text if number == group.count else f"{text}, with {quantity(number, 'query', 'queries')}"
