"""The scale test: what passes, what it says word for word, and how it is used."""

import sqlite3
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dbprofile import ConfigurationError, hooks
from dbprofile.testing import QueryAssertions, QueryScale, assert_queries
from dbprofile.testing.project import Project, set_project
from tests.sources import DATABASE
from tests.testing import shop
from tests.testing.test_listing import MIDDLEWARE, ROOT, SERIALIZER, VIEW, send

Action = Callable[[int], object]


@pytest.fixture(autouse=True)
def _project(project: Project) -> Iterator[None]:
    before = set_project(Project(root=ROOT))
    yield
    set_project(before)


def insert(rows: int, *tables: str) -> None:
    for table in tables:
        for number in range(rows):
            send(f"INSERT INTO {table} VALUES (?)", (number,))


def fetch(sql: str, rows: int, parameter: object = (), **more: Any) -> None:
    """A SELECT that gives so many rows."""
    scope = hooks.receiver()
    assert scope is not None
    watch = hooks.start(scope, sql, parameter, DATABASE)
    assert watch is not None
    watch.query.rows = rows
    for name, value in {"call_site": VIEW, **more}.items():
        setattr(watch.query, name, value)
    hooks.stop(watch)


def orders(rows: int) -> None:
    """One query for all, two for the page, whatever there is."""
    fetch("SELECT * FROM orders", rows)
    fetch("SELECT * FROM auth_user WHERE id = 1", 1, call_site=MIDDLEWARE)


def one_by_one(rows: int) -> None:
    orders(rows)
    for number in range(rows):
        fetch("SELECT * FROM customer WHERE id = ?", 1, (number,), call_site=SERIALIZER)


def for_each_pair(rows: int) -> None:
    fetch("SELECT * FROM orders", rows)
    for _ in range(rows * rows):
        fetch("SELECT * FROM customer WHERE id = ?", 1, call_site=SERIALIZER)


def message(action: Action, *sizes: int, tables: tuple[str, ...] = ("orders", "customer"), **keywords: Any) -> str:
    total = 0
    try:
        for n in (scale := QueryScale(*sizes, **keywords)):
            total += n
            insert(n, *tables)
            with scale:
                action(total)
    except AssertionError as error:
        return str(error)
    return ""


def test_as_many_queries_for_five_rows_as_for_two_pass() -> None:
    assert message(orders) == ""


def test_what_grows_is_named_with_its_line() -> None:
    assert message(one_by_one, 2, 5) == (
        "queries grow with the data: 4 at 2 rows, 7 at 5 rows (+1 per row at shop/serializers.py:18)\n"
        "  +1 per row   2 -> 5   SELECT customer WHERE id = ?\n"
        "                        shop/serializers.py:18 in to_representation\n"
        "  constant     2 -> 2   (2 other statements)\n"
        "warm-up run excluded; rows added between the runs: 3 orders, 3 customer"
    )


def test_what_grows_faster_than_the_data_says_so() -> None:
    assert message(for_each_pair, 2, 5, 9, allow="linear") == (
        "queries grow faster than the data: 5 at 2 rows, 26 at 5 rows, 82 at 9 rows (+14 per row at shop/serializers.py:18)\n"
        "  +14 per row   4 -> 25 -> 81   SELECT customer WHERE id = ?\n"
        "                                shop/serializers.py:18 in to_representation\n"
        "  constant      1 -> 1 -> 1     (1 other statement)\n"
        "warm-up run excluded; rows added between the runs: 7 orders, 7 customer"
    )


@pytest.mark.parametrize(
    ("keywords", "passes"),
    [
        ({"allow": "linear"}, True),
        ({"allow": "linear", "on": "SELECT customer*"}, True),
        ({"allow": "linear", "on": "SELECT invoice*"}, False),
        ({"ignore": ["SELECT customer WHERE*"]}, True),
        ({"ignore": "SELECT customer*"}, True),
        ({"ignore": ["DBP102"]}, True),
        ({"ignore": ["DBP101"]}, False),
        ({"using": "replica"}, False),
    ],
    ids=repr,
)
def test_growth_may_be_allowed(keywords: dict[str, Any], passes: bool) -> None:
    assert (message(one_by_one, **keywords) == "") is passes


def test_what_is_sent_for_the_first_time_alone_does_not_count() -> None:
    filled: list[int] = []

    def action(rows: int) -> None:
        if not filled:
            filled.append(rows)
            fetch("SELECT * FROM settings", 10)
        orders(rows)

    assert message(action) == ""


def test_many_rows_in_one_statement_are_rows() -> None:
    def batched(rows: int) -> None:
        fetch("SELECT * FROM orders", rows)

    total = 0
    for n in (scale := QueryScale()):
        total += n
        if n:
            fetch("INSERT INTO orders VALUES (?)", 0, batch_size=n)
        with scale:
            batched(total)


# --- runs that prove nothing ------------------------------------------------------------------------------------------


def test_no_new_rows_prove_nothing() -> None:
    assert message(orders, tables=()) == (
        "query_scale proves nothing: 3 rows were asked for and none was inserted\n"
        "  hint: add n rows in each turn, before the block"
    )


def test_rows_that_do_not_reach_the_block_prove_nothing() -> None:
    assert message(lambda _: fetch("SELECT * FROM orders LIMIT 2", 2), tables=("orders",)) == (
        "query_scale proves nothing: 3 rows were added but the block fetched 2 rows both times\n"
        "  hint: page size? filter? all new rows share one parent?"
    )


