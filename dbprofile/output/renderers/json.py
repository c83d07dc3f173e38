"""JSON: a report as one object a line, for machines. Statements are masked, durations are seconds, times RFC 3339 in UTC."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.counters import Counter, counting_class
from dbprofile.capture.query import Digest, Query
from dbprofile.findings.finding import Finding, Fix
from dbprofile.findings.places import place_of
from dbprofile.findings.report import Report
from dbprofile.output.source import Root, shown_path
from dbprofile.sql.statement import Statement

__all__ = ["document", "finding_document", "render"]

#: Places that a statement names.
_PLACES = 5


def render(
    reports: Iterable[Report],
    *,
    root: Root | None = None,
    queries: bool = True,
    beside: Mapping[str, object] | None = None,
) -> str:
    """The reports, one object a line, without a line break at the end.

    Args:
        reports: in the order of the lines.
        root: the folder that paths are given relative to; the working directory if ``None``.
        queries: also what each statement and each query did.
        beside: further fields of each object.
    """
    documents = (document(report, root=root, queries=queries) | dict(beside or {}) for report in reports)
    return "\n".join(json.dumps(one, separators=(",", ":")) for one in documents)


def document(report: Report, *, root: Root | None = None, queries: bool = False) -> dict[str, object]:
    """A report as plain data; keys are added in later versions, and never taken away."""
    profile = report.profile
    indices = {id(query): index for index, query in enumerate(profile.queries)} if queries else {}
    found: dict[str, object] = {
        "dbprofile": 1,
        "kind": profile.kind,
        "name": profile.name,
        "number": profile.number,
        "parent": profile.parent,
        "labels": {name: _scalar(value) for name, value in profile.labels.items()},
        "started": datetime.fromtimestamp(profile.started, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z"),
        "seconds": profile.seconds,
        "database_seconds": profile.database_seconds,
        "execute_seconds": profile.execute_seconds,
        "fetch_seconds": profile.fetch_seconds,
        "object_seconds": profile.object_seconds,
        "query_count": profile.query_count,
        "unique_query_count": profile.unique_query_count,
        "rows": profile.rows,
        "not_counted": dict(profile.not_counted),
        "untracked": dict(profile.untracked),
        "late": dict(profile.late),
        "unfinished": profile.unfinished,
        "findings": [_finding(finding, root, indices) for finding in report.findings],
        "silenced": [
            {**_finding(each.finding, root, indices), "silenced_by": each.by, "reason": each.reason}
            for each in report.silenced
        ],
    }
    if queries:
        found["statements"] = _statements(profile.queries, profile.counters, root)
        begin = min((query.started for query in profile.queries), default=0)
        numbers: dict[Digest, int] = {}
        found["queries"] = [_query(query, begin, root, numbers) for query in profile.queries]
    return found


def finding_document(finding: Finding, root: Root | None = None) -> dict[str, object]:
    """A finding by itself as plain data, without its queries."""
    return _finding(finding, root, {})


def _scalar(value: object) -> object:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _finding(finding: Finding, root: Root | None, indices: Mapping[int, int]) -> dict[str, object]:
    found: dict[str, object] = {
        "code": finding.code,
        "kind": finding.kind,
        "severity": str(finding.severity),
        "subject": finding.subject,
        "relation": finding.relation,
        "relation_kind": finding.relation_kind,
        "message": finding.message,
        "count": finding.count,
        "query_count": len(finding.queries),
        "seconds": finding.seconds,
        "avoidable_seconds": finding.avoidable_seconds,
        "threshold": finding.threshold,
        "evidence": finding.evidence,
        "variant": finding.variant,
        "operation": finding.operation,
        "trigger": _place(finding.trigger, root),
        "callers": [_place(caller, root) for caller in finding.callers],
        "origin": _place(finding.origin, root),
        "origin_rows": finding.origin_rows,
        "statement": _statement(finding.statement),
        "fix": _fix(finding.fix, root),
    }
    if indices:
        # Which of the report's queries they are.
        found["queries"] = [indices[id(query)] for query in finding.queries if id(query) in indices]
    return found


def _place(site: CallSite | None, root: Root | None) -> dict[str, object] | None:
    if site is None:
        return None
    return {
        "file": shown_path(site.file, root),
        "line": site.line,
        "function": site.function,
        "template": site.template,
        "tag": site.tag,
        "field": site.field,
    }


def _statement(statement: Statement | None) -> dict[str, object] | None:
    if statement is None:
        return None
    return {
        "fingerprint": statement.fingerprint,
        "text": statement.text,
        "shape": statement.shape,
        "tables": list(statement.tables),
    }


def _fix(fix: Fix | None, root: Root | None) -> dict[str, object] | None:
    if fix is None:
        return None
    return {
        "text": fix.text,
        "place": _place(fix.place, root),
        "expression": fix.expression,
        "kind": fix.kind,
        "leaves": fix.leaves,
        "certain": fix.certain,
        "replaces": fix.replaces,
    }


def _statements(queries: Sequence[Query], counters: Sequence[Counter], root: Root | None) -> list[dict[str, object]]:
    """What each statement did in all on each database, in the order in which they first ran."""
    detailed: dict[tuple[Statement, str], list[Query]] = defaultdict(list)
    summed: dict[tuple[Statement, str], list[Counter]] = defaultdict(list)
    for query in queries:
        detailed[query.statement, query.database.name].append(query)
    for counter in counters:
        summed[counter.statement, counter.database.name if counter.database is not None else ""].append(counter)
    return [
        _total(
            statement, database, detailed.get((statement, database), []), summed.get((statement, database), []), root
        )
        for statement, database in dict.fromkeys((*detailed, *summed))
    ]


def _total(
    statement: Statement, database: str, queries: list[Query], counters: list[Counter], root: Root | None
) -> dict[str, object]:
    places = dict.fromkeys(site for query in queries if (site := place_of(query)) is not None)
    return {
        "fingerprint": statement.fingerprint,
        "text": statement.text,
        "shape": statement.shape,
        "verb": statement.verb,
        "tables": list(statement.tables),
        "database": database,
        "count": len(queries) + sum(counter.count for counter in counters),
        "only_counted": sum(counter.count for counter in counters),
        "seconds": sum(query.seconds for query in queries) + sum(counter.seconds for counter in counters),
        "fetch_seconds": sum(query.fetch_seconds for query in queries)
        + sum(counter.fetch_seconds for counter in counters),
        "longest_seconds": max(
            (*(query.seconds for query in queries), *(counter.longest for counter in counters)), default=0.0
        ),
        "rows": sum(query.rows or 0 for query in queries) + sum(counter.rows for counter in counters),
        "errors": sum(query.error is not None for query in queries) + sum(counter.errors for counter in counters),
        "places": [_place(site, root) for site in islice(places, _PLACES)],
    }


def _query(query: Query, begin: int, root: Root | None, numbers: dict[Digest, int]) -> dict[str, object]:
    why, parameters = query.provenance, query.parameters
    return {
        "fingerprint": query.statement.fingerprint,
        "database": query.database.name,
        "after_seconds": (query.started - begin) / 1e9,
        "seconds": query.seconds,
        "fetch_seconds": query.fetch_seconds,
        "fetches": query.fetches,
        "rows": query.rows,
        "affected_rows": query.affected_rows,
        "batch_size": query.batch_size,
        "round_trips": query.round_trips,
        "error": query.error,
        # Which parameter sets are the same one, and how many values they hold, in numbers that mean nothing anywhere else.
        "parameters": numbers.setdefault(parameters, len(numbers) + 1) if parameters is not None else None,
        "parameter_count": parameters.count if parameters is not None else None,
        "counted": counting_class(query) == "app",
        "role": why.role if why is not None else None,
        "operation": why.operation if why is not None else "",
        "relation": why.relation if why is not None else None,
        "infrastructure": why.infrastructure if why is not None else "",
        "call_site": _place(place_of(query), root),
        "connection": query.connection,
        "transaction": query.transaction,
        "undone": query.undone,
        "lane": query.lane,
        "phase": query.phase,
    }
