"""The plugin: options, hooks, and the line at the end. What it does to a test is in ``scopes.py``, what fails one in ``gates.py``."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import pytest

from dbprofile import ConfigurationError
from dbprofile.hooks import guarded
from dbprofile.testing import CountedInt
from dbprofile.testing.listing import Listing
from dbprofile.testing.project import TEST_PATHS, Project, current_project, profiler_of_tests, set_project
from dbprofile.testing.sources import install_imported
from dbprofile_pytest.captured import told_of_failure, unobserve
from dbprofile_pytest.fixtures import assert_queries, db_queries, query_scale
from dbprofile_pytest.gates import Gates, check_markers, is_whole, tolerated
from dbprofile_pytest.outputs.summary import detailed_loops, stale_markers, summary_line
from dbprofile_pytest.scopes import GATES, body_of, new_body, recorded, replaced
from dbprofile_pytest.transport import Results, attach

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "assert_queries",
    "db_queries",
    "pytest_addoption",
    "pytest_assertrepr_compare",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_pyfunc_call",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
    "pytest_unconfigure",
    "query_scale",
]

_CHOICES: Final = ("fail", "warn", "off")
_RESULTS: Final = pytest.StashKey[Results]()
_BEFORE: Final = pytest.StashKey[Project | None]()
_MARKERS: Final = (
    "queries(n, max=, nplusone=, ...): what the body of the test may send; the arguments of dbprofile.testing.assert_queries",
    "nplusone_ok(subject, ..., reason=): let an N+1 of this relation or shape (glob) pass in this test",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Register the options and the settings of the ini file."""
    group = parser.getgroup("queries", "database queries (dbprofile)")
    group.addoption(
        "--queries-nplusone",
        choices=_CHOICES,
        help="what an N+1 of the application does to a test: fail it, count it in the summary, or nothing",
    )
    group.addoption(
        "--queries-max",
        type=int,
        metavar="N",
        help="queries that the body of a test without a marker 'queries' may send",
    )
    group.addoption(
        "--no-queries",
        action="store_true",
        help="no summary and no gate of dbprofile; assertions written in tests still run",
    )
    parser.addini("queries_nplusone", "fail, warn or off, as --queries-nplusone; default: warn", default="")
    parser.addini("queries_max", "a number, as --queries-max; default: none", default="")
    parser.addini("queries_count", "app, or all: transaction control and set-up count too; default: app", default="app")
    parser.addini(
        "queries_test_paths",
        f"files whose loops are the tests' own, one pattern a line; default: testpaths, {', '.join(TEST_PATHS)}",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings; a mistake in them ends the run before any test.

    Raises:
        UsageError: names the setting, the value and what is allowed.
    """
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)
    gates = Gates(_nplusone(config), _budget(config))
    silent = config.getoption("no_queries")
    project = Project(
        root=config.rootpath,
        test_paths=_test_paths(config),
        count=_count(config),
        forbids_nplusone=gates.nplusone == "fail" and not silent,
        verbosity=max(config.get_verbosity(), 0),
        verbosity_options=True,
    )
    config.stash[_BEFORE] = set_project(project)
    if silent:
        return
    try:
        profiler_of_tests()
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from error
    config.stash[GATES] = gates
    config.stash[_RESULTS] = Results()
    config.pluginmanager.register(_Gatherer(config.stash[_RESULTS]), "dbprofile-results")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give the project back to a run round this one."""
    unobserve()
    if _BEFORE in config.stash:
        set_project(config.stash[_BEFORE])


def _nplusone(config: pytest.Config) -> Literal["fail", "warn", "off"]:
    value = config.getoption("queries_nplusone") or config.getini("queries_nplusone") or "warn"
    if value not in _CHOICES:
        raise pytest.UsageError(f"queries_nplusone = {value!r} is not one of {', '.join(_CHOICES)}")
    return cast("Literal['fail', 'warn', 'off']", value)


def _count(config: pytest.Config) -> str:
    value = str(config.getini("queries_count"))
    if value not in {"app", "all"}:
        raise pytest.UsageError(f"queries_count = {value!r} is neither app nor all")
    return value


def _budget(config: pytest.Config) -> int | None:
    value = config.getoption("queries_max")
    text = str(config.getini("queries_max")) if value is None else str(value)
    if not text:
        return None
    if not text.isdecimal():
        raise pytest.UsageError(f"queries_max = {text!r} is no number of queries; write queries_max = 20")
    return int(text)


def _test_paths(config: pytest.Config) -> tuple[str, ...]:
    given = config.getini("queries_test_paths")
    if given:
        return tuple(given)
    # A folder of tests that is the whole project says nothing about who sends a query.
    folders = [folder for folder in config.getini("testpaths") if Path(folder).as_posix().strip("/.")]
    return (*(f"{Path(folder).as_posix()}/" for folder in folders), *TEST_PATHS)


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Refuse markers that cannot be meant."""
    for item in items:
        check_markers(item)


@guarded("pytest.sources", None)
def pytest_collection_finish(session: pytest.Session) -> None:
    """See the queries of the libraries that the tests have imported."""
    if GATES in session.config.stash:
        install_imported()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin anew: a test may be run again."""
    if isinstance(item, pytest.Function):
        new_body(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Let bodies that pytest does not call itself record themselves."""
    __tracebackhide__ = True
    with replaced(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Record the call of a plain test function."""
    __tracebackhide__ = True
    with recorded(pyfuncitem):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the body sent on the report of the call."""
    report = yield
    if call.when == "call" and isinstance(item, pytest.Function):
        body = body_of(item)
        body.failed = call.excinfo is not None
        report.sections.extend(("queries of a block that the exception left", text) for text in body.messages)
        told = told_of_failure(call.excinfo)
        if told:
            report.sections.append(("queries of the block that failed", told))
        if body.seen and GATES in item.config.stash:
            attach(report, body, tolerated(item))
    return report


class _Gatherer:
    """Adds up what the reports of tests tell; a plugin of its own, because that hook is not told of which run they are."""

    def __init__(self, results: Results) -> None:
        self._results = results

    @guarded("pytest.results", None)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a test to the results of the run."""
        self._results.add(report)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the line of summary."""
    results = config.stash.get(_RESULTS, None)
    if results is None or not results.tests or config.get_verbosity() < -1:
        return
    terminalreporter.write_line(summary_line(results))
    if config.get_verbosity() > 0:
        for line in detailed_loops(results):
            terminalreporter.write_line(line)
    if is_whole(config):
        for line in stale_markers(results):
            terminalreporter.write_line(line)


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """List the queries under a plain comparison with ``db_queries.count``."""
    counted = left if isinstance(left, CountedInt) else right
    if not isinstance(counted, CountedInt):
        return None
    listing = Listing(counted.log, current_project())
    return [listing.compared(op, left, right), *listing.lines()]
