"""A fault of ours never reaches the application: responses, statements and exceptions are the same as without us."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import AsyncClient, Client, override_settings

import dbprofile_django.bridge
import dbprofile_django.building
import dbprofile_django.connections
import dbprofile_django.endings
import dbprofile_django.fetches
import dbprofile_django.fixes
import dbprofile_django.provenance
import dbprofile_django.queries
import dbprofile_django.rows
import dbprofile_django.scopes
import dbprofile_django.transactions
from dbprofile import Profiler, guard, hooks
from tests.faults import fault_at, faults
from tests.integrations.django import project
from tests.integrations.django.shop.models import Order

FAULTS = [
    *faults(
        hooks,
        dbprofile_django.bridge,
        dbprofile_django.building,
        dbprofile_django.connections,
        dbprofile_django.endings,
        dbprofile_django.fetches,
        dbprofile_django.fixes,
        dbprofile_django.provenance,
        dbprofile_django.queries,
        dbprofile_django.rows,
        dbprofile_django.scopes,
        dbprofile_django.transactions,
    ),
]
ADDRESSES = ["/orders/", "/orders/template/", "/orders/joined/", "/orders/1/", "/stream/", "/nothing/", "/session/"]

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture(autouse=True)
def _swallowed() -> Iterator[None]:
    """Faults are swallowed, as they are for everybody but our own tests."""
    guard.reraising(False)
    yield
    guard.reset_faults()


@pytest.fixture
def client() -> Iterator[Client]:
    middleware = [
        project.MIDDLEWARE,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    profiler = Profiler(sinks=[lambda _: None])
    with override_settings(DBPROFILE={"profiler": profiler}, MIDDLEWARE=middleware):
        client = Client(raise_request_exception=False)
        client.force_login(User.objects.get_or_create(username="someone")[0])
        yield client


def _body(response: Any) -> bytes:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    response.close()
    return bytes(body)


def _visits(client: Client) -> list[tuple[object, ...]]:
    """Everything that a client of the shop sees, and what reached the database."""
    texts: list[str] = []

    def listening(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        texts.append(sql)
        return execute(sql, params, many, context)

    answers: list[tuple[object, ...]] = []
    with connection.execute_wrapper(listening):
        for address in ADDRESSES:
            response = client.get(address)
            answers.append((response.status_code, sorted(response.headers.items()), _body(response)))
    return [*answers, tuple(texts)]


async def _asynchronous_visits() -> list[tuple[object, ...]]:
    answers: list[tuple[object, ...]] = []
    client = AsyncClient(raise_request_exception=False)
    for address in ("/async/orders/", "/orders/", "/async/stream/"):
        response: Any = await client.get(address)
        body = b"".join([part async for part in response.streaming_content]) if response.streaming else response.content
        answers.append((response.status_code, sorted(response.headers.items()), body))
    return answers


@pytest.mark.parametrize("fault", FAULTS)
def test_responses_are_the_same_with_a_fault_in(
    fault: Callable[[], AbstractContextManager[None]], client: Client
) -> None:
    with _without_us():
        without = _settled(client)
    with fault():
        assert _settled(client) == without


def _without_us() -> Any:
    return override_settings(MIDDLEWARE=[name for name in settings.MIDDLEWARE if name != project.MIDDLEWARE])


def _settled(client: Client) -> list[object]:
    project.close()
    # The page of the session counts its visits.
    session = client.session
    session["visits"] = 0
    session.save()
    fresh = Client(raise_request_exception=False)
    fresh.cookies = client.cookies
    return [*_visits(fresh), *asyncio.run(_asynchronous_visits())]


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (dbprofile_django.provenance, "_see"),
        (dbprofile_django.provenance, "_lazy"),
        (dbprofile_django.provenance, "_read"),
        (dbprofile_django.provenance, "known_relation"),
        (dbprofile_django.provenance, "token_of"),
        (dbprofile_django.provenance, "label_of"),
        (dbprofile_django.rows, "relation_named"),
        (dbprofile_django.transactions.Uncommitted, "number"),
        (dbprofile_django.transactions.Uncommitted, "keep"),
        (dbprofile_django.transactions.Uncommitted, "undo"),
        (dbprofile_django.transactions, "_uncommitted_of"),
        (dbprofile_django.rows, "begin_building"),
        (dbprofile_django.endings, "finish"),
        (dbprofile_django.scopes, "end_with"),
        (dbprofile_django.scopes, "keep_scope"),
        (dbprofile_django.scopes, "scope_of"),
        (dbprofile_django.connections, "database_of"),
        (dbprofile_django.scopes, "_name"),
        (dbprofile_django.scopes, "_stream"),
    ],
)
def test_responses_are_the_same_where_what_a_hook_calls_fails(owner: Any, name: str, client: Client) -> None:
    with _without_us():
        without = _settled(client)
    with fault_at(owner, name):
        assert _settled(client) == without
    assert guard.faults()


def test_an_exception_of_the_application_passes_unchanged(client: Client) -> None:
    with pytest.raises(LookupError, match="not to be kept"):
        Client().get("/broken/")


def test_a_statement_without_provenance_is_still_counted() -> None:
    with fault_at(dbprofile_django.provenance, "_see"), Profiler().scope("block", "block") as scope:
        Order.objects.count()
    assert scope.profile().query_count == 1
