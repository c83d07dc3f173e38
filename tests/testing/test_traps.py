"""Where tools that count queries go wrong, one test for each trap, named after it. Those of whole runs are in ``integrations``."""

import asyncio
import sqlite3
import threading
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection as django_connection
from django.db import transaction
from django.test import Client
from hypothesis import given, strategies
from sqlalchemy import Engine, StaticPool, create_engine, insert, select
from sqlalchemy.orm import Session, selectinload

import dbprofile_django.queries
import dbprofile_sqlalchemy
from dbprofile.capture.objects import held_objects
from dbprofile.sql.statement import Statement
from dbprofile.testing import QueryScale, assert_queries, at_least, at_most, between, record_queries
from dbprofile_pytest import AssertQueries, fixtures
from tests import services
from tests.integrations.django import project
from tests.integrations.django.conftest import sqlite  # noqa: F401 - a fixture
from tests.integrations.django.shop.models import Order
from tests.integrations.django.shop.models import fill as fill_shop
from tests.integrations.sqlalchemy.models import Author, Base, Country, Tag
from tests.integrations.sqlalchemy.models import fill as fill_library
from tests.sources import shop as database
from tests.testing import shop


@pytest.fixture
def django(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    """A shop of three orders."""
    dbprofile_django.queries.install()
    fill_shop(3)
    yield
    project.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    dbprofile_sqlalchemy.install()
    held_objects()  # as a run of tests asks, before the first of them
    engine = create_engine("sqlite://", poolclass=StaticPool)
    fill_library(engine, 5)
    yield engine
    engine.dispose()
    dbprofile_sqlalchemy.uninstall()


@pytest.mark.usefixtures("django")
def test_trap_01_transaction_control_of_django() -> None:
    with assert_queries(1) as log, transaction.atomic(), transaction.atomic():
        Order.objects.count()
    assert set(log.not_counted) == {"tx"}


def test_trap_01_transaction_control_of_sqlalchemy(engine: Engine) -> None:
    with assert_queries(2), Session(engine) as session:
        with session.begin_nested():
            session.scalars(select(Tag.id)).all()
        session.scalars(select(Author.id)).all()
        session.commit()


class TestTrap02SetUpAndTearDownInTheCallPhase(unittest.TestCase):
    def setUp(self) -> None:
        self.connection = self.enterContext(database())
        shop.order_list(self.connection)

    def tearDown(self) -> None:
        shop.order_list(self.connection)

    @pytest.mark.queries(1)
    def test_the_method_alone_is_counted(self) -> None:
        shop.all_orders(self.connection)

    @unittest.expectedFailure
    @pytest.mark.queries(0)
    def test_and_judged(self) -> None:
        shop.all_orders(self.connection)


@pytest.mark.usefixtures("django")
def test_trap_03_nested_captures_and_the_test_client() -> None:
    client = Client()
    with assert_queries(5) as outer:
        client.get("/orders/joined/")
        with assert_queries(4, nplusone=True) as inner:
            client.get("/orders/")
    assert (outer.count, inner.count) == (5, 4)


def test_trap_04_the_9000_entry_query_log(connection: sqlite3.Connection) -> None:
    with assert_queries(9_005):
        for _ in range(9_005):
            connection.cursor().execute("SELECT 1")
    with assert_queries(5):
        for _ in range(5):
            connection.cursor().execute("SELECT 1")


@pytest.mark.usefixtures("django")
def test_trap_05_threads(connection: sqlite3.Connection) -> None:
    def work() -> None:
        Order.objects.count()
        django_connection.close()
        shop.all_orders(connection)

    with assert_queries(2) as log:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert all(query.thread for query in log.queries)


def test_trap_06_a_second_database(engine: Engine) -> None:
    archive = create_engine("sqlite://", poolclass=StaticPool, logging_name="archive")
    with assert_queries(3), assert_queries(2, using="archive"), assert_queries(1, using="default"):
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
        with archive.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            connection.exec_driver_sql("SELECT 2")
    archive.dispose()


@pytest.mark.usefixtures("django")
def test_trap_07_an_async_django_test() -> None:
    async def test() -> None:
        async with assert_queries(2):
            await Order.objects.acount()
            async for _ in Order.objects.all():
                pass

    asyncio.run(test())


@pytest.mark.usefixtures("django")
def test_trap_08_once_per_process_caches() -> None:
    types: Any = apps.get_model("contenttypes", "ContentType")
    types.objects.clear_cache()
    for filled in (0, 1):
        with assert_queries(0) as log:
            types.objects.get_for_model(Order)
        assert log.not_counted.get("cachefill", 0) == 1 - filled


@pytest.mark.usefixtures("django")
def test_trap_09_connection_set_up() -> None:
    django_connection.close()
    with assert_queries(1):
        Order.objects.count()


@pytest.mark.parametrize("system", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgresql"))])
def test_trap_10_the_same_code_on_another_dialect(system: Any, request: pytest.FixtureRequest) -> None:
    database: services.TemporaryDatabase = request.getfixturevalue(f"{system}_database")
    dbprofile_sqlalchemy.install()
    engine = create_engine(database.sqlalchemy_url())
    Base.metadata.create_all(engine, [Base.metadata.tables["country"]])
    with assert_queries(1) as log, Session(engine) as session:
        session.add_all([Country(name=f"country {number}") for number in range(10)])
        session.commit()
    assert sum(query.round_trips for query in log.queries) in {1, 10}
    Base.metadata.drop_all(engine, [Base.metadata.tables["country"]])
    engine.dispose()
    dbprofile_sqlalchemy.uninstall()


def test_trap_11_batching(engine: Engine) -> None:
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    total = 0
    for n in (scale := QueryScale(400, 1_200)):
        with Session(engine) as session:
            if n:
                rows = [{"name": "", "country_id": 1} for _ in range(n)]
                session.execute(insert(Author), rows)
            session.commit()
        total += n
        with scale as log, Session(engine) as session:
            session.scalars(select(Author).options(selectinload(Author.books))).all()
        assert log.count == 1 + -(-total // 500)


def test_trap_12_the_identity_map(engine: Engine) -> None:
    with Session(engine) as session:
        kept = session.scalars(select(Author)).all()
        with assert_queries(1):
            session.scalars(select(Author)).all()
            [session.get(Author, number) for number in range(1, 6)]
        with assert_queries(5, fresh=True, nplusone=True):
            [session.get(Author, number) for number in range(1, 6)]
    assert kept


@given(strategies.lists(strategies.integers(1, 5), min_size=3, max_size=3))
def test_trap_13_test_code_as_n_plus_one(numbers: list[int]) -> None:
    with database() as connection, assert_queries(nplusone=False):
        for number in numbers:
            shop.once_for_each(connection, number)


@pytest.mark.parametrize("loop", shop.LOOPS[:3], ids=lambda loop: str(loop.__name__))
def test_trap_14_inlined_comprehensions(loop: Callable[..., None], connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        for _ in range(2):
            loop(connection, [1, 2, 3])
    assert log.nplusone()


def test_trap_15_identifiers_eaten_by_the_normaliser(connection: sqlite3.Connection) -> None:
    with assert_queries(2, tables={"orders": 1, "customer": 1}, nplusone=False) as log:
        connection.cursor().execute('SELECT * FROM "orders" WHERE "id" = 1')
        connection.cursor().execute('SELECT * FROM "customer" WHERE "id" = 1')
    assert len(log.shape()) == 2
    assert Statement.of('SELECT "a"', "mysql") == Statement.of('SELECT "b"', "mysql")


def test_trap_16_fingerprints_of_long_lists() -> None:
    long = f"SELECT * FROM orders WHERE id IN ({', '.join(map(str, range(20_000)))})"
    assert Statement.of(long, "sqlite").shape == "SELECT orders WHERE id IN (...)"
    assert Statement.of(long, "sqlite") == Statement.of("SELECT * FROM orders WHERE id IN (1, 2)", "sqlite")


@given(strategies.integers(0, 50), strategies.integers(0, 50), strategies.integers(0, 50))
def test_trap_20_an_inverted_comparison(number: int, low: int, more: int) -> None:
    assert at_most(low).allows(number) is (number <= low)
    assert at_least(low).allows(number) is (number >= low)
    assert between(low, low + more).allows(number) is (low <= number <= low + more)


def test_trap_20_a_log_that_is_empty_inside_the_block(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        shop.all_orders(connection)
        assert log.count == 1
        shop.all_orders(connection)
        assert log.count == 2
    assert log.count == 2


def test_trap_21_masking_the_failure(connection: sqlite3.Connection) -> None:
    @assert_queries(0)
    def body() -> None:
        raise AssertionError(f"{len(shop.all_orders(connection))} rows")

    with pytest.raises(AssertionError, match=r"^5 rows$"):
        body()


@pytest.mark.usefixtures("django")
def test_trap_22_raising_inside_the_application() -> None:
    client = Client()
    with pytest.raises(AssertionError, match=r"^N\+1 of Order\.customer: 3x"), assert_queries(nplusone=False):
        assert client.get("/orders/").status_code == 200


def test_trap_24_the_cost_of_autouse() -> None:
    for name in ("assert_queries", "db_queries", "query_scale"):
        definition: Any = getattr(fixtures, name)
        assert definition._fixture_function_marker.autouse is False


def test_trap_25_long_failures(connection: sqlite3.Connection) -> None:
    @assert_queries(1)
    def body() -> None:
        for number in range(2_000):
            connection.cursor().execute(f"SELECT * FROM customer WHERE {' OR '.join(['id = 1'] * (number % 40 + 1))}")

    with pytest.raises(AssertionError) as caught:
        body()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("2,000 queries, expected 1: ")
    assert len(lines) <= 25


@given(number=strategies.integers(1, 5))
def test_trap_27_fixtures_of_functions_under_given(assert_queries: AssertQueries, number: int) -> None:
    with database() as connection, assert_queries(1):
        shop.customer(connection, number)
