"""What a test tells of its queries, on its report: it crosses from a worker of xdist to the run that prints, one test at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dbprofile.testing.listing import named_finding
from dbprofile.testing.project import current_project

if TYPE_CHECKING:
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


def attach(report: pytest.TestReport, body: Body) -> None:
    """Put what a body sent on its report: plain data, without SQL as sent and without values."""
    project = current_project()
    told: dict[str, Any] = {
        "queries": body.queries,
        "not_counted": dict(body.not_counted),
        "nplusone": [[*identity, named_finding(finding, project)] for identity, finding in body.loops.items()],
    }
    setattr(report, _ATTRIBUTE, told)
