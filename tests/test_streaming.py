import asyncio
import contextvars
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

import pytest

from dbprofile import Profiler, Report, current_scope
from dbprofile.streaming import (
    AsyncBody,
    Body,
    Scope,
    answered,
    carried,
    enter,
    failed,
    finish,
    leave,
    open_request,
    open_scope,
    path_of,
    routed,
    sent,
    serve,
)
from tests.sources import Connection, shop


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def profiler(reports: list[Report]) -> Profiler:
    return Profiler(sinks=[reports.append])


@pytest.fixture
def database() -> Iterator[Connection]:
    with shop() as connection:
        yield connection


def request(profiler: Profiler, method: str = "GET", path: str = "/orders/7") -> Scope:
    scope = open_request(profiler, method, path)
    assert scope is not None
    return scope


def phases(report: Report) -> list[str]:
    return [query.phase for query in report.profile.queries]


# --- opening --------------------------------------------------------------------------------------------------------


def test_a_request_is_shown_by_its_path_until_its_route_is_known(profiler: Profiler) -> None:
    scope = request(profiler)
    assert scope.name == "GET /orders/7"
    assert scope.labels == {"http.request.method": "GET"}

    routed(scope, "GET", "/orders/{number}")
    assert scope.name == "GET /orders/{number}"
    assert scope.labels["http.route"] == "/orders/{number}"


def test_what_a_client_writes_as_method_is_no_label(profiler: Profiler) -> None:
    scope = request(profiler, "BREW", "/coffee")

    assert scope.name == "BREW /coffee"
    assert scope.labels == {"http.request.method": "_OTHER"}


def test_a_long_path_is_cut_where_it_is_shown(profiler: Profiler) -> None:
    scope = request(profiler, "GET", "/" + "x" * 5000)

    assert len(scope.name) == 200
    assert scope.name.endswith("xxx...")


def test_nothing_is_opened_where_nobody_would_hear_of_it(profiler: Profiler) -> None:
    assert open_request(Profiler(), "GET", "/") is None

    with profiler.scope("test", "a test round it", reach="process"):
        assert open_request(Profiler(), "GET", "/") is not None


def test_settings_leave_paths_out(reports: list[Report]) -> None:
    profiler = Profiler(sinks=[reports.append], exclude=["/health*"])

    assert open_request(profiler, "GET", "/healthz") is None
    assert open_scope(profiler, "message", "m", path="/health") is None
    assert open_request(profiler, "GET", "/") is not None


def test_an_exchange_is_one_unit_however_often_it_is_met(profiler: Profiler) -> None:
    exchange: dict[str, Any] = {"path": "/"}
    outer = open_request(profiler, "GET", "/", carrier=exchange)
    assert outer is not None
    assert open_request(profiler, "GET", "/", carrier=exchange) is None
    assert open_scope(profiler, "background", "WEBSOCKET /", path="/", carrier=exchange) is None
    assert carried(profiler, exchange) is outer
    assert carried(profiler, {"path": "/"}) is None
    assert carried(profiler, None) is None

    other = Profiler(sinks=[print])
    assert carried(other, exchange) is None
    assert open_request(other, "GET", "/", carrier=exchange) is not None, "whose sinks would hear of nothing"

    finish(outer)
    assert carried(profiler, exchange) is None
    assert open_request(profiler, "GET", "/", carrier=exchange) is not None


def test_the_path_of_a_wsgi_request_is_read_as_text() -> None:
    assert path_of({"SCRIPT_NAME": "/shop", "PATH_INFO": "/caf\u00c3\u00a9"}) == "/shop/café"
    assert path_of({}) == ""


# --- the course of a request ----------------------------------------------------------------------------------------


def test_an_exception_before_the_response_is_status_500(profiler: Profiler, reports: list[Report]) -> None:
    scope = request(profiler)
    failed(scope, KeyError("secret"))
    finish(scope)

    labels = reports[0].profile.labels
    assert (labels["http.response.status_code"], labels["error.type"]) == (500, "KeyError")
    assert "secret" not in repr(labels)


def test_an_exception_after_the_response_began_leaves_its_status(profiler: Profiler, reports: list[Report]) -> None:
    scope = request(profiler)
    answered(scope, 200)
    failed(scope, KeyError())
    finish(scope)

    labels = reports[0].profile.labels
    assert (labels["http.response.status_code"], labels["error.type"]) == (200, "KeyError")


