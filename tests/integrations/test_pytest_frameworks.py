"""The plugin in real projects: Django with pytest-django, Flask and FastAPI with SQLAlchemy; nothing set up but the fixtures."""

from collections.abc import Callable

import pytest

from tests import services

pytest_plugins = ["pytester"]

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a project in a process of its own: its libraries must not be imported before."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)

    def start(ini: str, modules: dict[str, str], *options: str) -> pytest.RunResult:
        pytester.makeini(ini)
        for path, text in modules.items():
            file = pytester.path / path
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.lstrip(), encoding="utf-8")
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *options, timeout=240)

    return start


DJANGO_INI = """
[pytest]
DJANGO_SETTINGS_MODULE = settings
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""

DJANGO = {
    "settings.py": """
SECRET_KEY = "for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
STATIC_URL = "static/"
INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "archive": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models

class Customer(models.Model):
    name = models.CharField(max_length=50)

class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE)
""",
    "shop/views.py": """
from django.http import HttpResponse

from shop.models import Order

def describe(order):
    return order.customer.name

def order_list(request):
    return HttpResponse(", ".join(describe(order) for order in Order.objects.order_by("id")))

def cured(request):
    return HttpResponse(", ".join(describe(order) for order in Order.objects.select_related("customer")))

async def cured_async(request):
    return HttpResponse(", ".join([describe(order) async for order in Order.objects.select_related("customer")]))
""",
    "shop/urls.py": """
from django.urls import path

from shop import views

urlpatterns = [
    path("orders/", views.order_list),
    path("cured/", views.cured),
    path("async/", views.cured_async),
]
""",
    "factories.py": """
from shop.models import Customer, Order

def orders(number):
    return [Order.objects.create(customer=Customer.objects.create(name=f"c{i}")) for i in range(number)]
""",
    "test_shop.py": """
import urllib.request

import pytest
from asgiref.sync import sync_to_async
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import TestCase

from dbprofile.testing import QueryAssertions, at_most
from factories import orders
from shop.models import Customer, Order

pytestmark = pytest.mark.django_db

def test_order_list(client, assert_queries):
    orders(3)
    with assert_queries(2, nplusone=False):
        client.get("/orders/")

def test_cured(client, assert_queries):
    orders(3)
    with assert_queries(1, nplusone=False):
        client.get("/cured/")

@pytest.mark.queries(select=at_most(4), insert=6, tables={Order: 4, Customer: at_most(6), "django_session": 0})
def test_marked(client):
    orders(3)
    client.get("/orders/")

@pytest.mark.queries(nplusone=False)
def test_loops_of_the_test_and_its_factory(client):
    for order in orders(4):
        Order.objects.get(pk=order.pk)
        order.refresh_from_db()
        assert order.customer.name
    for order in Order.objects.all():
        assert order.customer.name

def test_six_requests(client, assert_queries):
    orders(3)
    with assert_queries(6, nplusone=False):
        for _ in range(6):
            client.get("/cured/")

def test_savepoints_do_not_count(assert_queries):
    with assert_queries(1) as log, transaction.atomic():
        Order.objects.count()
    assert log.not_counted == {"tx": 2}

def test_caches_of_the_process_do_not_count(assert_queries):
    ContentType.objects.clear_cache()
    with assert_queries(0) as log:
        ContentType.objects.get_for_model(Order)
    assert log.not_counted == {"cachefill": 1}

@pytest.mark.django_db(databases=["default", "archive"])
def test_a_second_database(assert_queries):
    with assert_queries(2), assert_queries(1, using="archive"):
        list(Order.objects.all())
        list(Order.objects.using("archive"))

@pytest.mark.django_db(transaction=True)
async def test_async(async_client, assert_queries):
    await sync_to_async(orders)(3)
    async with assert_queries(1):
        await async_client.get("/async/")

