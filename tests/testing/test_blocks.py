import asyncio
import inspect
import sqlite3
import threading
import traceback
import unittest
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_type_hints

import pytest

from dbprofile import ConfigurationError, default_profiler, hooks
from dbprofile.testing import Keywords, QueryAssertions, QueryBlock, assert_queries, at_least, at_most, record_queries
from dbprofile.testing.blocks import on_unraised
from dbprofile.testing.expectations import NOTHING
from dbprofile.testing.project import Project, set_project
from tests.testing import shop
from tests.tree import REPOSITORY


def failure(connection: sqlite3.Connection, *arguments: Any, **keywords: Any) -> str:
    """The first line of what a block with one order list, six queries, says of these expectations; empty if they hold."""
    try:
        with assert_queries(*arguments, **keywords):
            shop.order_list(connection)
    except AssertionError as error:
        return str(error).splitlines()[0]
    return ""


HOLDING: list[dict[str, Any]] = [
    {"n": 6},
    {"n": at_most(6)},
    {"max": 6},
    {"min": 6},
    {"min": 1, "max": 7},
    {"select": 6, "insert": 0, "update": 0, "delete": at_most(0)},
    {"tables": {"customer": 5, "orders": 1, "auth_user": 0}},
    {"tables": {"CUSTOMER": at_least(5)}},
    {"statements": {"SELECT customer*": 5, "SELECT orders": 1, "select * where id = ?": 5}},
    {"nplusone": True},
    {},
    {"nplusone": False, "ignore": ["DBP102"]},
    {"nplusone": False, "ignore": ["SELECT customer*"]},
    {"nplusone": False, "ignore": "DBP*"},
    {"duplicates": False},
    {"slow": 60, "db_time": 60},
    {"using": "replica", "n": 0},
    {"using": ["default", "replica"], "n": 6},
]


@pytest.mark.parametrize("keywords", HOLDING, ids=repr)
def test_expectations_that_hold_pass(keywords: dict[str, Any], connection: sqlite3.Connection) -> None:
    assert failure(connection, **keywords) == ""


FAILING: list[dict[str, Any]] = [
    {"n": 5},
    {"n": 7},
    {"n": at_most(5)},
    {"max": 5},
    {"min": 7},
    {"select": 5},
    {"insert": 1},
    {"tables": {"customer": 4}},
    {"tables": {"auth_user": 1}},
    {"statements": {"SELECT customer*": 6}},
    {"nplusone": False},
    {"nplusone": False, "ignore": ["DBP101", "Order.*"]},
    {"slow": 0},
    {"db_time": 0},
    {"using": "replica", "n": 6},
]


@pytest.mark.parametrize("keywords", FAILING, ids=repr)
def test_expectations_that_do_not_hold_fail(keywords: dict[str, Any], connection: sqlite3.Connection) -> None:
    assert failure(connection, **keywords)


MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"n": 3, "max": 4}, "leave out max and min"),
    ({"n": 3, "min": 4}, "leave out max and min"),
    ({"min": 4, "max": 3}, "no number of queries is both"),
    ({"max": -1}, "negative"),
    ({"n": True}, "no number of queries"),
    ({"nplusone": 1}, "nplusone=1"),
    ({"slow": "fast"}, "no number of seconds"),
    ({"count": "every"}, "count='every'"),
    ({"threads": "none"}, "threads='none'"),
]


@pytest.mark.parametrize(("keywords", "said"), MISTAKES, ids=repr)
def test_mistakes_are_told_before_anything_runs(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        assert_queries(**keywords)


def test_an_unknown_keyword_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="maximum"):
        assert_queries(maximum=3)  # type: ignore[call-arg]


def test_a_key_that_is_no_table_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="is no table"):
        assert_queries(tables={dict: 1})


def test_tables_are_named_by_django_models_and_mapped_classes(connection: sqlite3.Connection) -> None:
    model = type("Customer", (), {"_meta": type("Options", (), {"db_table": "customer"})})
    mapped = type("Order", (), {"__table__": type("Table", (), {"fullname": "orders"})})
    assert failure(connection, tables={model: 5, mapped: 1}) == ""
    assert failure(connection, tables={model: 1}).startswith("table customer: 5 queries, expected 1")


def test_what_is_asked_again_fails_where_duplicates_may_not_be(connection: sqlite3.Connection) -> None:
    with (
        pytest.raises(AssertionError, match=r"^duplicate query: 2x SELECT orders at tests/testing/shop\.py:"),
        assert_queries(duplicates=False),
    ):
        shop.all_orders_twice(connection)


def test_what_the_test_itself_asks_again_is_no_duplicate_of_the_application(connection: sqlite3.Connection) -> None:
    with assert_queries(3, duplicates=False) as log:
        for _ in ("paid", "open", "sent"):
            shop.all_orders(connection)
    assert [finding.kind for finding in log.findings] == ["duplicate_query"]


