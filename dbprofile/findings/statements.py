"""Findings about statements that are wrong each by itself: those of one text and place are one finding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Protocol

from dbprofile.capture.query import Query
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.places import callers, in_all, place_of

__all__ = ["Coded", "about", "alike"]


class Coded(Protocol):
    """A rule that a finding is of."""

    @property
    def code(self) -> str:
        """``DBP201``."""

    @property
    def kind(self) -> str:
        """``slow_query``."""


def alike(queries: Iterable[Query]) -> list[list[Query]]:
    """Queries of one statement, place and database together, in order of first appearance."""
    found: dict[Hashable, list[Query]] = defaultdict(list)
    for query in queries:
        found[query.statement, place_of(query), query.database.name].append(query)
    return list(found.values())


def about(
    rule: Coded,
    queries: Sequence[Query],
    worst: Query,
    *,
    severity: Severity,
    message: str,
    threshold: float | None = None,
    fix: Fix | None = None,
    relation: str | None = None,
) -> Finding:
    """One finding of a rule.

    Args:
        rule: whose code and kind it has.
        queries: what it is about.
        worst: the query that it shows.
        severity: how bad it is.
        message: one sentence.
        threshold: what was exceeded.
        fix: what to do.
        relation: the relation that it is about, where that is not the one of the query.
    """
    why = worst.provenance
    return Finding(
        code=rule.code,
        kind=rule.kind,
        severity=severity,
        subject=relation or worst.statement.shape,
        message=message,
        count=len(queries),
        seconds=in_all(queries),
        threshold=threshold,
        relation=relation or (why.relation if why is not None else None),
        trigger=place_of(worst),
        callers=callers(worst),
        statement=worst.statement,
        fix=fix,
        queries=tuple(queries),
        operation=why.operation if why is not None else "",
    )
