"""What a test tells of its queries, on its report: it crosses from a worker of xdist to the run that prints, one test at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dbprofile.testing.listing import named_finding
from dbprofile.testing.project import current_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from dbprofile_pytest.scopes import Body

__all__ = ["Results", "attach"]

_ATTRIBUTE: Final = "dbprofile"


@dataclass
class Results:
    """What all tests of a run sent."""

    queries: int = 0
    tests: int = 0
    most: tuple[int, str] = (0, "")
    """The greatest number of queries of one test, and that test; of several the first by name, whatever order they ran in."""
    loops: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    """Each N+1 by identity: how it reads, then the tests that met it."""
    stale: list[tuple[str, str]] = field(default_factory=list)
    """Tests that passed, and a subject of their markers ``nplusone_ok`` that no N+1 had."""

    def add(self, report: pytest.TestReport) -> None:
        """Take over what a test tells."""
        told = getattr(report, _ATTRIBUTE, None)
        if not isinstance(told, dict):
            return
        self.tests += 1
        self.queries += told["queries"]
        number, test = self.most
        if (told["queries"], test) > (number, report.nodeid):
            self.most = (told["queries"], report.nodeid)
        for *identity, text in told["nplusone"]:
            self.loops.setdefault(tuple(identity), [text]).append(report.nodeid)
        if report.passed:
            self.stale.extend((report.nodeid, subject) for subject in told["stale"])


def attach(report: pytest.TestReport, body: Body, subjects: Sequence[str] = ()) -> None:
    """Put what a body sent on its report: plain data, without SQL as sent and without values.

    Args:
        report: of the call.
        body: what it sent.
        subjects: those that the markers ``nplusone_ok`` of the test let pass.
    """
    project = current_project()
    told: dict[str, Any] = {
        "queries": body.queries,
        "not_counted": dict(body.not_counted),
        "nplusone": [[*identity, named_finding(finding, project)] for identity, finding in body.loops.items()],
        "stale": [subject for subject in subjects if subject not in body.met],
    }
    setattr(report, _ATTRIBUTE, told)