def test_transaction_control_does_not_count_unless_asked_for(connection: sqlite3.Connection) -> None:
    def in_transaction() -> None:
        connection.cursor().execute("SAVEPOINT one")
        shop.all_orders(connection)
        connection.cursor().execute("RELEASE one")

    with assert_queries(1) as log:
        in_transaction()
    assert log.not_counted == {"tx": 2}
    with assert_queries(3, count="all") as log:
        in_transaction()
    assert log.not_counted == {}


# --- blocks inside and beside each other ------------------------------------------------------------------------------


def test_an_outer_block_counts_what_inner_ones_count(connection: sqlite3.Connection) -> None:
    with assert_queries(13) as outer:
        with assert_queries(6):
            shop.order_list(connection)
        with assert_queries(6):
            shop.order_list(connection)
        shop.all_orders(connection)
    assert outer.count == 13


def test_a_bare_thread_is_counted_and_named(connection: sqlite3.Connection) -> None:
    with assert_queries(6) as outer, assert_queries(6) as inner:
        thread = threading.Thread(target=shop.order_list, args=(connection,), name="exporter")
        thread.start()
        thread.join()
    assert {query.thread for query in inner.queries} == {"exporter"}
    assert {query.thread for query in outer.queries} == {"exporter"}


def test_a_pool_that_outlives_blocks_is_counted_by_each(connection: sqlite3.Connection) -> None:
    with ThreadPoolExecutor(1) as pool:
        for _ in range(2):
            with assert_queries(6):
                pool.submit(shop.order_list, connection).result()


def test_other_threads_are_left_out_where_only_this_one_is_asked_for(connection: sqlite3.Connection) -> None:
    with assert_queries(1, threads="same"):
        thread = threading.Thread(target=shop.order_list, args=(connection,))
        thread.start()
        thread.join()
        shop.all_orders(connection)


def test_two_blocks_that_overlap_are_a_mistake_that_names_the_cure(connection: sqlite3.Connection) -> None:
    async def counted(**keywords: Any) -> None:
        async with assert_queries(6, **keywords):
            await shop.order_list_async(connection)

    with pytest.raises(ConfigurationError, match='write threads="same"'):
        asyncio.run(shop.at_once(counted(), counted()))
    asyncio.run(shop.at_once(counted(threads="same"), counted(threads="same")))


def test_blocks_of_two_threads_that_overlap_are_a_mistake(connection: sqlite3.Connection) -> None:
    first_is_open, second_is_open, first_is_left = threading.Event(), threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def first() -> None:
        try:
            with record_queries():
                first_is_open.set()
                second_is_open.wait(10)
        except ConfigurationError as error:
            errors.append(error)
        finally:
            first_is_left.set()

    def second() -> None:
        first_is_open.wait(10)
        with record_queries():
            second_is_open.set()
            first_is_left.wait(10)

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 1
    with assert_queries(1):
        shop.all_orders(connection)


