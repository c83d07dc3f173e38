"""The plugin in runs of pytest of its own: what fails, what passes, what is printed."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import tests

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
asyncio_mode = auto
filterwarnings = error
"""

CONFTEST = """
import pytest
from dbprofile import hooks
from tests.sources import shop

def pytest_configure():
    hooks.register_fixes("testing", lambda problem: None)

def pytest_unconfigure():
    hooks.unregister_fixes("testing")

@pytest.fixture
def connection():
    with shop() as opened:
        opened.cursor().execute("SELECT 'set-up'")
        yield opened
        opened.cursor().execute("SELECT 'tear-down'")
"""

APPLICATION = """
def all_orders(connection):
    return connection.cursor().execute("SELECT id, customer_id FROM orders").fetchall()

def customer(connection, number):
    return connection.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,)).fetchall()

def order_list(connection):
    return [customer(connection, number) for _, number in all_orders(connection)]
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a test module beside a small application in a file of its own; ``apart`` in a process of its own, which takes longer."""
    monkeypatch.setenv("PYTHONPATH", str(Path(tests.__file__).parents[1]))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(shop=APPLICATION)

    def start(module: str, *options: str, apart: bool = False) -> pytest.RunResult:
        pytester.makepyfile(test_orders=module)
        arguments = ("-p", "no:django", "-p", "no:cacheprovider", *options)
        if apart:
            return pytester.runpytest_subprocess(*arguments, timeout=120)
        return pytester.runpytest_inprocess(*arguments)

    return start


def summary(result: pytest.RunResult) -> str:
    lines = [line for line in result.outlines if line.startswith("queries: ")]
    assert len(lines) == 1
    return lines[0]


# --- the fixtures -----------------------------------------------------------------------------------------------------

FIXTURES = """
import shop

def test_holds(connection, assert_queries):
    with assert_queries(6, nplusone=True):
        shop.order_list(connection)

def test_fails(connection, assert_queries):
    with assert_queries(2):
        shop.order_list(connection)

def test_log(connection, db_queries):
    assert db_queries.count == 0
    shop.order_list(connection)
    assert db_queries.count == 6
    assert db_queries.by_table["customer"] == 5

def test_plain_comparison(connection, db_queries):
    shop.order_list(connection)
    number = db_queries.count
    assert number <= 2
"""


def test_the_fixtures_count_and_their_failures_name_the_culprit(run: Run) -> None:
    result = run(FIXTURES)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            ">       with assert_queries(2):",
            "E       AssertionError: 6 queries, expected 2: 5x SELECT customer at shop.py:5 (N+1)",
            "E         1x  SELECT orders",
            "E             shop.py:2 in all_orders",
            "E         5x  SELECT customer WHERE id = [?] *N+1",
            "E             shop.py:5 in customer",
            "E         -v: full SQL   -vv: parameters and stacks",
            "test_orders.py:8: AssertionError",
            ">       assert number <= 2",
            "E       assert 6 queries <= 2: 5x SELECT customer at shop.py:5 (N+1)",
            "E           5x  SELECT customer WHERE id = [?] *N+1",
        ]
    )
    assert summary(result) == "queries: 24 in 4 tests, most 6 in test_orders.py::test_fails; 1 N+1"


def test_the_first_line_reaches_the_short_summary_and_junit(run: Run, pytester: pytest.Pytester) -> None:
    result = run(FIXTURES, "--junitxml=report.xml", "-k", "test_fails", "-vv")
    culprit = "AssertionError: 6 queries, expected 2: 5x SELECT customer at shop.py:5 (N+1)"
    result.stdout.fnmatch_lines([f"FAILED test_orders.py::test_fails - {culprit}*"])
    failure = ET.parse(pytester.path / "report.xml").find(".//failure")
    assert failure is not None
    assert failure.attrib["message"].splitlines()[0].startswith(culprit)
    result.stdout.fnmatch_lines(
        ["*5x  SELECT name FROM customer WHERE id = [?]*", "*parameters: (1,)  (2,)  (3,) and 2 more*"]
    )


# --- the scale test ---------------------------------------------------------------------------------------------------