@pytest.mark.django_db(transaction=True)
def test_live_server(live_server, assert_queries):
    orders(3)
    with assert_queries(4, nplusone=True) as log:
        urllib.request.urlopen(live_server.url + "/orders/").close()
    assert all(query.thread for query in log.queries)

class Orders(QueryAssertions, TestCase):
    @classmethod
    def setUpTestData(cls):
        orders(3)

    def test_list(self):
        with self.assertQueries(max=2):
            self.client.get("/orders/")

    @pytest.mark.queries(1)
    def test_cured(self):
        self.client.get("/cured/")
""",
}

ON_COMMIT = """
import threading

import pytest
from django.db import connections, transaction
from django.test import TestCase, TransactionTestCase

from dbprofile.testing import QueryAssertions, assert_queries
from shop.models import Customer

def place(name):
    with transaction.atomic():
        customer = Customer.objects.create(name=name)
        with transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(name=name.title())
        transaction.on_commit(lambda: Customer.objects.filter(name=name.title()).count())
        transaction.on_commit(lambda: Customer.objects.using("archive").create(name=name))

class Inside(QueryAssertions, TestCase):
    databases = {"default", "archive"}

    def test_callbacks_count_and_savepoints_do_not(self):
        with self.assertQueries(4), self.captureOnCommitCallbacks(execute=True) as callbacks:
            place("ann")
        assert len(callbacks) == 2

    def test_nothing_is_committed_by_itself(self):
        with self.assertQueries(2):
            place("ann")

    def test_django_counts_its_savepoints_as_before(self):
        with self.assertNumQueries(6), assert_queries(2):
            place("ann")

    def test_a_wrong_number_names_both(self):
        with pytest.raises(AssertionError, match="2 queries, expected 1"), assert_queries(1):
            place("ann")

    def test_an_error_in_the_block_stays(self):
        with pytest.raises(KeyError, match="mine"), assert_queries(5):
            place("ann")
            raise KeyError("mine")

class Committed(QueryAssertions, TransactionTestCase):
    databases = {"default", "archive"}

    def test_committed_for_real_and_in_a_thread(self):
        def work():
            Customer.objects.using("archive").count()
            connections.close_all()

        with self.assertQueries(5):
            place("ann")
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
"""


def test_a_django_project(run: Run) -> None:
    result = run(DJANGO_INI, DJANGO)
    result.assert_outcomes(passed=10, failed=2)
    culprit = "3x SELECT shop_customer at shop/views.py:6 (N+1)"
    result.stdout.fnmatch_lines(
        [
            f"E       AssertionError: 4 queries, expected 2: {culprit}",
            "E         also: N+1 of Order.customer: 3x SELECT shop_customer at shop/views.py:6",
            "E         1x  SELECT shop_order ORDER BY id ASC",
            "E             shop/views.py:9 in order_list",
            "E         3x  SELECT shop_customer WHERE id = [?] LIMIT [?] *N+1, Order.customer",
            "E             shop/views.py:6 in describe",
            'E         fix: Order.objects.order_by("id").select_related("customer") at shop/views.py:9 saves 3',
            f"E       AssertionError: 4 queries, expected at most 2: {culprit}",
        ]
    )


def test_callbacks_on_commit_in_test_cases(run: Run) -> None:
    run(DJANGO_INI, {**DJANGO, "test_shop.py": ON_COMMIT}).assert_outcomes(passed=6)


EXISTING = """
import pytest
from django.db import connection
from django.test import TestCase
from django.test.utils import CaptureQueriesContext

from factories import orders
from shop.models import Order

@pytest.mark.django_db
def test_that_fails(client, django_assert_num_queries):
    orders(3)
    with django_assert_num_queries(2):
        client.get("/orders/")

@pytest.mark.django_db
def test_that_passes(client, django_assert_max_num_queries, assert_queries):
    orders(3)
    with django_assert_max_num_queries(4) as captured, assert_queries(4):
        client.get("/orders/")
    assert len(captured) == 4

