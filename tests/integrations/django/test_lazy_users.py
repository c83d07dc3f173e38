"""A request's session and user are lazy: they are asked for when the application asks, from wherever it does, and never by us."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from dbprofile import Report
from dbprofile_django.queries import record_statement
from tests.integrations.django import project
from tests.integrations.django.shop.models import Order

pytestmark = [pytest.mark.usefixtures("shop"), pytest.mark.urls(__name__)]

SESSIONS = [
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
]


def public(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Order.objects.count()))


def private(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user.get_username()} {Order.objects.count()}")


def failing(request: HttpRequest) -> HttpResponse:
    Order.objects.count()
    raise ValueError("in the view")


urlpatterns = [path("public/", public), path("private/", private), path("failing/", failing)]


def signing(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that signs each statement with the user, whom the first of them has to ask for."""

    def handle(request: HttpRequest) -> HttpResponse:
        busy: list[bool] = []

        def sign(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
            if busy:
                return execute(sql, params, many, context)
            busy.append(True)
            try:
                user = request.user.pk
            finally:
                busy.clear()
            return execute(f"{sql} /* user={user} */", params, many, context)

        with connection.execute_wrapper(sign):
            return get_response(request)

    return handle


Visit = Callable[..., tuple[int, dict[str, str], bytes, list[str]]]


@pytest.fixture
def visit() -> Iterator[Visit]:
    """What somebody who signed in gets, and what was sent for it."""
    known = Client()
    known.force_login(User.objects.create_user("someone"))
    yield lambda address, **headers: _visit(known, address, headers)
    User.objects.all().delete()


def _visit(known: Client, address: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes, list[str]]:
    client = Client(raise_request_exception=False)  # it keeps the middleware of its first request
    client.cookies = known.cookies
    texts: list[str] = []

    def listening(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        texts.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listening):
        response = client.get(address, headers=headers)
    return response.status_code, dict(response.headers), response.content, texts


@pytest.mark.parametrize(
    ("address", "queries"), [("/public/", 1), ("/private/", 3), ("/failing/", 1), ("/nowhere/", 0)]
)
def test_a_page_sends_and_answers_as_without_us(
    address: str, queries: int, visit: Visit, reports: list[Report]
) -> None:
    with override_settings(MIDDLEWARE=SESSIONS):
        without = visit(address)
    with override_settings(MIDDLEWARE=[project.MIDDLEWARE, *SESSIONS]):
        assert visit(address) == without
    assert [report.profile.query_count for report in reports] == [queries]
    assert ("Vary" in without[1]) == (address == "/private/")


def test_a_page_that_nobody_signed_in_for_stays_one_that_a_cache_may_share(visit: Visit, reports: list[Report]) -> None:
    with override_settings(MIDDLEWARE=[project.MIDDLEWARE, *SESSIONS]):
        etag = visit("/public/")[1]["ETag"]
        status, _, body, texts = visit("/public/", **{"if-none-match": etag})
    assert (status, body, len(texts)) == (304, b"", 1)
    assert len(reports) == 2


def test_statements_from_inside_a_wrapper_are_counted_each_once(visit: Visit, reports: list[Report]) -> None:
    middleware = [*SESSIONS, f"{__name__}.signing"]
    with override_settings(MIDDLEWARE=middleware):
        without = visit("/private/")
    with override_settings(MIDDLEWARE=[project.MIDDLEWARE, *middleware]):
        for _ in range(3):
            assert visit("/private/") == without
    sent = len(without[3])
    assert sent >= 3
    assert [(report.profile.query_count, report.findings) for report in reports] == [(sent, ())] * 3
    assert connection.execute_wrappers == [record_statement]
