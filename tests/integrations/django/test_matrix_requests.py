"""Where a statement of a request runs, and that it is seen there: threads, tasks, streams; against the account of what was sent."""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from dbprofile import Profile, Profiler, Report, current_scope
from dbprofile.capture.profile import database_seconds
from tests.integrations.django.account import Account
from tests.integrations.django.serving import Answer, over_asgi, over_wsgi, steps_over_wsgi
from tests.integrations.django.shop.models import Customer, Order

pytestmark = [pytest.mark.usefixtures("account"), pytest.mark.urls(__name__)]

ORDERS = 5


def count_and_close() -> str:
    """What a thread of the application's own does: it owns its connection, and closes it."""
    try:
        return str(Order.objects.count())
    finally:
        connection.close()


# --- the pages ------------------------------------------------------------------------------------------------------


def sync_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Order.objects.get(note="Note 1").note)


async def async_view(request: HttpRequest) -> HttpResponse:
    order = await Order.objects.aget(note="Note 1")
    return HttpResponse(order.note)


async def gathering_view(request: HttpRequest) -> HttpResponse:
    async def read(note: str) -> str:
        order = await Order.objects.aget(note=note)
        return str(order.note)

    return HttpResponse(",".join(await asyncio.gather(read("Note 1"), read("Note 2"))))


async def bare_gathering_view(request: HttpRequest) -> HttpResponse:
    orders = await asyncio.gather(Order.objects.aget(note="Note 1"), Order.objects.aget(note="Note 2"))
    return HttpResponse(",".join(order.note for order in orders))


async def parallel_view(request: HttpRequest) -> HttpResponse:
    together = threading.Barrier(3, timeout=10)

    def read() -> str:
        together.wait()
        return count_and_close()

    reading = sync_to_async(read, thread_sensitive=False)
    return HttpResponse(",".join(await asyncio.gather(reading(), reading(), reading())))


async def free_thread_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await sync_to_async(count_and_close, thread_sensitive=False)())


async def to_thread_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse(await asyncio.to_thread(count_and_close))


def copied_context_view(request: HttpRequest) -> HttpResponse:
    with ThreadPoolExecutor(1) as pool:
        return HttpResponse(pool.submit(contextvars.copy_context().run, count_and_close).result())


def bare_pool_view(request: HttpRequest) -> HttpResponse:
    with ThreadPoolExecutor(1, thread_name_prefix="bare") as pool:
        return HttpResponse(pool.submit(count_and_close).result())


async def bare_executor_view(request: HttpRequest) -> HttpResponse:
    with ThreadPoolExecutor(1, thread_name_prefix="bare") as pool:
        return HttpResponse(await asyncio.get_running_loop().run_in_executor(pool, count_and_close))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        for order in Order.objects.order_by("pk"):
            yield order.customer.name

    return StreamingHttpResponse(body())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        async for order in Order.objects.order_by("pk"):
            customer = await Customer.objects.aget(pk=order.customer_id)
            yield customer.name

    return StreamingHttpResponse(body())


_answered = threading.Event()
_outliving: list[threading.Thread] = []


def outlived_view(request: HttpRequest) -> HttpResponse:
    """Starts a thread that carries the request's context, and works when the request is over."""

    def work() -> None:
        _answered.wait(10)
        count_and_close()

    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,), name="outliving")
    _outliving.append(thread)
    thread.start()
    return HttpResponse("begun")


PAGES: dict[str, Callable[..., Any]] = {
    "sync": sync_view,
    "async": async_view,
    "gathering": gathering_view,
    "bare-gathering": bare_gathering_view,
    "parallel": parallel_view,
    "free-thread": free_thread_view,
    "to-thread": to_thread_view,
    "copied-context": copied_context_view,
    "bare-pool": bare_pool_view,
    "bare-executor": bare_executor_view,
    "outlived": outlived_view,
    "stream": stream,
    "async-stream": async_stream,
}
urlpatterns = [path(f"{name}/", page) for name, page in PAGES.items()]


SERVERS = {"wsgi": lambda address: over_wsgi(address), "asgi": lambda address: asyncio.run(over_asgi(address))}
both_servers = pytest.mark.parametrize("serve", SERVERS.values(), ids=SERVERS)
Serve = Callable[[str], Answer]


def the_profile(reports: list[Report]) -> Profile:
    (report,) = reports
    return report.profile