@pytest.mark.django_db
def test_that_fails_otherwise(client):
    with CaptureQueriesContext(connection):
        Order.objects.count()
    assert 1 == 2

class Orders(TestCase):
    def test_list(self):
        orders(3)
        with self.assertNumQueries(2):
            self.client.get("/orders/")

    def test_nested(self):
        with self.assertNumQueries(2):
            Order.objects.count()
            with self.assertNumQueries(1):
                Order.objects.count()
"""


def test_blocks_of_django_count_as_before_and_say_more_where_they_fail(run: Run) -> None:
    result = run(DJANGO_INI, {**DJANGO, "test_shop.py": EXISTING})
    result.assert_outcomes(passed=2, failed=3)
    told = [
        "*queries of the block that failed*",
        "4 queries: 3x SELECT shop_customer at shop/views.py:6 (N+1)",
        "  3x  SELECT shop_customer WHERE id = [?] LIMIT [?] *N+1, Order.customer",
        '  fix: Order.objects.order_by("id").select_related("customer") at shop/views.py:9 saves 3',
    ]
    result.stdout.fnmatch_lines(
        [
            "*Expected to perform 2 queries but 4 were done*",
            *told,
            "E       assert 1 == 2",
            "E *4 queries executed, 2 expected",
            *told,
        ]
    )
    assert result.stdout.str().count("queries of the block that failed") == 2


SQLALCHEMY_INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
"""

SQLALCHEMY = {
    "models.py": """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

class Base(DeclarativeBase):
    pass

class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship()
""",
    "shop.py": """
from flask import Flask
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from models import Order

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
app = Flask(__name__)

@app.get("/orders")
def order_list():
    with Session(engine) as session:
        return ", ".join(order.customer.name for order in session.scalars(select(Order)))
""",
    "api.py": """
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload

from models import Order

engine = create_async_engine("sqlite+aiosqlite:///shop.db")
async_session = async_sessionmaker(engine)
app = FastAPI()

@app.get("/orders")
async def order_list():
    async with async_session() as session:
        orders = await session.scalars(select(Order).options(selectinload(Order.customer)))
        return [order.customer.name for order in orders]

@app.get("/one-by-one")
async def one_by_one():
    names = []
    async with async_session() as session:
        for order in await session.scalars(select(Order)):
            await session.run_sync(lambda _: order.customer)
            names.append(order.customer.name)
    return names
""",
    "conftest.py": """
import httpx
import pytest
from sqlalchemy.orm import Session

import api
import shop
from models import Base, Customer, Order

def orders():
    return [Order(customer=Customer(name=f"c{number}")) for number in range(3)]

@pytest.fixture
def db_session():
    Base.metadata.drop_all(shop.engine)
    Base.metadata.create_all(shop.engine)
    with Session(shop.engine) as session:
        session.add_all(orders())
        session.commit()
        yield session

@pytest.fixture
async def async_client():
    async with api.engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with api.async_session() as session:
        session.add_all(orders())
        await session.commit()
    transport = httpx.ASGITransport(app=api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
    await api.engine.dispose()
""",
    "test_flask.py": """
from models import Customer, Order
from shop import app

def test_orders(db_session, assert_queries):
    with assert_queries(max=3):
        assert app.test_client().get("/orders").status_code == 200

def test_report(db_session, db_queries):
    app.test_client().get("/orders")
    assert db_queries.by_table["customer"] == 3
    assert db_queries.by_table[Order] == 1
    assert db_queries.count <= 2

def test_a_batch_is_one_query(db_session, assert_queries):
    with assert_queries(insert=1):
        db_session.add_all([Customer(name=f"d{number}") for number in range(10)])
        db_session.commit()
""",
    "test_api.py": """
import pytest

async def test_orders(async_client, assert_queries):
    async with assert_queries(select=2, nplusone=False):
        await async_client.get("/orders")

async def test_one_by_one(async_client, assert_queries):
    async with assert_queries(nplusone=False):
        await async_client.get("/one-by-one")

@pytest.mark.queries(2)
async def test_marked(async_client, db_queries):
    await async_client.get("/orders")
    assert db_queries.count == 2
""",
}


