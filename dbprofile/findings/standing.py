"""Standing: what became of each finding over many reports: it is open, new, or fixed."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from dbprofile.findings.finding import Finding
from dbprofile.findings.report import Report

__all__ = ["FIXED", "NEW", "OPEN", "STATUSES", "Standing", "standings"]

OPEN: Final = "open"
NEW: Final = "new"
FIXED: Final = "fixed"
STATUSES: Final = (OPEN, NEW, FIXED)

#: Calls that went well and no longer show a finding before it counts as fixed although no file has changed.
CALLS: Final = 5
_FAILED: Final = 500


@dataclass(frozen=True, eq=False)
class Standing:
    """One finding, wherever it was met."""

    finding: Finding
    """As it was met last."""
    report: Report
    """In which."""
    status: str
    """``open``; ``new``: open, and the same unit of work had been without it before; ``fixed``."""
    times: int
    """In how many reports it was met."""

    @property
    def is_open(self) -> bool:
        """Whether it is still there, new or not."""
        return self.status != FIXED


def standings(reports: Iterable[Report]) -> list[Standing]:
    """What is known of each finding, the worst first.

    A finding is fixed where the last five calls that went well are without it; one is enough if a file that it lies in was
    changed after it was met last. It is new where its unit of work had been without it before it was met first.

    Args:
        reports: in the order in which they happened.
    """
    calls: dict[tuple[str, str], list[Report]] = defaultdict(list)
    for report in reports:
        calls[report.profile.kind, report.profile.name].append(report)
    found = [standing for one in calls.values() for standing in _of_one(one)]
    return sorted(found, key=lambda one: (one.finding.severity, one.finding.seconds), reverse=True)


def _of_one(calls: Sequence[Report]) -> list[Standing]:
    """The findings of one route, one task, one command."""
    met: dict[tuple[str, ...], list[tuple[int, Finding]]] = defaultdict(list)
    for index, report in enumerate(calls):
        for identity, finding in {finding.identity: finding for finding in report.findings}.items():
            met[identity].append((index, finding))
    return [_standing(calls, places) for places in met.values()]


def _standing(calls: Sequence[Report], met: Sequence[tuple[int, Finding]]) -> Standing:
    (first, _), (last, finding) = met[0], met[-1]
    since = [report for report in calls[last + 1 :] if _went_well(report)]
    if len(since) >= CALLS or (since and _changed(finding, calls[last])):
        status = FIXED
    else:
        status = NEW if any(_went_well(report) for report in calls[:first]) else OPEN
    return Standing(finding, calls[last], status, len(met))


def _went_well(report: Report) -> bool:
    labels = report.profile.labels
    status = labels.get("http.response.status_code", 0)
    return "error.type" not in labels and isinstance(status, int) and status < _FAILED


def _changed(finding: Finding, report: Report) -> bool:
    """Whether a file of the finding is another one than it was, or gone."""
    return any(_changed_at(file) > report.profile.started for file in finding.files)


def _changed_at(file: str) -> float:
    try:
        return os.stat(file).st_mtime
    except (OSError, ValueError):
        return float("inf") if os.path.isabs(file) else 0.0
