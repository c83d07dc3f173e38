import sqlite3

import pytest

from dbprofile import Statement
from dbprofile.testing import QueryLog, record_queries
from dbprofile.testing.counted import matches_table
from dbprofile.testing.project import profiler_of_tests
from tests.testing import shop


def test_the_log_is_live_inside_the_block_and_final_after_it(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        assert log.count == 0
        shop.all_orders(connection)
        assert log.count == 1
        shop.order_list(connection)
        assert len(log.nplusone()) == 1
    shop.all_orders(connection)
    assert log.count == 7
    assert len(log.queries) == 7


def test_a_log_that_no_block_has_begun_is_empty() -> None:
    log = QueryLog(profiler_of_tests())
    assert (log.count, log.queries, log.nplusone(), log.shape(), dict(log.by_table)) == (0, [], [], [], {})


def test_queries_are_told_by_table_kind_and_shape(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        shop.order_list(connection)
        connection.cursor().execute("INSERT INTO customer VALUES (?, ?)", (90, "ninety"))
        connection.cursor().execute("UPDATE customer SET name = ? WHERE id = ?", ("x", 90))
        connection.cursor().execute("DELETE FROM customer WHERE id = ?", (90,))
        connection.cursor().execute("PRAGMA user_version")
        connection.cursor().execute("SELECT 1 FROM orders JOIN customer ON customer.id = orders.customer_id")
    assert dict(log.by_table) == {"orders": 2, "customer": 9}
    assert log.by_table["CUSTOMER"] == 9
    assert log.by_table["main.customer"] == 0
    assert "auth_user" not in log.by_table
    assert log.by_kind == {"select": 7, "insert": 1, "update": 1, "delete": 1, "other": 1}
    assert log.shape()[:2] == ["1x default  SELECT orders", "5x default  SELECT customer WHERE id = ?"]


def test_a_name_without_a_schema_matches_in_any() -> None:
    statement = Statement.of('SELECT * FROM "Billing"."Invoice"', "postgresql")
    assert matches_table(statement, "invoice")
    assert matches_table(statement, "billing.INVOICE")
    assert not matches_table(statement, "sales.invoice")
    assert not matches_table(statement, "billing")


def test_clearing_forgets_what_was_sent_so_far(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        shop.order_list(connection)
        log.clear()
        assert log.count == 0
        shop.all_orders(connection)
        assert log.count == 1
    assert log.count == 1
    log.clear()
    assert log.count == 0


def test_numbers_stay_exact_beyond_what_is_kept_in_detail(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        for number in range(2_500):
            shop.customer(connection, number)
        assert log.count == 2_500
        connection.cursor().execute("SAVEPOINT one")
        log.clear()
        for number in range(600):
            shop.customer(connection, number)
    assert log.count == 600
    assert log.by_table["customer"] == 600
    assert log.by_kind["select"] == 600
    assert log.not_counted == {}


def test_the_slowest_come_first(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        shop.order_list(connection)
    seconds = [query.total_seconds for query in log.queries]
    assert [query.total_seconds for query in log.slowest(3)] == sorted(seconds, reverse=True)[:3]


@pytest.mark.parametrize("count", ["app", "all"])
def test_the_log_of_another_database_is_empty(count: str, connection: sqlite3.Connection) -> None:
    with record_queries(using="replica", count=count) as log:  # type: ignore[arg-type]
        shop.order_list(connection)
        connection.cursor().execute("SAVEPOINT one")
    assert (log.count, log.not_counted, log.nplusone()) == (0, {}, [])
