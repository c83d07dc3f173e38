"""Where findings point: the line that ran a query, the lines that called it, and the time that queries took."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.query import Query

__all__ = ["callers", "in_all", "place_of"]

#: Lines that a finding names outward of its trigger.
CALLERS: Final = 5


def place_of(query: Query) -> CallSite | None:
    """The line of the application that ran a query, with the field of a serializer; ``None`` where there is none."""
    why = query.provenance
    if why is not None and why.path:
        place = why.path[0].place()
        if why.field is None:
            return place
        return CallSite(place.file, place.line, place.function, template=place.template, tag=place.tag, field=why.field)
    return query.call_site.place() if query.call_site is not None else None


def callers(query: Query) -> tuple[CallSite, ...]:
    """The lines of the application that called the one of ``place_of``, innermost first."""
    path = query.provenance.path if query.provenance is not None else ()
    return tuple(step.place() for step in path[1 : CALLERS + 1])


def in_all(queries: Iterable[Query]) -> float:
    """Execute and fetch time of queries together, in seconds."""
    return sum(query.total_seconds for query in queries)