SCALED = """
import pytest
import shop

def add(connection, n):
    for number in range(n):
        connection.cursor().execute("INSERT INTO customer (name) VALUES ('new')")
        connection.cursor().execute("INSERT INTO orders (customer_id) SELECT max(id) FROM customer")

def test_constant(connection, query_scale):
    for n in query_scale(2, 5):
        add(connection, n)
        with query_scale:
            shop.all_orders(connection)

def test_grows(connection, query_scale):
    for n in query_scale(2, 5):
        add(connection, n)
        with query_scale:
            shop.order_list(connection)

async def test_coroutine(connection, query_scale):
    for n in query_scale(2, 5, allow="linear"):
        add(connection, n)
        async with query_scale:
            shop.order_list(connection)

def test_left(connection, query_scale):
    for n in query_scale(2, 5):
        with query_scale:
            shop.all_orders(connection)
        break

def test_fails_itself(connection, query_scale):
    for n in query_scale(2, 5):
        assert n == 3

def test_skips_itself(connection, query_scale):
    for n in query_scale(2, 5):
        pytest.skip("not now")

def test_no_sizes(query_scale):
    with query_scale:
        pass
"""


def test_a_scale_test_fails_at_the_head_of_its_loop_and_where_it_was_left(run: Run) -> None:
    result = run(SCALED)
    result.assert_outcomes(passed=3, failed=3, errors=1, skipped=1)
    result.stdout.fnmatch_lines(
        [
            "E *AssertionError: the loop over query_scale was left before its end, so that nothing was compared: *",
            ">       for n in query_scale(2, 5):",
            "E       AssertionError: queries grow with the data: 8 at 2 rows, 11 at 5 rows (+1 per row at shop.py:5)",
            "E         +1 per row   7 -> 10   SELECT customer WHERE id = [?]",
            "E                                shop.py:5 in customer",
            "E         constant     1 -> 1    (1 other statement)",
            "E       warm-up run excluded; rows added between the runs: 3 customer, 3 orders",
            "E           assert 2 == 3",
            ">       with query_scale:",
            'E       *ConfigurationError: query_scale has no sizes yet: write "for n in query_scale(2, 5):" round "with *',
        ]
    )
    assert not [line for line in result.outlines if "dbprofile/testing" in line]


# --- the body of every kind of test -----------------------------------------------------------------------------------

BODIES = """
import asyncio
import unittest

import pytest
import shop
from hypothesis import given, strategies
from tests.sources import shop as database

@pytest.mark.queries(6)
def test_function(connection):
    shop.order_list(connection)

@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.queries(1)
def test_parametrized(connection, times):
    for _ in range(times):
        shop.all_orders(connection)

@pytest.mark.queries(12)
async def test_coroutine(connection):
    shop.order_list(connection)
    await asyncio.to_thread(shop.order_list, connection)

class TestGroup:
    @pytest.mark.queries(1)
    async def test_coroutine_method(self, connection):
        shop.order_list(connection)

@given(strategies.integers(1, 5))
@pytest.mark.queries(1)
def test_each_example(number):
    with database() as connection:
        shop.customer(connection, number)

@given(strategies.integers(1, 5))
@pytest.mark.queries(max=2)
def test_one_example(number):
    with database() as connection:
        for _ in range(number):
            shop.all_orders(connection)

@given(strategies.integers(1, 5))
@pytest.mark.queries(1)
async def test_each_async_example(number):
    with database() as connection:
        shop.customer(connection, number)

class Case(unittest.TestCase):
    def setUp(self):
        self.context = database()
        self.connection = self.context.__enter__()
        shop.order_list(self.connection)

    def tearDown(self):
        shop.order_list(self.connection)
        self.context.__exit__(None, None, None)

    @pytest.mark.queries(1)
    def test_method(self):
        shop.all_orders(self.connection)

    @pytest.mark.queries(1)
    def test_method_fails(self):
        shop.order_list(self.connection)

    @pytest.mark.queries(2)
    def test_sub_tests(self):
        for number in range(2):
            with self.subTest(number=number):
                shop.customer(self.connection, number)

    @pytest.mark.queries(0)
    @unittest.skip("not now")
    def test_skipped(self):
        shop.all_orders(self.connection)

    @pytest.mark.queries(0)
    @unittest.expectedFailure
    def test_expected_to_fail(self):
        shop.all_orders(self.connection)

class AsyncCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        with database() as connection:
            shop.order_list(connection)

    @pytest.mark.queries(1)
    async def test_async_method(self):
        with database() as connection:
            shop.all_orders(connection)

    @pytest.mark.queries(1)
    async def test_async_method_fails(self):
        with database() as connection:
            shop.order_list(connection)

@pytest.mark.queries(0)
@pytest.mark.xfail(strict=True)
def test_xfail(connection):
    shop.all_orders(connection)

@pytest.mark.queries(0)
def test_skips_itself(connection):
    shop.all_orders(connection)
    pytest.skip("half way")
"""

