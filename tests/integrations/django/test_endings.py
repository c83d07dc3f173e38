"""A request is handed over once, whatever becomes of the response that the middleware returned."""

import asyncio
import copy
import gc
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path

from dbprofile import Report, current_scope
from dbprofile_django import ProfileMiddleware
from dbprofile_django.endings import end_dropped
from tests.integrations.django import project
from tests.integrations.django.shop import views
from tests.integrations.django.shop.models import Order

pytestmark = [pytest.mark.usefixtures("shop"), pytest.mark.urls(__name__)]

_lasting = HttpResponse("the same object for every request")


def lasting(request: HttpRequest) -> HttpResponse:
    Order.objects.count()
    return _lasting


def missing(request: HttpRequest) -> HttpResponse:
    Order.objects.count()
    return HttpResponse("not here", status=404)


def twice(request: HttpRequest) -> HttpResponse:
    Order.objects.count()
    Client().get("/count/")
    return HttpResponse("outer")


def handed_on(request: HttpRequest) -> HttpResponse:
    """A batch of requests in one, each of them a copy with another path."""
    handler = BaseHandler()
    handler.load_middleware()
    inner = copy.copy(request)
    inner.path = inner.path_info = "/count/"
    handler.get_response(inner).close()
    Order.objects.count()
    return HttpResponse("outer")


def count(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Order.objects.count()) * 500)


async def async_count(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await Order.objects.acount()))


urlpatterns = [
    path("count/", count),
    path("async/count/", async_count),
    path("stream/", views.stream),
    path("async/stream/", views.async_stream),
    path("file/", views.file),
    path("lasting/", lasting),
    path("missing", missing),
    path("missing/", missing),
    path("twice/", twice),
    path("handed/on/", handed_on),
]


class Outer:
    """Middleware outside ours, with one thing that it does to a response."""

    sync_capable = async_capable = True
    kept: ClassVar[list[object]] = []

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        if iscoroutinefunction(self):
            return self._respond(request)
        return self.change(self.get_response(request))

    async def _respond(self, request: HttpRequest) -> HttpResponse:
        return self.change(await self.get_response(request))

    def change(self, response: Any) -> HttpResponse:
        raise NotImplementedError


class Replacing(Outer):
    def change(self, response: Any) -> HttpResponse:
        return HttpResponse("another")


class ReplacingAndKeeping(Outer):
    """The first response is alive for as long as anybody asks."""

    def change(self, response: Any) -> HttpResponse:
        self.kept.append(response)
        return HttpResponse("another")


class ReplacingAndClosing(Outer):
    def change(self, response: Any) -> HttpResponse:
        response.close()
        return HttpResponse("another")


class ReplacingInACycle(Outer):
    """Only the garbage collector will find the first response."""

    def change(self, response: Any) -> HttpResponse:
        response.itself = response
        return HttpResponse("another")


class Failing(Outer):
    def change(self, response: Any) -> HttpResponse:
        raise LookupError("after the view")


class Redirecting(Outer):
    def change(self, response: Any) -> HttpResponse:
        return HttpResponseRedirect("/elsewhere/")


OURS = [f"{__name__}.{kind.__name__}" for kind in Outer.__subclasses__()]
DJANGOS = [
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.middleware.security.SecurityMiddleware",
]


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    Outer.kept.clear()
    end_dropped()


def outside(name: str) -> Any:
    return override_settings(MIDDLEWARE=[name, project.MIDDLEWARE])


def _names(reports: list[Report]) -> list[str]:
    return [report.profile.name for report in reports]


def _settle(middleware: str) -> None:
    """Come to the point at which a request is over, whatever became of its response."""
    if middleware.endswith("Cycle"):
        gc.collect()
    end_dropped()


@pytest.mark.parametrize("middleware", [*OURS, *DJANGOS])
def test_a_response_replaced_outside_us_is_delivered_once(middleware: str, reports: list[Report]) -> None:
    with outside(middleware):
        client = Client(raise_request_exception=False, headers={"accept-encoding": "gzip"})
        for address in ("/count/", "/stream/", "/file/", "/async/count/", "/count/"):
            reports.clear()
            response: Any = client.get(address)
            if response.streaming:
                response.getvalue()
            _settle(middleware)
            assert _names(reports) == [f"GET {address}"]
    assert current_scope() is None


@pytest.mark.parametrize("middleware", [*OURS, *DJANGOS])
async def test_a_response_replaced_outside_us_on_an_asynchronous_server(middleware: str, reports: list[Report]) -> None:
    with outside(middleware):
        client = AsyncClient(raise_request_exception=False)
        for address in ("/count/", "/async/count/", "/async/stream/"):
            reports.clear()
            response: Any = await client.get(address)
            if response.streaming:
                async for _ in response.streaming_content:
                    pass
            _settle(middleware)
            assert _names(reports) == [f"GET {address}"]


@pytest.mark.parametrize("middleware", [f"{__name__}.Replacing", f"{__name__}.ReplacingAndKeeping"])
def test_a_replaced_response_is_delivered_as_the_request_ends(middleware: str, reports: list[Report]) -> None:
    with outside(middleware):
        Client().get("/count/")
    assert len(reports) == 1, "it waits for another request"


