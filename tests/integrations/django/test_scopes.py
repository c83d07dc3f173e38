"""A scope for each request: named by its route, open until the last byte, in synchronous and asynchronous applications."""

import asyncio
import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.exceptions import MiddlewareNotUsed
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import ResolverMatch

import dbprofile_asgi
import dbprofile_wsgi
from dbprofile import ConfigurationError, Profiler, Report, Scope, current_scope, set_default_profiler
from dbprofile_django import ProfileMiddleware
from tests.integrations.django import project
from tests.integrations.django.shop import views
from tests.integrations.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("shop")


def the_report(reports: list[Report]) -> Report:
    (report,) = reports
    return report


def _is_open(scope: Scope) -> bool:
    return scope.open


def middleware() -> ProfileMiddleware:
    return ProfileMiddleware(lambda _: HttpResponse())


def test_a_request_is_named_by_its_route(reports: list[Report]) -> None:
    Client().get("/orders/7/")
    profile = the_report(reports).profile
    assert (profile.kind, profile.name) == ("request", "GET /orders/<int:number>/")
    assert dict(profile.labels) == {
        "http.request.method": "GET",
        "http.route": "/orders/<int:number>/",
        "http.response.status_code": 200,
    }
    assert profile.query_count == 1


def test_the_mark_at_the_start_of_a_regular_expression_is_no_part_of_the_name(reports: list[Report]) -> None:
    Client().get("/regular/7/")
    assert the_report(reports).profile.name == "GET /regular/(?P<number>[0-9]+)/$"


def test_a_request_without_a_route_is_shown_by_its_path_and_has_no_label_of_it(reports: list[Report]) -> None:
    Client().get("/nothing/here/")
    profile = the_report(reports).profile
    assert profile.name == "GET /nothing/here/"
    assert "http.route" not in profile.labels
    assert profile.labels["http.response.status_code"] == 404


def test_a_head_request_is_an_ordinary_one(reports: list[Report]) -> None:
    Client().head("/orders/7/")
    assert the_report(reports).profile.name == "HEAD /orders/<int:number>/"


@pytest.mark.parametrize("address", ["/broken/", "/async/broken/"])
def test_an_exception_in_a_view_is_a_status_500(reports: list[Report], address: str) -> None:
    assert Client(raise_request_exception=False).get(address).status_code == 500
    profile = the_report(reports).profile
    assert profile.labels["http.response.status_code"] == 500
    assert profile.query_count == 1


def test_the_scope_is_on_the_request(reports: list[Report]) -> None:
    seen: list[object] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request.dbprofile)  # type: ignore[attr-defined]
        seen.append(current_scope())
        return HttpResponse()

    response = ProfileMiddleware(view)(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    scope, current = seen
    assert isinstance(scope, Scope)
    assert scope is current
    assert not reports
    assert _is_open(scope)
    response.close()
    assert not _is_open(scope)
    assert current_scope() is None
    assert len(reports) == 1


def test_a_response_is_pickled_by_a_cache_that_stands_outside(reports: list[Report]) -> None:
    response = middleware()(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    pickled = pickle.dumps(response)
    assert b"dbprofile" not in pickled
    copy = pickle.loads(pickled)
    copy.close()
    assert copy.closed
    assert not reports
    response.close()
    assert len(reports) == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda request: pickle.loads(pickle.dumps(request))])
def test_a_view_may_copy_its_request_and_close_the_copy(
    reports: list[Report], copied: Callable[[HttpRequest], HttpRequest]
) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        copied(request).close()
        return HttpResponse(str(Order.objects.count()))

    response = ProfileMiddleware(view)(RequestFactory().get("/"))
    assert isinstance(response, HttpResponse)
    response.close()
    assert the_report(reports).profile.query_count == 1


def test_a_match_without_a_route_has_no_name_and_still_ends(reports: list[Report]) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        request.resolver_match = ResolverMatch(view, (), {})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        ProfileMiddleware(view)(RequestFactory().get("/unnamed/"))
    assert the_report(reports).profile.name == "GET /unnamed/"