FAILING = {
    "test_parametrized[[]2]": "2 queries, expected 1: 2x SELECT orders at shop.py:2",
    "TestGroup::test_coroutine_method": "6 queries, expected 1: 5x SELECT customer at shop.py:5 (N+1)",
    "test_one_example": "3 queries, expected at most 2: 3x SELECT orders at shop.py:2",
    "Case::test_method_fails": "6 queries, expected 1: 5x SELECT customer at shop.py:5 (N+1)",
    "AsyncCase::test_async_method_fails": "6 queries, expected 1: 5x SELECT customer at shop.py:5 (N+1)",
}


@pytest.mark.parametrize("options", [(), ("-p", "django")], ids=["plain", "pytest-django"])
def test_the_marker_counts_the_body_of_every_kind_of_test(run: Run, options: tuple[str, ...]) -> None:
    result = run(BODIES, "-vv", *options, apart=True)
    result.stdout.fnmatch_lines_random([f"FAILED test_orders.py::{test} - *{text}*" for test, text in FAILING.items()])
    failed = {line.split(" - ")[0] for line in result.outlines if line.startswith("FAILED ")}
    assert len(failed) == len(FAILING)
    outcomes = result.parseoutcomes()
    assert (outcomes["failed"], outcomes["skipped"], outcomes["xfailed"]) == (len(FAILING), 2, 2)


def test_a_marker_that_fails_points_at_the_head_of_the_test(run: Run) -> None:
    result = run(
        "import pytest\nimport shop\n\n@pytest.mark.queries(2)\ndef test_it(connection):\n    shop.order_list(connection)\n"
    )
    result.stdout.fnmatch_lines(
        [
            ">   @pytest.mark.queries(2)",
            "E   AssertionError: 6 queries, expected 2: 5x SELECT customer at shop.py:5 (N+1)",
            "test_orders.py:4: AssertionError",
        ]
    )
    assert not [line for line in result.outlines if "site-packages" in line or "dbprofile_pytest" in line]


ANYIO = """
import pytest
import shop

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.mark.queries(6)
async def test_holds(connection, db_queries):
    shop.order_list(connection)
    assert db_queries.count == 6

@pytest.mark.queries(1)
async def test_fails(connection):
    shop.order_list(connection)
"""


