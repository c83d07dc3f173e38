"""Whose loop it is that sends a query again and again: the application's, or the test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dbprofile.capture.callsite import CallSite, Path, Step
from dbprofile.capture.repetition import is_in_loop
from dbprofile.capture.scope import UNIT_KINDS

if TYPE_CHECKING:
    from dbprofile.capture.query import Query
    from dbprofile.findings.finding import Finding

__all__ = ["in_application_loop", "is_applications", "is_unit_of_work", "path_of", "sent_by_application"]


def is_applications(finding: Finding, is_test_file: Callable[[str], bool]) -> bool:
    """Whether enough of a finding's queries are repeated by the application for the finding to stand without the others.

    Args:
        finding: an N+1, a loop or a duplicate.
        is_test_file: tells the files that hold tests and their factories.
    """
    needed = max(2, int(finding.threshold or 0))
    verdicts: dict[object, bool] = {}
    owned = 0
    for query in finding.queries:
        path = path_of(query)
        key = (path, is_unit_of_work(query))
        if key not in verdicts:
            verdicts[key] = sent_by_application(query, is_test_file)
        owned += verdicts[key]
    return owned >= needed


def sent_by_application(query: Query, is_test_file: Callable[[str], bool]) -> bool:
    """Whether the loop that a query was sent from, if any, is the application's.

    What runs inside a request, task or command is the application by definition: the path ends where that begins. Elsewhere the
    path leads out into the test, and the outermost line that is no test's divides the two.
    """
    if is_unit_of_work(query):
        return True
    path = path_of(query)
    outermost = next((place for place in reversed(range(len(path))) if not is_test_file(path[place].file)), None)
    if outermost is None:
        return False
    if any(_repeats(step) for step in path[: outermost + 1]):
        return True
    return not any(_repeats(step) for step in path[outermost + 1 :])


def in_application_loop(query: Query, is_test_file: Callable[[str], bool]) -> bool:
    """Whether a line of the application that led to a query stands in a loop."""
    return any(_repeats(step) for step in path_of(query) if not is_test_file(step.file))


def is_unit_of_work(query: Query) -> bool:
    """Whether a query ran in a request, task, command or the like."""
    return isinstance(query.unit, tuple) and bool(query.unit) and query.unit[0] in UNIT_KINDS


def path_of(query: Query) -> Path:
    """The lines of the application that led to a query, innermost first; tests are among them."""
    why = query.provenance
    if why is not None and why.path:
        return why.path
    return (query.call_site,) if query.call_site is not None else ()


def _repeats(step: CallSite) -> bool:
    if isinstance(step, Step):
        return is_in_loop(step.code, step.offset)
    # A line of a template: what renders it walks a list of nodes.
    return step.template is not None