def test_nothing_is_delivered_before_the_response_is_closed(reports: list[Report]) -> None:
    response = Client().get("/stream/")
    assert not reports
    assert response.getvalue().startswith(b"Customer 1")
    assert the_report(reports).profile.query_count == 6


def test_a_streamed_body_runs_in_its_scope(reports: list[Report]) -> None:
    Client().get("/stream/").getvalue()
    report = the_report(reports)
    assert {query.phase for query in report.profile.queries} == {"streaming"}
    (finding,) = report.findings
    assert finding.subject == "Order.customer"


def test_a_streamed_body_that_is_closed_early_ends_its_scope(reports: list[Report]) -> None:
    response: Any = Client().get("/stream/")
    body: Iterator[bytes] = iter(response.streaming_content)
    next(body)
    response.close()
    assert the_report(reports).profile.query_count == 2
    assert current_scope() is None


def test_what_a_body_does_at_its_end_belongs_to_its_scope(reports: list[Report]) -> None:
    def body() -> Iterator[bytes]:
        try:
            yield b"first"
            yield b"second"
        finally:
            Order.objects.count()

    response: Any = ProfileMiddleware(lambda _: StreamingHttpResponse(body()))(RequestFactory().get("/"))
    assert next(iter(response.streaming_content)) == b"first"
    response.close()
    assert the_report(reports).profile.query_count == 1


async def test_an_asynchronous_body_runs_in_its_scope(reports: list[Report]) -> None:
    response: Any = await AsyncClient().get("/async/stream/")
    assert len([part async for part in response.streaming_content]) == 5
    report = the_report(reports)
    assert report.profile.query_count == 1
    assert {query.phase for query in report.profile.queries} == {"streaming"}


def test_a_file_is_left_to_the_server(reports: list[Report]) -> None:
    response: Any = ProfileMiddleware(views.file)(RequestFactory().get("/file/"))
    assert response.file_to_stream is not None
    assert response.getvalue() == b"content"
    response.close()
    assert the_report(reports).profile.query_count == 1


async def test_an_asynchronous_request_is_a_scope_too(reports: list[Report]) -> None:
    response = await AsyncClient().get("/async/orders/")
    assert response.content.startswith(b"Customer 1")
    report = the_report(reports)
    assert report.profile.name == "GET /async/orders/"
    assert report.profile.query_count == 6
    (finding,) = report.findings
    assert finding.code == "DBP102"
    assert finding.trigger is not None
    assert finding.trigger.function == "async_order_list"


async def test_a_synchronous_view_of_an_asynchronous_server(reports: list[Report]) -> None:
    await AsyncClient().get("/orders/")
    (finding,) = the_report(reports).findings
    assert finding.subject == "Order.customer"
    assert finding.trigger is not None
    assert finding.trigger.function.startswith("order_list")


def test_an_asynchronous_view_of_a_synchronous_server(reports: list[Report]) -> None:
    Client().get("/async/orders/")
    report = the_report(reports)
    assert report.profile.query_count == 6


