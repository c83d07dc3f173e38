"""Twelve ways of working that send alike statements in numbers and are no N+1, and twelve ways in which a statement could be missed."""

import asyncio
import sqlite3
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.paginator import Paginator
from django.db import transaction
from django.test import Client
from sqlalchemy import Engine, StaticPool, create_engine, select, text
from sqlalchemy.orm import Session, selectinload
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import dbprofile_django.queries
import dbprofile_sqlalchemy
from dbprofile.testing import assert_queries
from tests.integrations.django import project
from tests.integrations.django.conftest import sqlite  # noqa: F401 - a fixture
from tests.integrations.django.shop.models import Customer, Order, Region
from tests.integrations.django.shop.models import fill as fill_shop
from tests.integrations.sqlalchemy.models import Author, Country, Tag
from tests.integrations.sqlalchemy.models import fill as fill_library
from tests.testing import shop


@pytest.fixture
def _django(sqlite: object) -> Iterator[None]:  # noqa: F811 - the fixture
    dbprofile_django.queries.install()
    fill_shop(5)
    yield
    project.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    dbprofile_sqlalchemy.install()
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    fill_library(engine, 5)
    yield engine
    engine.dispose()
    dbprofile_sqlalchemy.uninstall()


# --- no N+1 -----------------------------------------------------------------------------------------------------------


def bulk_create() -> None:
    Region.objects.bulk_create(Region(name=f"region {number}") for number in range(3_000))


def six_requests() -> None:
    client = Client()
    for _ in range(6):
        client.get("/orders/joined/")


def factory() -> None:
    for number in range(5):
        region = Region.objects.create(name=f"region {number}")
        Customer.objects.create(name=f"customer {number}", region=region)


def cascade() -> None:
    Region.objects.all().delete()


def pages() -> None:
    pages = Paginator(Order.objects.order_by("pk"), 2)
    for number in pages.page_range:
        list(pages.page(number))


def savepoints() -> None:
    for number in (1, 2, 3):
        with transaction.atomic():
            Order.objects.filter(pk=number).exists()


def refreshed_after_insert() -> None:
    order = Order.objects.create(customer=Customer.objects.all()[0])
    order.refresh_from_db()


@pytest.mark.usefixtures("_django")
@pytest.mark.parametrize(
    "clean",
    [bulk_create, six_requests, factory, cascade, pages, savepoints, refreshed_after_insert],
    ids=lambda clean: clean.__name__,
)
def test_what_django_sends_in_numbers_is_no_n_plus_one(clean: Callable[[], None]) -> None:
    with assert_queries(nplusone=False, duplicates=True) as log:
        clean()
    assert log.count


def added_in_one_flush(session: Session) -> None:
    session.add_all([Country(id=100 + number, name="new") for number in range(1_000)])
    session.commit()


def loaded_in_batches(session: Session) -> None:
    session.add_all([Author(id=100 + number, name="new", country_id=1) for number in range(2_000)])
    session.commit()
    session.scalars(select(Author).options(selectinload(Author.books))).all()


def refreshed(session: Session) -> None:
    session.add(tag := Tag(id=100, name="new"))
    session.commit()
    assert tag.name


@pytest.mark.parametrize("clean", [added_in_one_flush, loaded_in_batches, refreshed], ids=lambda clean: clean.__name__)
def test_what_sqlalchemy_sends_in_numbers_is_no_n_plus_one(clean: Callable[[Session], None], engine: Engine) -> None:
    with Session(engine) as session, assert_queries(nplusone=False) as log:
        clean(session)
    assert log.count


def test_two_tables_with_equal_columns_are_no_n_plus_one(connection: sqlite3.Connection) -> None:
    with assert_queries(3, nplusone=False):
        for table in ("orders", "customer", "sqlite_temp_master"):
            connection.cursor().execute(f'SELECT rowid FROM "{table}" WHERE rowid = 1')


# --- nothing is missed ------------------------------------------------------------------------------------------------

Work = Callable[[], object]


def in_a_thread(work: Work) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def in_a_pool(work: Work) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def in_an_executor(work: Work) -> None:
    async def run() -> None:
        await asyncio.get_running_loop().run_in_executor(None, work)

    asyncio.run(run())


def in_to_thread(work: Work) -> None:
    asyncio.run(asyncio.to_thread(work))


def visit(page: Callable[[Request], PlainTextResponse]) -> None:
    """Let Starlette's test client, which runs the application in a thread of its own, ask for a page."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions of Starlette deprecate httpx
        from starlette.testclient import TestClient  # noqa: PLC0415 - it warns when it is imported

    with TestClient(Starlette(routes=[Route("/", page)])) as client:
        client.get("/")


def in_a_request(work: Work) -> None:
    def page(_request: Request) -> PlainTextResponse:
        work()
        return PlainTextResponse("")

    visit(page)


def in_a_background_task(work: Work) -> None:
    def page(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("", background=BackgroundTask(work))

    visit(page)


@pytest.mark.parametrize(
    "place",
    [in_a_thread, in_a_pool, in_an_executor, in_to_thread, in_a_request, in_a_background_task],
    ids=lambda place: place.__name__,
)
def test_no_statement_is_missed(place: Callable[[Work], None], engine: Engine) -> None:
    def work() -> None:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        with Session(engine) as session:
            session.scalars(select(Tag.id)).all()

    with assert_queries(2), assert_queries(2):
        place(work)


def test_all_places_at_once_are_one_sum(connection: sqlite3.Connection) -> None:
    places = (in_a_thread, in_a_pool, in_an_executor, in_to_thread)
    with assert_queries(6 * len(places)):
        for place in places:
            place(lambda: shop.order_list(connection))
