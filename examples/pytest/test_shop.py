from collections.abc import Iterator

import pytest
import shop
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from dbprofile.testing import at_most
from dbprofile_pytest import AssertQueries, QueryLog


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Ten orders. What a fixture sends is not the test's."""
    engine = shop.open_shop()
    with Session(engine) as session:
        session.add_all([shop.Order(customer=shop.Customer(name=f"customer {number}")) for number in range(10)])
        session.commit()
    yield engine
    engine.dispose()


def test_order_list_needs_one_query(engine: Engine, assert_queries: AssertQueries) -> None:
    with assert_queries(1, nplusone=False):
        assert len(shop.order_list(engine)) == 10


@pytest.mark.queries(select=at_most(2), tables={shop.Customer: 1}, insert=0)
def test_order_list_only_reads(engine: Engine) -> None:
    shop.order_list(engine)


def test_packing_list_still_asks_for_each_customer(engine: Engine, db_queries: QueryLog) -> None:
    shop.packing_list(engine)
    assert db_queries.count == 11
    assert [finding.relation for finding in db_queries.nplusone()] == ["Order.customer"]


@pytest.mark.nplusone_ok("Order.customer", reason="only for the two orders of the morning")
def test_packing_list(engine: Engine) -> None:
    assert shop.packing_list(engine)[0] == "customer 0 gets 1"