@override_settings(
    MIDDLEWARE=[
        project.MIDDLEWARE,
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
)
def test_session_and_user_are_counted_but_no_matter_of_the_application(reports: list[Report]) -> None:
    client = Client()
    client.force_login(User.objects.create_user("someone"))
    client.get("/session/")
    kinds = [query.provenance.infrastructure for query in the_report(reports).profile.queries if query.provenance]
    assert kinds.count("session") == 1
    assert kinds.count("user") == 1
    assert the_report(reports).profile.query_count >= 3
    User.objects.all().delete()


def _round_wsgi(profiler: Profiler) -> bytes:
    environ: dict[str, Any] = {"PATH_INFO": "/orders/7/"}
    setup_testing_defaults(environ)
    body: Any = dbprofile_wsgi.ProfileMiddleware(get_wsgi_application(), profiler=profiler)(environ, lambda *_: print)
    try:
        return b"".join(body)
    finally:
        body.close()


def _round_asgi(profiler: Profiler) -> bytes:
    handler: Any = get_asgi_application()
    app: Any = dbprofile_asgi.ProfileMiddleware(handler, profiler=profiler)

    async def visit() -> bytes:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop") as client:
            return (await client.get("/orders/7/")).content

    return asyncio.run(visit())


@pytest.mark.parametrize("served", [_round_wsgi, _round_asgi], ids=["wsgi", "asgi"])
def test_middleware_round_the_application_leaves_it_one_request_with_its_route(
    served: Callable[[Profiler], bytes],
) -> None:
    delivered: list[Report] = []
    profiler = Profiler(sinks=[delivered.append])
    with override_settings(DBPROFILE={"profiler": profiler}):
        assert served(profiler) in {b"0", b"1"}
    assert [(report.profile.name, report.profile.query_count) for report in delivered] == [
        ("GET /orders/<int:number>/", 1)
    ]


# --- whether there is a scope at all --------------------------------------------------------------------------------


@pytest.fixture
def no_default() -> Iterator[None]:
    set_default_profiler(None)
    yield
    set_default_profiler(None)


@pytest.mark.usefixtures("no_default")
def test_without_debug_sinks_or_a_test_the_middleware_takes_itself_out() -> None:
    with override_settings(DBPROFILE={}), pytest.raises(MiddlewareNotUsed):
        middleware()
    with override_settings(DBPROFILE={"enabled": False, "debug": True}), pytest.raises(MiddlewareNotUsed):
        middleware()


@pytest.mark.usefixtures("no_default")
def test_the_middleware_stays_for_a_test_that_listens() -> None:
    with override_settings(DBPROFILE={}), Profiler().scope("test", "a test", reach="process"):
        assert middleware().sync_capable


@pytest.mark.usefixtures("no_default")
def test_debug_is_a_person_who_watches() -> None:
    with override_settings(DBPROFILE={}, DEBUG=True):
        assert middleware().sync_capable


def test_a_path_that_is_left_out_has_no_scope() -> None:
    delivered: list[Report] = []
    profiler = Profiler(sinks=[delivered.append], exclude=["/orders/*"])
    with override_settings(DBPROFILE={"profiler": profiler}):
        Client().get("/orders/7/")
        Client().get("/nothing/")
    assert [report.profile.name for report in delivered] == ["GET /nothing/"]


by_hand = Profiler(sinks=[lambda _: None])


def test_a_profiler_may_be_named_by_its_dotted_path() -> None:
    with override_settings(DBPROFILE={"profiler": f"{__name__}.by_hand"}):
        assert middleware().sync_capable


@pytest.mark.usefixtures("no_default")
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"slow_mss": 100}, "Did you mean 'slow_ms'"),
        ({"slow_ms": "fast"}, "slow_ms='fast'"),
        ({"profiler": "nowhere.profiler"}, "'nowhere.profiler'"),
        ("on", "write a dictionary"),
    ],
    ids=["unknown key", "wrong type", "no such profiler", "no dictionary"],
)
def test_a_mistake_in_the_settings_is_told_when_django_loads_its_middleware(given: object, message: str) -> None:
    with override_settings(DBPROFILE={"profiler": by_hand}):
        assert middleware().sync_capable  # the settings have been read once
        with pytest.raises(ConfigurationError, match=message), override_settings(DBPROFILE=given):
            pytest.fail("a wrong setting was let through")


def test_a_sampled_request_passes_untouched() -> None:
    delivered: list[Report] = []
    with override_settings(DBPROFILE={"profiler": Profiler(sinks=[delivered.append], sample=0.0)}):
        assert Client().get("/orders/7/").status_code == 200
    assert delivered == []


def test_the_scope_settles_before_the_middleware_returns() -> None:
    settled: list[str] = []

    class Sink:
        def __call__(self, report: Report) -> None:
            settled.append("delivered")

        def unit_done(self, scope: Scope) -> None:
            settled.append(scope.name)

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(Order.objects.count()))

    with override_settings(DBPROFILE={"profiler": Profiler(sinks=[Sink()])}):
        response = ProfileMiddleware(view)(RequestFactory().get("/here/"))
        assert settled == ["GET /here/"]
        assert isinstance(response, HttpResponse)
        response.close()
    assert settled == ["GET /here/", "delivered"]