def test_a_client_that_goes_away_is_no_failure_of_the_server(profiler: Profiler, reports: list[Report]) -> None:
    scope = request(profiler)
    failed(scope, asyncio.CancelledError())
    finish(scope)

    assert reports[0].profile.labels == {"http.request.method": "GET", "error.type": "CancelledError"}


def test_background_work_without_statements_is_not_told_and_takes_no_number(
    profiler: Profiler, reports: list[Report]
) -> None:
    for _ in range(2):
        scope = request(profiler)
        answered(scope, 200)
        sent(scope)
        finish(scope)

    first, second = (report.profile for report in reports)
    assert (first.kind, second.kind) == ("request", "request")
    assert second.number == first.number + 1


def test_background_work_is_told_by_the_request_it_belongs_to(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    scope = request(profiler)
    answered(scope, 200)
    sent(scope)
    sent(scope)
    step = enter(scope)
    database.execute("SELECT 1 FROM orders")
    leave(step)
    finish(scope)

    first, background = (report.profile for report in reports)
    assert background.name == first.name
    assert (background.kind, background.parent, background.query_count) == ("background", first.number, 1)
    assert "http.response.status_code" not in background.labels
    assert phases(reports[1]) == ["background"]


# --- bodies ---------------------------------------------------------------------------------------------------------


class Rows:
    """A body that asks the database for each item, and when it is closed."""

    def __init__(self, database: Connection) -> None:
        self.database = database
        self.left = 3
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        self.database.execute("SELECT 'begin' FROM orders")
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        self.left -= 1
        self.database.execute("SELECT 'item' FROM orders")
        return b"item"

    def close(self) -> None:
        self.closed += 1
        self.database.execute("SELECT 'close' FROM orders")


def test_each_step_of_a_body_runs_in_its_scope_and_nothing_between_the_steps(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    body = Body(Rows(database), request(profiler))

    for item in body:
        assert item == b"item"
        assert current_scope() is None
        database.execute("SELECT 'between' FROM orders")

    assert reports[0].profile.query_count == 4


def test_what_runs_when_an_exhausted_body_is_closed_is_background(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    rows = Rows(database)
    body = Body(rows, request(profiler))
    assert list(body) == [b"item"] * 3
    assert len(reports) == 1, "told as soon as the last byte is out"
    body.close()

    assert rows.closed == 1
    assert [(report.profile.kind, report.profile.query_count) for report in reports] == [
        ("request", 4),
        ("background", 1),
    ]


def test_a_body_closed_early_hands_over_once(profiler: Profiler, reports: list[Report], database: Connection) -> None:
    rows = Rows(database)
    scope = request(profiler)
    body = Body(rows, scope)
    next(body)
    body.close()
    body.close()

    assert rows.closed == 2, "what a server does to the body is done to the application's"
    assert [report.profile.query_count for report in reports] == [3]
    assert not scope.open


def test_a_body_that_fails_ends_its_scope_with_the_class_of_the_error(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    def rows() -> Iterator[bytes]:
        database.execute("SELECT 1 FROM orders")
        yield b"item"
        raise LookupError

    scope = request(profiler)
    answered(scope, 200)
    body = Body(rows(), scope)
    next(body)
    with pytest.raises(LookupError):
        next(body)
    body.close()

    assert [report.profile.labels["error.type"] for report in reports] == ["LookupError"]
    assert phases(reports[0]) == ["streaming"]


def test_a_body_without_close_is_closed(profiler: Profiler, reports: list[Report]) -> None:
    Body(iter([b"item"]), request(profiler)).close()

    assert len(reports) == 1


async def test_each_step_of_an_asynchronous_body_runs_in_its_scope(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    async def rows() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            database.execute("SELECT 1 FROM orders")
            yield b"item"

    body = AsyncBody(rows(), request(profiler))
    async for _ in body:
        assert current_scope() is None
        database.execute("SELECT 'between' FROM orders")
    await body.aclose()

    assert [report.profile.query_count for report in reports] == [3]


async def test_an_exhausted_asynchronous_body_hands_over_once_its_last_message_is_out(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    class Rows:
        left = 2

        def __aiter__(self) -> AsyncIterator[bytes]:
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            database.execute("SELECT 1 FROM orders")
            return b"item"

        async def aclose(self) -> None:
            database.execute("SELECT 'close' FROM orders")

    scope = request(profiler)
    body = AsyncBody(Rows(), scope)
    assert [item async for item in body] == [b"item"] * 2
    assert reports == [], "the last, empty message is not out yet"
    assert scope.stopped is not None, "what comes after is none of its time"
    await body.aclose()

    first, background = reports
    assert (first.profile.kind, first.profile.query_count) == ("request", 2)
    assert (background.profile.kind, background.profile.query_count) == ("background", 1)
    body.over()
    assert len(reports) == 2


async def test_an_asynchronous_body_closed_early_runs_its_finally_in_its_scope(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    async def rows() -> AsyncIterator[bytes]:
        try:
            yield b"item"
        finally:
            database.execute("SELECT 1 FROM orders")

    body = AsyncBody(rows(), request(profiler))
    await anext(body)
    await body.aclose()

    assert [report.profile.query_count for report in reports] == [1]


async def test_a_cancelled_asynchronous_body_ends_its_scope(profiler: Profiler, reports: list[Report]) -> None:
    waiting = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        waiting.set()
        await asyncio.Event().wait()
        yield b"never"

    body = AsyncBody(rows(), request(profiler))

    async def read() -> None:
        async for _ in body:
            pass

    task = asyncio.create_task(read())
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [report.profile.labels["error.type"] for report in reports] == ["CancelledError"]


# --- WSGI -----------------------------------------------------------------------------------------------------------


class FileWrapper:
    """What a server offers for files, and recognises by its class."""

    def __init__(self, file: object, size: int = 8192) -> None:
        self.file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"file",))


class Sized:
    """A body of one item that says so; servers compute the length of the response from that."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"item",))


class File:
    """A body that is a file."""

    def read(self, size: int = -1) -> bytes:
        return b""

    def __iter__(self) -> Iterator[bytes]:
        return iter(())


def responding(body: Iterable[bytes]) -> Callable[..., Iterable[bytes]]:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        return body

    return application


def start(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], object]:
    return lambda data: None


@pytest.mark.parametrize(
    "body", [[b"item"], (b"item",), Sized(), FileWrapper(None), File()], ids=lambda body: type(body).__name__
)
def test_a_body_that_the_server_looks_at_is_returned_as_it_is(
    profiler: Profiler, reports: list[Report], body: Iterable[bytes]
) -> None:
    returned = serve(responding(body), {"wsgi.file_wrapper": FileWrapper}, start, request(profiler))

    assert returned is body
    assert [report.profile.labels["http.response.status_code"] for report in reports] == [201]


def test_what_start_response_gets_and_returns_is_untouched(profiler: Profiler) -> None:
    calls: list[tuple[object, ...]] = []

    def start_response(*given: object) -> Callable[[bytes], object]:
        calls.append(given)
        return calls.append  # type: ignore[return-value]

    error = (ValueError, ValueError(), None)
    headers = [("X", "y")]

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", headers)
        write("written")
        start_response("500 Oh", headers, error)
        return []

    serve(application, {}, start_response, request(profiler))

    assert calls == [("200 OK", headers), "written", ("500 Oh", headers, error)]
    assert calls[0][1] is headers


def test_a_status_that_is_no_number_is_the_servers_to_refuse(
    profiler: Profiler, reports: list[Report], failing_open: None
) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("fine", [])
        return []

    assert serve(application, {}, start, request(profiler)) == []
    assert "http.response.status_code" not in reports[0].profile.labels


def test_a_context_that_outlives_a_request_keeps_no_query_of_it(profiler: Profiler, database: Connection) -> None:
    scope = request(profiler)
    with scope.entered():
        database.execute("SELECT 1 FROM orders")
        context = contextvars.copy_context()  # a connection that was opened meanwhile keeps one as long as it lives
    assert not scope.is_empty

    finish(scope)
    assert context.run(lambda: scope.is_empty)


def test_nothing_is_kept_of_a_request_that_is_over(profiler: Profiler, database: Connection) -> None:
    scope = request(profiler)
    body = serve(responding(Rows(database)), {}, start, scope)
    assert isinstance(body, Body)
    list(body)
    body.close()
    gone = weakref.ref(scope)
    del scope, body
    gc.collect()

    assert gone() is None