def test_projects_with_sqlalchemy(run: Run) -> None:
    result = run(SQLALCHEMY_INI, SQLALCHEMY, "-p", "no:django")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: N+1 of Order.customer: 3x SELECT customer at api.py:23",
            "E       AssertionError: 4 queries, expected at most 3: 3x SELECT customer at shop.py:14 (N+1)",
            "E         3x  SELECT customer WHERE id = [?] *N+1, Order.customer",
            "E             shop.py:14 in order_list",
            "E         fix: select(Order).options(joinedload(Order.customer)) at shop.py:14 saves 3",
            "E       assert 4 queries <= 2: 3x SELECT customer at shop.py:14 (N+1)",
        ]
    )


ORDERLESS_CONFTEST = """
import random

def pytest_addoption(parser):
    parser.addoption("--order", type=int)

def pytest_collection_modifyitems(items, config):
    if config.getoption("order") is not None:
        random.Random(config.getoption("order")).shuffle(items)
"""

ORDERLESS = """
import threading
import urllib.request

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.test import TestCase

from dbprofile.testing import QueryAssertions
from factories import orders
from shop.models import Order

@pytest.fixture(
    params=[
        pytest.param("db", marks=pytest.mark.django_db),
        pytest.param("transactional_db", marks=pytest.mark.django_db(transaction=True)),
    ]
)
def database(request):
    return request.param

def test_savepoints(database, assert_queries):
    with assert_queries(2), transaction.atomic():
        Order.objects.count()
        with transaction.atomic():
            Order.objects.exists()

def test_content_types(database, assert_queries):
    with assert_queries(1):
        ContentType.objects.get_for_model(Order)
        Order.objects.count()

def test_page(database, client, assert_queries):
    orders(3)
    with assert_queries(4, nplusone=True):
        client.get("/orders/")

def test_batch(database, assert_queries):
    customer = orders(1)[0].customer
    with assert_queries(1):
        Order.objects.bulk_create(Order(customer=customer) for _ in range(20))

def test_growing_page(database, client, query_scale):
    for n in query_scale(2, 5):
        orders(n)
        with query_scale:
            client.get("/cured/")

def test_thread(transactional_db, assert_queries):
    def work():
        Order.objects.count()
        connection.close()

    with assert_queries(1):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

def test_live_server(live_server, assert_queries):
    orders(3)
    with assert_queries(4, nplusone=True) as log:
        urllib.request.urlopen(live_server.url + "/orders/").close()
    assert all(query.thread for query in log.queries)

class Orders(QueryAssertions, TestCase):
    def test_page(self):
        orders(3)
        with self.assertQueries(1):
            self.client.get("/cured/")
"""


@pytest.mark.parametrize(
    ("system", "options"),
    [
        ("sqlite", ("--order=1",)),
        pytest.param("postgresql", ("--order=2",), marks=pytest.mark.service("postgresql")),
    ],
)
def test_counts_are_the_same_in_any_order_on_any_database(
    run: Run, system: services.System, options: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> None:
    with services.temporary_database(system, tmp_path_factory.mktemp("database")) as database:
        settings = f"{DJANGO['settings.py']}\nDATABASES = {{'default': {database.django_settings()!r}}}\n"
        modules = {**DJANGO, "settings.py": settings, "conftest.py": ORDERLESS_CONFTEST, "test_shop.py": ORDERLESS}
        # Django leaves the connections of threads to the garbage collector, of which Python 3.13 warns.
        result = run(DJANGO_INI, modules, "-W", "ignore:unclosed database:ResourceWarning", *options)
    result.assert_outcomes(passed=13)
    result.stdout.fnmatch_lines(["queries: * in 13 tests, most *"])