def test_a_block_without_queries_proves_nothing() -> None:
    assert (
        message(lambda _: None).splitlines()[0]
        == "query_scale proves nothing: 6 rows were added but the block sent no query"
    )


def test_a_loop_without_a_block_proves_nothing() -> None:
    with pytest.raises(AssertionError, match=r"^nothing was measured at 2 rows: put the code under test inside"):
        list(QueryScale(2, 5))


def test_sums_that_change_are_data_that_was_read() -> None:
    assert message(lambda rows: fetch("SELECT count(*) FROM orders", 1, answer=rows)) == ""
    assert message(lambda _: fetch("SELECT count(*) FROM orders", 1, answer=2)).startswith("query_scale proves nothing")


def test_rows_that_one_statement_changes_are_data_that_was_reached() -> None:
    assert message(lambda rows: fetch("UPDATE orders SET open = ?", 0, affected_rows=rows)) == ""
    assert message(lambda _: fetch("UPDATE orders SET open = ?", 0, affected_rows=2)).startswith("query_scale proves")


def test_many_tables_are_not_all_named() -> None:
    tables = tuple(f"table_{number}" for number in range(7))
    assert message(one_by_one, tables=tables).splitlines()[-1] == (
        "warm-up run excluded; rows added between the runs: "
        "3 table_0, 3 table_1, 3 table_2, 3 table_3, 9 in other tables"
    )


def test_many_statements_that_grow_are_not_all_shown() -> None:
    def action(rows: int) -> None:
        fetch("SELECT * FROM orders", rows)
        for number in range(10):
            for _ in range(rows):
                fetch(f"SELECT * FROM table_{number} WHERE id = ?", 1)

    lines = message(action).splitlines()
    assert sum("per row   2 -> 5" in line for line in lines) == 8
    assert lines[-3:-1] == [
        "  and 2 more statements",
        "  constant     1 -> 1   (1 other statement)",
    ]


# --- how it is used ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(2,), (5, 2), (2, 2), (1, 5), (0, 3), (2, "5"), (True, 5)], ids=repr)
def test_sizes_that_compare_nothing_are_a_mistake(sizes: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"write two or more increasing numbers of rows"):
        QueryScale(*sizes)


def test_a_misspelt_allowance_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match="'linear'"):
        QueryScale(allow="quadratic")  # type: ignore[arg-type]


def test_the_rows_to_add_are_two_none_and_three() -> None:
    added = []
    for n in (scale := QueryScale(2, 5)):
        added.append(n)
        insert(n, "orders")
        with scale:
            orders(sum(added))
    assert added == [2, 0, 3]


def test_one_block_belongs_to_each_turn() -> None:
    scale = QueryScale(2, 5)
    with pytest.raises(ConfigurationError, match="no turn to measure"), scale:
        pass
    for _ in scale:
        with scale:
            pass
        with pytest.raises(ConfigurationError, match="one action is measured"), scale:
            pass
        break


@pytest.mark.parametrize("where", ["making", "measuring"])
def test_an_exception_ends_all_that_is_open(where: str, connection: sqlite3.Connection) -> None:
    scale = QueryScale(2, 5)

    def test() -> None:
        for _ in scale:
            if where == "making":
                raise ZeroDivisionError
            with scale:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        test()
    assert scale.is_left
    with assert_queries(1):
        shop.all_orders(connection)


def test_a_loop_that_is_left_gave_no_verdict(connection: sqlite3.Connection) -> None:
    scale = QueryScale(2, 5)
    for _ in scale:
        break
    assert scale.is_left
    for n in scale:
        insert(n, "orders")
        with scale:
            orders(5)
            fetch("SELECT 1", n)
    assert not scale.is_left


async def test_actions_may_be_coroutines() -> None:
    async def test() -> None:
        total = 0
        for n in (scale := QueryScale()):
            total += n
            insert(n, "orders")
            async with scale:
                one_by_one(total)

    with pytest.raises(AssertionError, match=r"^queries grow with the data: 4 at 2 rows, 7 at 5 rows"):
        await test()


class Orders(QueryAssertions, unittest.TestCase):
    __test__ = False  # run by the test below
    rows = 0

    def make(self, rows: int) -> None:
        self.rows += rows
        insert(rows, "orders")

    def test_constant(self) -> None:
        self.assertConstantQueries(self.make, lambda: orders(self.rows))

    def test_growing(self) -> None:
        with pytest.raises(AssertionError, match=r"^queries grow with the data: 5 at 3 rows, 9 at 7 rows"):
            self.assertConstantQueries(make=self.make, run=lambda: one_by_one(self.rows), sizes=(3, 7))
        self.rows = 0
        self.assertConstantQueries(self.make, lambda: one_by_one(self.rows), allow="linear")

    def test_coroutine(self) -> None:
        async def run() -> None: ...

        with pytest.raises(ConfigurationError, match="is async"):
            self.assertConstantQueries(self.make, run)

    def test_function_called_at_once(self) -> None:
        self.assertQueries(2, orders, 5)
        with pytest.raises(AssertionError, match=r"^2 queries, expected at most 1"):
            self.assertQueries(None, orders, 5, max=1)  # type: ignore[call-overload]


def test_the_scale_test_is_a_method_of_a_test_case() -> None:
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Orders).run(result)
    assert (result.testsRun, result.failures, result.errors) == (4, [], [])