def line_of(view: Callable[..., object], text: str) -> int:
    lines, first = inspect.getsourcelines(view)
    return next(first + number for number, line in enumerate(lines) if text in line)


# --- a view ---------------------------------------------------------------------------------------------------------


@both_servers
@pytest.mark.parametrize(
    ("page", "text"), [("sync", "Order.objects.get"), ("async", "aget")], ids=["sync view", "async view"]
)
def test_the_statement_of_a_view(serve: Serve, page: str, text: str, account: Account, reports: list[Report]) -> None:
    assert serve(f"/{page}/").body == b"Note 1"
    profile = the_profile(reports)
    assert account.sent() == ["SELECT shop_order"]
    assert account.unseen(profile) == []
    (query,) = profile.counted
    assert (query.rows, query.error, query.phase, query.on_loop) == (1, None, "handling", False)
    assert query.call_site is not None
    assert query.call_site.function.endswith(PAGES[page].__name__)
    assert query.call_site.line == line_of(PAGES[page], text)
    assert profile.labels["http.response.status_code"] == 200
    assert (profile.untracked, profile.late) == ({}, {})


@pytest.mark.parametrize(
    ("page", "function", "text"),
    [
        ("gathering", "gathering_view.<locals>.read", "aget"),
        ("bare-gathering", "bare_gathering_view", "gather("),
    ],
)
def test_statements_that_are_gathered_have_the_line_that_awaits_them(
    page: str, function: str, text: str, account: Account, reports: list[Report]
) -> None:
    assert asyncio.run(over_asgi(f"/{page}/")).body == b"Note 1,Note 2"
    profile = the_profile(reports)
    assert account.unseen(profile) == []
    assert [query.rows for query in profile.counted] == [1, 1]
    sites = {(query.call_site.function, query.call_site.line) for query in profile.counted if query.call_site}
    assert sites == {(function, line_of(PAGES[page], text))}


def test_database_time_is_the_union_of_what_ran_at_once(account: Account, reports: list[Report]) -> None:
    assert asyncio.run(over_asgi("/parallel/")).body == b"5,5,5"
    profile = the_profile(reports)
    assert account.unseen(profile) == []
    assert len({query.lane for query in profile.counted}) == 3
    assert profile.database_seconds == pytest.approx(_union(profile), rel=1e-6)
    assert profile.database_seconds <= profile.execute_seconds + profile.fetch_seconds + 1e-9
    assert profile.database_seconds <= profile.seconds
    assert profile.database_seconds == database_seconds(profile.queries)


def _union(profile: Profile) -> float:
    """Nanosecond by nanosecond boundary, and not by sorting: another way to the same number."""
    spans = [(query.started, query.started + round(query.seconds * 1e9)) for query in profile.queries]
    spans += [
        (query.fetch_started, query.fetch_started + round(query.fetch_seconds * 1e9))
        for query in profile.queries
        if query.fetch_started
    ]
    points = sorted({point for span in spans for point in span})
    return sum(
        (end - start) / 1e9
        for start, end in pairwise(points)
        if any(begun <= start and end <= over for begun, over in spans)
    )


# --- threads --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["free-thread", "to-thread"])
def test_a_thread_that_carries_the_context_of_a_coroutine(page: str, account: Account, reports: list[Report]) -> None:
    assert asyncio.run(over_asgi(f"/{page}/")).body == b"5"
    _check_one_in_lane_1(account, the_profile(reports))


@both_servers
def test_a_pool_that_is_given_a_copied_context(serve: Serve, account: Account, reports: list[Report]) -> None:
    assert serve("/copied-context/").body == b"5"
    (query,) = _check_one(account, the_profile(reports))
    assert query.thread is not None
    assert query.lane > 0


def _check_one(account: Account, profile: Profile) -> Any:
    assert account.unseen(profile) == []
    assert profile.query_count == 1
    assert (profile.untracked, profile.late) == ({}, {})
    return profile.counted


def _check_one_in_lane_1(account: Account, profile: Profile) -> None:
    (query,) = _check_one(account, profile)
    assert query.lane == 1


BARE = [("wsgi", "bare-pool"), ("asgi", "bare-pool"), ("asgi", "bare-executor")]


@pytest.mark.parametrize(("server", "page"), BARE)
def test_a_bare_thread_is_untracked_and_said_so(
    server: str, page: str, account: Account, reports: list[Report]
) -> None:
    assert SERVERS[server](f"/{page}/").body == b"5"
    profile = the_profile(reports)
    assert profile.query_count == 0
    assert account.unseen(profile) == ["SELECT shop_order"]
    assert list(profile.untracked.values()) == [1]
    assert next(iter(profile.untracked)).startswith("bare")