def test_coroutines_under_anyio_are_recorded(run: Run) -> None:
    result = run(
        ANYIO, "-p", "no:asyncio", "-o", "asyncio_mode=strict", "-W", "ignore::pytest.PytestConfigWarning", apart=True
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*AssertionError: 6 queries, expected 1: *"])


def test_a_failing_body_wins_and_the_queries_are_told_beside_it(run: Run) -> None:
    result = run("""
        import pytest
        import shop

        @pytest.mark.queries(3)
        def test_it(connection, assert_queries):
            with assert_queries(2):
                shop.order_list(connection)
                assert 1 == 2
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*assert 1 == 2", "*queries of a block that the exception left*", "6 queries, expected 2: *"]
    )
    result.stdout.fnmatch_lines(["6 queries, expected 3: *", "FAILED test_orders.py::test_it - assert 1 == 2"])


# --- gates ------------------------------------------------------------------------------------------------------------

GATED = """
import pytest
import shop

def test_loop(connection):
    shop.order_list(connection)

@pytest.mark.nplusone_ok("SELECT customer*", reason="five rows at most")
def test_tolerated(connection, assert_queries):
    with assert_queries(6):
        shop.order_list(connection)

def test_allowed(connection, assert_queries):
    with assert_queries(6, nplusone=True):
        shop.order_list(connection)

@pytest.mark.queries(6, nplusone=True)
def test_allowed_by_marker(connection):
    shop.order_list(connection)

def test_own_loop(connection):
    for number in range(6):
        shop.customer(connection, number)
"""


@pytest.mark.parametrize(
    ("options", "failed", "loops"),
    [
        ((), 0, "; 1 N+1"),
        (("--queries-nplusone=warn",), 0, "; 1 N+1"),
        (("--queries-nplusone=off",), 0, ""),
        (("--queries-nplusone=fail",), 1, "; 1 N+1"),
        (("-o", "queries_nplusone=fail"), 1, "; 1 N+1"),
        (("-o", "queries_nplusone=fail", "--queries-nplusone=warn"), 0, "; 1 N+1"),
    ],
)
def test_an_n_plus_one_fails_where_none_may_be(run: Run, options: tuple[str, ...], failed: int, loops: str) -> None:
    result = run(GATED, *options)
    result.assert_outcomes(passed=5 - failed, failed=failed)
    assert summary(result) == f"queries: 30 in 5 tests, most 6 in test_orders.py::test_allowed{loops}"
    if failed:
        result.stdout.fnmatch_lines(["FAILED test_orders.py::test_loop - AssertionError: N+1: 5x SELECT c*"])


@pytest.mark.parametrize("options", [("--queries-max=5",), ("-o", "queries_max=5")])
def test_a_budget_holds_for_tests_without_a_marker(run: Run, options: tuple[str, ...]) -> None:
    result = run(GATED, *options)
    result.assert_outcomes(passed=1, failed=4)
    result.stdout.fnmatch_lines(
        ["E   AssertionError: 6 queries, expected at most 5: 5x SELECT customer at shop.py:5 (N+1)"]
    )


def test_without_queries_the_plugin_is_silent_and_assertions_still_run(run: Run) -> None:
    result = run(
        BODIES + FIXTURES, "--no-queries", "--queries-nplusone=fail", "-k", "test_function or test_fails or test_log"
    )
    result.assert_outcomes(passed=2, failed=1)
    assert not [line for line in result.outlines if line.startswith("queries:")]


# --- the line of summary ----------------------------------------------------------------------------------------------


def test_the_summary_is_the_same_whoever_ran_the_tests(run: Run) -> None:
    alone, spread = run(GATED), run(GATED, "-n", "2", apart=True)
    spread.assert_outcomes(passed=5)
    assert summary(alone) == summary(spread)


def test_more_words_name_each_n_plus_one(run: Run) -> None:
    result = run(GATED, "-v")
    result.stdout.fnmatch_lines(
        ["queries: *; 1 N+1", "  N+1: 5x SELECT customer at shop.py:5  in 1 test, first test_orders.py::test_loop"]
    )


STALE = """
import pytest
import shop

@pytest.mark.nplusone_ok("SELECT customer*", "Order.*", reason="five rows at most")
def test_loop(connection):
    shop.order_list(connection)

@pytest.mark.nplusone_ok("Order.customer", reason="it was one")
def test_none(connection):
    shop.all_orders(connection)
"""


def test_a_marker_that_lets_nothing_pass_is_listed_after_a_whole_run(run: Run) -> None:
    told = [
        '  nplusone_ok("Order.*") lets nothing pass any more: take it out of test_orders.py::test_loop',
        '  nplusone_ok("Order.customer") lets nothing pass any more: take it out of test_orders.py::test_none',
    ]
    assert [line for line in run(STALE).outlines if "nplusone_ok" in line] == told
    assert "nplusone_ok" not in run(STALE, "-k", "test_none").stdout.str()


def test_transaction_control_counts_where_the_project_has_it_so(run: Run) -> None:
    module = """
        import pytest

        @pytest.mark.queries(1)
        def test_savepoint(connection, assert_queries):
            with assert_queries(1, count="app"):
                connection.cursor().execute("SAVEPOINT one")
                connection.cursor().execute("SELECT 1")
    """
    run(module).assert_outcomes(passed=1)
    result = run(module, "-o", "queries_count=all")
    result.stdout.fnmatch_lines(["E *AssertionError: 2 queries, expected 1: *"])


AGAIN = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, nextitem=nextitem, log=False)
    item._initrequest()
    runtestprotocol(item, nextitem=nextitem)
    return True
"""


def test_a_test_that_runs_again_is_counted_anew(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST + AGAIN)
    result = run("import shop\n\ndef test_it(connection):\n    shop.order_list(connection)\n")
    result.assert_outcomes(passed=1)
    assert summary(result) == "queries: 6 in 1 test, most 6 in test_orders.py::test_it; 1 N+1"


# --- installed, and nothing more --------------------------------------------------------------------------------------

QUIET = """
import sys

def test_nothing_was_imported_for_us():
    frameworks = {"django", "sqlalchemy", "flask", "starlette", "wrapt", "opentelemetry", "asyncio.events"}
    assert not {name for name in sys.modules if name in frameworks} - {"asyncio.events"}

def test_nothing_is_sent():
    assert True
"""


def test_a_project_without_a_database_passes_as_before(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest("")
    result = run(QUIET, apart=True)
    result.assert_outcomes(passed=2)
    assert summary(result) == "queries: 0 in 2 tests"


def test_a_fault_of_ours_fails_no_test_and_is_told(run: Run, pytester: pytest.Pytester) -> None:
    fault = """
def broken():
    raise RuntimeError("ours")

import dbprofile_pytest.scopes
dbprofile_pytest.scopes.install_imported = broken
"""
    pytester.makeconftest(CONFTEST + fault)
    result = run("import shop\n\ndef test_it(connection):\n    shop.order_list(connection)\n", "-rP", apart=True)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["*dbprofile: pytest.begin failed with RuntimeError at *; the application is not affected"]
    )


def test_without_the_plugin_its_markers_do_nothing(run: Run) -> None:
    result = run(
        GATED, "-p", "no:dbprofile", "-W", "ignore::pytest.PytestUnknownMarkWarning", "-k", "test_loop or marker"
    )
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("module", "options", "said"),
    [
        ("@pytest.mark.queries(3, max=4)", (), "*test_orders.py::test_it: marker queries: *leave out max and min*"),
        ("@pytest.mark.queries(maximum=4)", (), "*test_orders.py::test_it: marker queries: *maximum*"),
        ("@pytest.mark.nplusone_ok('Order.*')", (), "*nplusone_ok needs a subject and a reason: write @pytest.mark*"),
        ("@pytest.mark.nplusone_ok(reason='x')", (), "*nplusone_ok needs a subject and a reason: write @pytest.mark*"),
        ("", ("-o", "queries_nplusone=never"), "*queries_nplusone = 'never' is not one of fail, warn, off"),
        ("", ("-o", "queries_count=every"), "*queries_count = 'every' is neither app nor all"),
        ("", ("-o", "queries_max=few"), "*queries_max = 'few' is no number of queries; write queries_max = 20"),
    ],
)
def test_mistakes_end_the_run_before_any_test(run: Run, module: str, options: tuple[str, ...], said: str) -> None:
    result = run(f"import pytest\n\n{module}\ndef test_it():\n    pass\n", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (result.stderr if any("ERROR" in line for line in result.errlines) else result.stdout).fnmatch_lines([said])


def test_a_mistake_in_the_projects_table_ends_the_run(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyprojecttoml("[tool.dbprofile]\nslow_mss = 3\n")
    result = run("def test_it():\n    pass\n")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *unknown setting 'slow_mss'.*'slow_ms'*"])


def test_importing_the_plugin_loads_no_framework() -> None:
    ask = "import sys, dbprofile_pytest.plugin; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    assert "dbprofile_pytest.plugin" in loaded
    assert {"django", "sqlalchemy", "wrapt", "opentelemetry", "sqlite3", "asyncio", "jinja2"}.isdisjoint(loaded)


def test_the_options_are_explained(run: Run) -> None:
    result = run("", "--help")
    text = re.sub(r"\s+", " ", result.stdout.str())
    assert "--queries-nplusone={fail,warn,off}" in text
    assert "--no-queries" in text
    assert "queries_test_paths" in text