def test_calls_of_one_decorated_function_may_run_at_the_same_time(connection: sqlite3.Connection) -> None:
    found = []

    @assert_queries(max=6, threads="same")
    async def listed(turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        shop.order_list(connection)
        found.append(turns)

    asyncio.run(shop.at_once(listed(3), listed(1)))
    assert found == [1, 3]


def test_a_block_that_a_test_never_left_does_not_reach_into_the_next(connection: sqlite3.Connection) -> None:
    for _ in range(2):
        with QueryBlock(NOTHING, kind="test", name="test_it"):
            abandoned = record_queries()
            log = abandoned.__enter__()
            shop.all_orders(connection)
            assert log.count == 1
        with assert_queries(1):
            shop.all_orders(connection)


def test_a_failing_body_wins_and_the_message_is_told_beside_it(connection: sqlite3.Connection) -> None:
    told: list[str] = []

    @assert_queries(2)
    def body() -> None:
        shop.order_list(connection)
        raise ZeroDivisionError

    on_unraised(told.append)
    try:
        with pytest.raises(ZeroDivisionError):
            body()
    finally:
        on_unraised(None)
    assert [text.partition(":")[0] for text in told] == ["6 queries, expected 2"]


def test_the_application_never_sees_the_failure(connection: sqlite3.Connection) -> None:
    swallowed = []

    def view() -> None:
        try:
            shop.order_list(connection)
        except AssertionError as error:
            swallowed.append(error)

    with pytest.raises(AssertionError), assert_queries(0, nplusone=False):
        view()
    assert swallowed == []


# --- what the project says --------------------------------------------------------------------------------------------


@pytest.fixture
def _strict_project() -> Any:
    before = set_project(Project(root=REPOSITORY, forbids_nplusone=True))
    yield
    set_project(before)


@pytest.mark.usefixtures("_strict_project")
def test_a_project_may_forbid_an_n_plus_one_where_a_block_does_not_say(connection: sqlite3.Connection) -> None:
    assert failure(connection).startswith("N+1: 5x SELECT customer at tests/testing/shop.py:")
    assert failure(connection, nplusone=True) == ""
    with record_queries():
        shop.order_list(connection)


@pytest.mark.usefixtures("_strict_project")
def test_what_a_block_allows_passes_in_the_blocks_round_it(connection: sqlite3.Connection) -> None:
    with assert_queries(6), assert_queries(nplusone=True):
        shop.order_list(connection)


@pytest.mark.usefixtures("_strict_project")
def test_what_an_outer_block_tolerates_passes_in_blocks_that_do_not_say(connection: sqlite3.Connection) -> None:
    with record_queries() as outer:
        outer.tolerated = ("SELECT customer*",)
        assert failure(connection, 6) == ""
        assert failure(connection, 6, nplusone=False)


# --- sources ----------------------------------------------------------------------------------------------------------


def test_a_block_that_nobody_could_see_into_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    hooks.unregister_fixes("testing")
    monkeypatch.setattr("dbprofile.testing.sources._adapters", dict)
    monkeypatch.setattr("dbprofile.testing.blocks.observed_libraries", frozenset)
    with pytest.raises(AssertionError, match=r"^no query could be seen"), assert_queries(0):
        pass


def test_a_library_that_is_first_imported_inside_a_block_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []
    monkeypatch.setattr("dbprofile.testing.blocks.missed_libraries", lambda: found)
    with pytest.raises(AssertionError, match=r"^oracle was first imported inside the block"), assert_queries(0):
        found.append("oracle")


# --- shapes of the block ----------------------------------------------------------------------------------------------


def test_a_block_decorates_functions_and_checks_each_call(connection: sqlite3.Connection) -> None:
    @assert_queries(1)
    def one(times: int) -> int:
        for _ in range(times):
            shop.all_orders(connection)
        return times

    assert one(1) == 1
    with pytest.raises(AssertionError, match=r"^2 queries, expected 1"):
        one(2)
    assert one(times=1) == 1


async def test_a_block_decorates_async_functions(connection: sqlite3.Connection) -> None:
    @assert_queries(max=5)
    async def listed() -> None:
        await shop.order_list_async(connection)

    assert inspect.iscoroutinefunction(listed)
    with pytest.raises(AssertionError, match=r"^6 queries, expected at most 5"):
        await listed()


async def test_async_blocks_count_to_thread_and_tasks(connection: sqlite3.Connection) -> None:
    async with assert_queries(12):
        await asyncio.to_thread(shop.order_list, connection)
        await asyncio.create_task(shop.order_list_async(connection))


@pytest.mark.parametrize("refused", [dict, lambda: (yield)], ids=["class", "generator"])
def test_what_does_not_run_when_it_is_called_is_not_decorated(refused: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="with-block"):
        assert_queries(1)(refused)


def test_a_decorated_function_may_call_itself(connection: sqlite3.Connection) -> None:
    @assert_queries(max=3)
    def descend(depth: int) -> None:
        shop.all_orders(connection)
        if depth:
            descend(depth - 1)

    descend(2)


def test_our_frames_are_hidden_from_the_traceback(connection: sqlite3.Connection) -> None:
    with pytest.raises(AssertionError) as caught, assert_queries(0):
        shop.all_orders(connection)
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert frames[0].f_code.co_name == "test_our_frames_are_hidden_from_the_traceback"
    assert all("__tracebackhide__" in frame.f_locals for frame in frames[1:])
    assert len(frames) > 1


def test_the_keywords_are_those_of_assert_queries() -> None:
    hints = get_type_hints(assert_queries)
    signature = inspect.signature(assert_queries)
    keywords = {name for name, each in signature.parameters.items() if each.kind is each.KEYWORD_ONLY}
    assert keywords == set(Keywords.__annotations__)
    assert {name: hints[name] for name in keywords} == get_type_hints(Keywords)


class Orders(QueryAssertions, unittest.TestCase):
    __test__ = False  # run by the test below
    connection: sqlite3.Connection

    def runTest(self) -> None:  # noqa: N802 - as unittest names
        with self.assertQueries(1):
            shop.all_orders(self.connection)
        with pytest.raises(AssertionError, match=r"^N\+1: 5x SELECT customer"), self.assertNoNPlusOne():
            shop.order_list(self.connection)
        with pytest.raises(AssertionError, match=r"^6 queries, expected at most 2"), self.assertQueries(max=2):
            shop.order_list(self.connection)


def test_the_assertions_are_methods_of_a_test_case(connection: sqlite3.Connection) -> None:
    case = Orders()
    case.connection = connection
    result = unittest.TestResult()
    case.run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])


def test_a_block_inside_a_request_does_not_hide_its_loop(connection: sqlite3.Connection) -> None:
    with default_profiler().scope("request", "GET /"), assert_queries(6) as log:
        shop.order_list(connection)
    assert len(log.nplusone()) == 1
