"""The line at the end of a run, and with ``-v`` a line for each N+1."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dbprofile.findings.numbers import quantity

if TYPE_CHECKING:
    from dbprofile_pytest.transport import Results

__all__ = ["detailed_loops", "stale_markers", "summary_line"]


def summary_line(results: Results) -> str:
    """``queries: 4,812 in 312 tests, most 143 in tests/test_api.py::test_export; 2 N+1``."""
    line = f"queries: {results.queries:,} in {quantity(results.tests, 'test')}"
    number, test = results.most
    if number:
        line += f", most {number:,} in {test}"
    return f"{line}; {len(results.loops):,} N+1" if results.loops else line


def detailed_loops(results: Results) -> Iterator[str]:
    """A line for each N+1: what and where, and the tests that met it."""
    for text, *tests in sorted(results.loops.values()):
        yield f"  {text}  in {quantity(len(tests), 'test')}, first {min(tests)}"


def stale_markers(results: Results) -> Iterator[str]:
    """A line for each marker that lets an N+1 pass that is no more."""
    for test, subject in sorted(results.stale):
        yield f'  nplusone_ok("{subject}") lets nothing pass any more: take it out of {test}'
