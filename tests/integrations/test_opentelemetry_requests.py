"""Whole requests: a framework, SQLAlchemy, and a server's span as the instrumentations of OpenTelemetry open and end it."""

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import flask
import httpx
import pytest
from opentelemetry.trace import Span as ServerSpan
from opentelemetry.trace import SpanKind, use_span
from sqlalchemy import Engine, ForeignKey, StaticPool, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

import dbprofile_asgi
import dbprofile_flask
import dbprofile_sqlalchemy
from dbprofile import Profiler
from tests.telemetry import Backend
from tests.tree import REPOSITORY

ORDERS = 12


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    customer: Mapped[Customer] = relationship()


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def profiler(backend: Backend) -> Iterator[Profiler]:
    with Profiler(sinks=[backend.sink()]) as profiler:
        yield profiler


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Order(id=key, customer=Customer(id=key, name="Ada")) for key in range(1, ORDERS + 1))
        session.commit()
    dbprofile_sqlalchemy.install()
    yield engine
    dbprofile_sqlalchemy.uninstall()
    engine.dispose()


def names_of_customers(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return [order.customer.name for order in session.scalars(select(Order))]


def assert_all_arrived(backend: Backend, span: ServerSpan) -> None:
    """The totals, the N+1 and the histogram of a request that lists the orders."""
    totals = backend.spans()["GET"]
    assert totals["dbprofile.request.query_count"] == ORDERS + 1
    assert totals["dbprofile.request.unique_query_count"] == 2
    (event,) = backend.events("dbprofile.n_plus_one")
    assert event.span_id == span.get_span_context().span_id
    assert event.attributes["dbprofile.n_plus_one.relation"] == "Order.customer"
    assert event.attributes["dbprofile.n_plus_one.query_count"] == ORDERS
    assert (
        event.attributes["dbprofile.n_plus_one.parent_fingerprint"] != event.attributes["dbprofile.query.fingerprint"]
    )
    assert event.attributes["code.file.path"] == __file__
    assert event.attributes["http.request.method"] == "GET"
    (point,) = backend.points("dbprofile.request.queries")
    assert point.sum == ORDERS + 1
    assert point.attributes["http.route"] == event.attributes["http.route"]


# --- ASGI -----------------------------------------------------------------------------------------------------------

_Message = MutableMapping[str, Any]
_Send = Callable[[_Message], Awaitable[None]]


class Traced:
    """ASGI middleware that opens a span for each request and ends it with the last message of the response."""

    def __init__(self, app: Callable[..., Awaitable[None]], backend: Backend) -> None:
        self.app = app
        self.backend = backend
        self.spans: list[ServerSpan] = []

    async def __call__(self, scope: _Message, receive: object, send: _Send) -> None:
        span = self.backend.tracer.start_span("GET", kind=SpanKind.SERVER)
        self.spans.append(span)

        async def ending(message: _Message) -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                span.end()

        with use_span(span):
            await self.app(scope, receive, ending)


def served_by_starlette(backend: Backend, profiler: Profiler, engine: Engine) -> Traced:
    async def orders(_: Request) -> JSONResponse:
        return JSONResponse(names_of_customers(engine))

    async def streamed(_: Request) -> StreamingResponse:
        async def names() -> Any:
            for name in names_of_customers(engine):
                yield name

        return StreamingResponse(names())

    app = Starlette(routes=[Route("/orders/{year}", orders), Route("/streamed/{year}", streamed)])
    return Traced(dbprofile_asgi.ProfileMiddleware(app, profiler=profiler), backend)


@pytest.mark.parametrize("path", ["orders", "streamed"])
async def test_a_request_to_starlette_arrives_whole(
    backend: Backend, profiler: Profiler, engine: Engine, path: str
) -> None:
    app = served_by_starlette(backend, profiler, engine)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
        assert (await client.get(f"/{path}/2024")).status_code == 200

    assert_all_arrived(backend, app.spans[0])
    (event,) = backend.events("dbprofile.n_plus_one")
    assert event.attributes["http.route"] == f"/{path}/{{year}}"


# --- Flask ----------------------------------------------------------------------------------------------------------


def test_a_request_to_flask_arrives_whole(backend: Backend, profiler: Profiler, engine: Engine) -> None:
    app = flask.Flask(__name__)
    spans = []

    @app.before_request
    def begin() -> None:
        span = backend.tracer.start_span("GET", kind=SpanKind.SERVER)
        spans.append(span)
        flask.g.activation = use_span(span, end_on_exit=True)
        flask.g.activation.__enter__()

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        flask.g.activation.__exit__(None, None, None)

    dbprofile_flask.DBProfile(app, profiler=profiler)

    @app.get("/orders/<int:year>")
    def orders(year: int) -> list[str]:
        return names_of_customers(engine)

    assert app.test_client().get("/orders/2024", buffered=True).status_code == 200

    assert_all_arrived(backend, spans[0])
    (event,) = backend.events("dbprofile.n_plus_one")
    assert event.attributes["http.route"] == "/orders/<int:year>"


# --- Django ---------------------------------------------------------------------------------------------------------

VISIT = """
import json, os, sys
sys.path.insert(0, "examples/django")
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
from django.conf import settings
from opentelemetry.trace import SpanKind
from dbprofile import Profiler
from tests.telemetry import Backend

backend = Backend()
settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.DBPROFILE = {"profiler": Profiler(sinks=[backend.sink()])}
import visit

visit.prepare()
with backend.tracer.start_as_current_span("GET", kind=SpanKind.SERVER):
    visit.get("/orders/")
event, = backend.events("dbprofile.n_plus_one")
print(json.dumps([backend.spans()["GET"], dict(event.attributes), event.trace_id != 0]))
"""


def test_a_request_to_django_arrives_whole(tmp_path: Path) -> None:
    # In a process of its own: a process has one Django.
    command = [sys.executable, "-W", "error", "-c", VISIT, str(tmp_path / "shop.sqlite3")]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    totals, event, is_traced = json.loads(ran.stdout.splitlines()[-1])

    assert totals["dbprofile.request.query_count"] == 54
    assert event["dbprofile.n_plus_one.relation"] == "Order.customer"
    assert event["dbprofile.n_plus_one.query_count"] == 50
    assert event["code.file.path"].endswith("templates/orders.html")
    assert event["http.route"] == "/orders/"
    assert is_traced