@pytest.mark.parametrize(("server", "page"), BARE)
def test_a_bare_thread_is_seen_where_threads_are_followed(server: str, page: str, account: Account) -> None:
    delivered: list[Report] = []
    with (
        Profiler(sinks=[delivered.append], follow_threads=True) as profiler,
        override_settings(DBPROFILE={"profiler": profiler}),
    ):
        assert SERVERS[server](f"/{page}/").body == b"5"
    (query,) = _check_one(account, the_profile(delivered))
    assert query.lane > 0


@pytest.mark.parametrize(("server", "page"), BARE)
def test_a_bare_thread_is_seen_by_a_scope_of_the_process(
    server: str, page: str, account: Account, reports: list[Report]
) -> None:
    profiler = Profiler()
    with profiler.scope("test", "test", reach="process") as test:
        assert SERVERS[server](f"/{page}/").body == b"5"
    profile = test.profile()
    assert profile.query_count == 1
    assert account.unseen(profile) == []
    assert the_profile(reports).query_count == 0


@both_servers
def test_a_thread_that_outlives_its_request_is_late_and_said_so(
    serve: Serve, account: Account, reports: list[Report]
) -> None:
    _answered.clear()
    beside = Profiler().scope("block", "beside")  # open meanwhile, and nobody's current one
    assert serve("/outlived/").body == b"begun"
    _answered.set()
    _outliving.pop().join()
    assert the_profile(reports).query_count == 0
    assert account.unseen(the_profile(reports), beside.profile()) == ["SELECT shop_order"]
    assert beside.profile().late == {"GET /outlived/ (outliving)": 1}
    assert beside.profile().untracked == {}
    beside.close()


# --- streams --------------------------------------------------------------------------------------------------------


def _check_stream(account: Account, reports: list[Report], queries: int) -> None:
    profile = the_profile(reports)
    assert account.unseen(profile) == []
    assert profile.query_count == queries
    assert {query.phase for query in profile.counted} == {"streaming"}
    assert (profile.untracked, profile.late) == ({}, {})
    assert current_scope() is None


def test_a_stream_over_wsgi_is_seen_to_its_end(account: Account, reports: list[Report]) -> None:
    assert over_wsgi("/stream/").body.startswith(b"Customer 1Customer 2")
    _check_stream(account, reports, 1 + ORDERS)


def test_a_stream_over_wsgi_that_is_closed_early_is_seen_so_far(account: Account, reports: list[Report]) -> None:
    steps: Any = steps_over_wsgi("/stream/", Answer())
    assert [next(steps), next(steps)] == [b"Customer 1", b"Customer 2"]
    assert not reports
    steps.close()
    _check_stream(account, reports, 1 + 2)


@contextmanager
def told_of_synchronous_streams() -> Iterator[None]:
    with pytest.warns(Warning, match="must consume synchronous iterators"):
        yield


def test_a_synchronous_stream_over_asgi_is_seen_to_its_end(account: Account, reports: list[Report]) -> None:
    with told_of_synchronous_streams():
        assert asyncio.run(over_asgi("/stream/")).body.startswith(b"Customer 1Customer 2")
    _check_stream(account, reports, 1 + ORDERS)


def test_an_asynchronous_stream_over_asgi_is_seen_to_its_end(account: Account, reports: list[Report]) -> None:
    assert asyncio.run(over_asgi("/async-stream/")).body.startswith(b"Customer 1Customer 2")
    _check_stream(account, reports, 1 + ORDERS)
    sites = {query.call_site.function for query in the_profile(reports).counted if query.call_site}
    assert sites == {"async_stream.<locals>.body"}


def test_a_client_that_goes_away_ends_an_asynchronous_stream_once(account: Account, reports: list[Report]) -> None:
    answer = asyncio.run(over_asgi("/async-stream/", leave_after=2))
    assert answer.parts == [b"Customer 1", b"Customer 2"]
    _check_stream(account, reports, 1 + 2)


def test_a_client_that_goes_away_ends_a_synchronous_stream_once(account: Account, reports: list[Report]) -> None:
    with told_of_synchronous_streams():
        asyncio.run(over_asgi("/stream/", leave_after=2))
    _check_stream(account, reports, 1 + ORDERS)  # Django reads it whole before it sends the first part
