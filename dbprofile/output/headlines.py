"""The one line that a unit of work gets: what it was, how many queries, how long, and what is worth knowing besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

from dbprofile.capture.profile import Profile
from dbprofile.findings.numbers import duration, quantity
from dbprofile.findings.report import Report
from dbprofile.output.terminal import Terminal, cells, elide_middle, visible

__all__ = ["headline"]

#: Kinds whose names say of themselves what they are.
_NAMED: Final = frozenset({"request", "block"})
#: The labels that say how a unit of a kind came out.
_OUTCOMES: Final = {"request": "http.response.status_code", "task": "celery.state"}
#: Threads that are named of those with statements in no scope.
_THREADS: Final = 2
_SHORTEST_NAME: Final = 12
_PREFIX: Final = "dbprofile "


class _Extent(NamedTuple):
    """What of it is told: the less room, the less."""

    rows: bool = True
    bracket: bool = True
    names: bool = True
    elsewhere: bool = True


_EXTENTS: Final = (
    _Extent(),
    _Extent(rows=False),
    _Extent(bracket=False),
    _Extent(rows=False, bracket=False),
    _Extent(rows=False, bracket=False, names=False),
    _Extent(rows=False, bracket=False, names=False, elsewhere=False),
)


def headline(report: Report, terminal: Terminal, findings: str = "") -> str:
    """One line of at most the terminal's width, in a log of any.

    Too narrow for all it loses the rows, the bracket, what would have to be looked up elsewhere, and then parts of the name.

    Args:
        report: what it is about.
        terminal: where it goes.
        findings: what is said of its findings; how many they are if it is empty.
    """
    findings = findings or _findings(report)
    number = f"#{report.profile.number}" if report.profile.number else ""
    room = terminal.width - (len(number) + 2 if number else 0)
    extents = _EXTENTS if terminal.aligned else _EXTENTS[:1]
    told = [
        [_PREFIX + _name(report.profile, terminal, extent), *_parts(report, terminal, extent, findings)]
        for extent in extents
    ]
    parts = next((parts for parts in told if _width(parts) <= room), told[-1])
    spare = room - _width(parts)
    if spare < 0 and terminal.aligned:
        name = parts[0].removeprefix(_PREFIX)
        parts[0] = _PREFIX + elide_middle(name, max(cells(name) + spare, _SHORTEST_NAME), terminal.ellipsis)
        spare = room - _width(parts)
    if report.worst is not None:
        parts = [terminal.paint(part, str(report.worst)) if part == findings else part for part in parts]
    gap = " " * (max(spare, 0) + 2 if terminal.aligned else 2) if number else ""
    return " | ".join(parts) + gap + terminal.paint(number, "faint")


def _width(parts: list[str]) -> int:
    return cells(" | ".join(parts))


def _name(profile: Profile, terminal: Terminal, extent: _Extent) -> str:
    name = profile.name
    if profile.kind == "background":
        name = f"background of {name}"
    elif profile.kind not in _NAMED:
        name = f"{profile.kind} {name}"
    outcome = profile.labels.get(_OUTCOMES.get(profile.kind, ""))
    if outcome is not None:
        name = f"{name} {outcome}"
    return visible(name + _above(profile, extent), terminal)


def _above(profile: Profile, extent: _Extent) -> str:
    """The number that stands at the end of another line: of the request of background work, of what published a task."""
    number = f"#{profile.parent}" if profile.parent else ""
    if profile.kind == "background":
        return f" {number}" if number else ""
    if profile.kind != "task":
        return ""
    process = profile.labels.get("dbprofile.parent.process")
    if process is not None:  # it was published elsewhere, and the line is in the output of that process
        of = f" of #{profile.labels.get('dbprofile.parent.number')} in process {process}"
        return of if extent.elsewhere else ""
    return f" of {number}" if number else ""


def _parts(report: Report, terminal: Terminal, extent: _Extent, findings: str) -> Iterator[str]:
    profile = report.profile
    yield quantity(profile.query_count, "query", "queries")
    yield _time(report, bracket=extent.bracket)
    if extent.rows and profile.rows:
        yield quantity(profile.rows, "row")
    if report.findings:
        yield findings
    if profile.queries and profile.counters:
        yield f"{sum(counter.count for counter in profile.counters):,} only counted"
    for missed, word in ((profile.untracked, "untracked"), (profile.late, "late")):
        if missed:
            names = f" ({_threads(missed)})" if extent.names else ""
            yield visible(f"{sum(missed.values()):,} {word}{names}", terminal)
    if profile.unfinished:
        yield f"{profile.unfinished:,} unfinished"


def _findings(report: Report) -> str:
    return quantity(len(report.findings), "finding")


def _time(report: Report, *, bracket: bool) -> str:
    profile = report.profile
    if not profile.queries and not profile.counters:
        return duration(profile.seconds)
    text = f"db {duration(profile.database_seconds)} of {duration(profile.seconds)}"
    if not bracket:
        return text
    if report.findings:
        share = profile.database_seconds / profile.seconds if profile.seconds else 0.0
        return f"{text} ({min(share, 1.0):.0%})" if share else text
    return f"{text} ({_shares(profile)})" if profile.fetch_seconds else text


def _shares(profile: Profile) -> str:
    """Execute and fetch time; without a unit where it is the one that stands before."""
    unit = duration(profile.database_seconds).partition(" ")[2]
    execute, fetch = duration(profile.execute_seconds), duration(profile.fetch_seconds)
    if execute.endswith(f" {unit}") and fetch.endswith(f" {unit}"):
        execute, fetch = execute.removesuffix(f" {unit}"), fetch.removesuffix(f" {unit}")
    return f"exec {execute} + fetch {fetch}"


def _threads(missed: Mapping[str, int]) -> str:
    named = ", ".join(islice(missed, _THREADS))
    return named if len(missed) <= _THREADS else f"{named} and {len(missed) - _THREADS} more"