def test_a_response_that_was_not_modified_is_delivered_with_the_status_of_the_view(reports: list[Report]) -> None:
    with outside(DJANGOS[0]):
        first = Client().get("/count/")
        second = Client(headers={"if-none-match": first.headers["etag"]}).get("/count/")
    assert second.status_code == 304
    assert [report.profile.labels["http.response.status_code"] for report in reports] == [200, 200]


def test_a_missing_page_that_is_redirected_is_delivered(reports: list[Report]) -> None:
    with override_settings(APPEND_SLASH=True), outside(DJANGOS[3]):
        assert Client().get("/missing").status_code in {301, 404}
    assert _names(reports) == ["GET /missing"]


def test_a_page_out_of_the_cache_is_no_request_of_ours(reports: list[Report]) -> None:
    caching = ["django.middleware.cache.UpdateCacheMiddleware", "django.middleware.cache.FetchFromCacheMiddleware"]
    with override_settings(MIDDLEWARE=[*caching, project.MIDDLEWARE]):
        first, second = Client().get("/count/"), Client().get("/count/")
    assert first.content == second.content
    assert len(reports) == 1


def test_one_response_object_for_all_requests_ends_each_of_them(reports: list[Report]) -> None:
    for _ in range(3):
        Client().get("/lasting/")
    assert _names(reports) == ["GET /lasting/"] * 3


def test_a_request_inside_another_ends_alone(reports: list[Report]) -> None:
    Client().get("/twice/")
    assert [(report.profile.name, report.profile.query_count) for report in reports] == [
        ("GET /count/", 1),
        ("GET /twice/", 2),
    ]


def test_a_request_handed_on_to_another_view_is_one_request(reports: list[Report]) -> None:
    Client().get("/handed/on/")
    assert [(report.profile.name, report.profile.query_count) for report in reports] == [("GET /handed/on/", 2)]


def test_the_middleware_standing_there_twice_profiles_a_request_once(reports: list[Report]) -> None:
    with override_settings(MIDDLEWARE=[project.MIDDLEWARE, project.MIDDLEWARE]):
        Client().get("/count/")
    assert [report.profile.query_count for report in reports] == [1]


def _dropped(request: HttpRequest) -> None:
    """A response that nobody closes, of a request that nobody closes."""
    ProfileMiddleware(count)(request)


def test_a_response_that_is_never_closed_is_delivered_before_the_next_request(reports: list[Report]) -> None:
    _dropped(RequestFactory().get("/count/"))
    Client().get("/lasting/")
    assert _names(reports) == ["GET /count/", "GET /lasting/"]


def test_the_time_until_a_dropped_response_is_noticed_is_not_the_requests(reports: list[Report]) -> None:
    _dropped(RequestFactory().get("/count/"))
    threading.Event().wait(0.05)
    end_dropped()
    assert reports[0].profile.seconds < 0.05


def test_a_response_found_by_the_garbage_collector_is_not_delivered_in_its_midst(reports: list[Report]) -> None:
    response: Any = ProfileMiddleware(count)(RequestFactory().get("/count/"))
    response.itself = response
    del response
    gc.collect()
    assert not reports, "a sink was called inside a collection, where its lock may be held"
    end_dropped()
    assert len(reports) == 1


async def test_a_request_cancelled_after_its_response_was_made_is_delivered(reports: list[Report]) -> None:
    waiting = asyncio.Event()
    inner = ProfileMiddleware(async_count)

    async def outer(request: HttpRequest) -> None:
        await inner(request)  # type: ignore[misc]
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(outer(RequestFactory().get("/async/count/")))
    await waiting.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    del task
    end_dropped()
    assert _names(reports) == ["GET /async/count/"]


async def test_a_request_cancelled_in_its_view_is_delivered(reports: list[Report]) -> None:
    waiting = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        await Order.objects.acount()
        waiting.set()
        await asyncio.Event().wait()
        return HttpResponse()

    task = asyncio.ensure_future(ProfileMiddleware(view)(RequestFactory().get("/")))  # type: ignore[arg-type]
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (report,) = reports
    assert report.profile.labels["error.type"] == "CancelledError"
    assert report.profile.query_count == 1


def test_a_streamed_response_dropped_before_its_first_step_is_delivered(reports: list[Report]) -> None:
    def body() -> Iterator[bytes]:
        yield b"never asked for"

    ProfileMiddleware(lambda _: StreamingHttpResponse(body()))(RequestFactory().get("/"))
    gc.collect()
    end_dropped()
    assert len(reports) == 1


async def test_an_asynchronous_body_dropped_half_way_is_delivered(reports: list[Report]) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"first"
        yield b"second"

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(body())

    response: Any = await ProfileMiddleware(view)(RequestFactory().get("/"))  # type: ignore[misc]
    steps = aiter(response.streaming_content)
    assert await anext(steps) == b"first"
    await steps.aclose()
    del response, steps
    gc.collect()
    end_dropped()
    assert len(reports) == 1


def test_a_response_that_is_kept_and_never_closed_is_delivered_with_the_process() -> None:
    program = """
        import dbprofile, django
        from django.conf import settings
        delivered = []
        settings.configure(
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            DBPROFILE={"profiler": dbprofile.Profiler(sinks=[lambda report: print(report.profile.name)])},
        )
        django.setup()
        from django.http import HttpResponse
        from django.test import RequestFactory
        from dbprofile_django import ProfileMiddleware
        kept = ProfileMiddleware(lambda request: HttpResponse())(RequestFactory().get("/kept/"))
        print("over")
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split("\n") == ["over", "GET /kept/", ""]
