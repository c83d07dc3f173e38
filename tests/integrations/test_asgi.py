import asyncio
import contextlib
import gc
import logging
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.responses import StreamingResponse as PlainStreamingResponse
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket as PlainWebSocket

from dbprofile import (
    ConfigurationError,
    Profile,
    Profiler,
    Report,
    Scope,
    current_scope,
    default_profiler,
    record,
    set_default_profiler,
)
from dbprofile_asgi import ProfileMiddleware
from dbprofile_asgi.routes import pattern_of
from tests.sources import Connection, shop

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


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


@pytest.fixture
def no_default() -> Iterator[None]:
    set_default_profiler(None)
    yield
    set_default_profiler(None)


def client(app: Application, **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, **options)
    return httpx.AsyncClient(transport=transport, base_url="http://shop.example")


async def get(app: Application, path: str, method: str = "GET", **options: Any) -> httpx.Response:
    async with client(app, **options) as http:
        return await http.request(method, path)


async def never() -> Message:
    """A client that says nothing more."""
    await asyncio.Event().wait()
    return {}


def profiles(reports: list[Report]) -> list[Profile]:
    return [report.profile for report in reports]


def starlette(profiler: Profiler, *routes: BaseRoute, inside: Iterable[Middleware] = ()) -> Starlette:
    return Starlette(routes=routes, middleware=[Middleware(ProfileMiddleware, profiler=profiler), *inside])


def fastapi(profiler: Profiler) -> FastAPI:
    app = FastAPI()
    app.add_middleware(ProfileMiddleware, profiler=profiler)
    return app


# --- names and labels -----------------------------------------------------------------------------------------------


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def test_a_request_is_named_by_the_pattern_of_its_route(profiler: Profiler, reports: list[Report]) -> None:
    app = starlette(profiler, Route("/orders/{number:int}", hello))
    assert (await get(app, "/orders/7")).text == "hello"

    (profile,) = profiles(reports)
    assert (profile.kind, profile.name) == ("request", "GET /orders/{number:int}")
    assert profile.labels == {
        "http.request.method": "GET",
        "http.route": "/orders/{number:int}",
        "http.response.status_code": 200,
    }


async def test_an_unknown_path_is_shown_but_is_no_route(profiler: Profiler, reports: list[Report]) -> None:
    app = starlette(profiler, Route("/orders/{number:int}", hello))
    assert (await get(app, "/nothing/7")).status_code == 404

    (profile,) = profiles(reports)
    assert profile.name == "GET /nothing/7"
    assert profile.labels == {"http.request.method": "GET", "http.response.status_code": 404}


async def test_a_method_that_a_route_refuses_has_the_route(profiler: Profiler, reports: list[Report]) -> None:
    app = starlette(profiler, Route("/orders/{number:int}", hello))
    assert (await get(app, "/orders/7", "DELETE")).status_code == 405

    assert profiles(reports)[0].name == "DELETE /orders/{number:int}"


async def test_a_pattern_has_the_servers_root_path_and_the_mounts(profiler: Profiler, reports: list[Report]) -> None:
    inner = Mount("/inner", routes=[Route("/{number}", hello), Route("/", hello)])
    app = starlette(
        profiler, Mount("/outer", routes=[inner]), Host("api.example", Starlette(routes=[Route("/x", hello)]))
    )
    for path in ("/outer/inner/7", "/outer/inner/"):
        assert (await get(app, f"/root{path}", root_path="/root")).status_code == 200
    async with client(app) as http:
        await http.get("http://api.example/x")

    assert [profile.labels["http.route"] for profile in profiles(reports)] == [
        "/root/outer/inner/{number}",
        "/root/outer/inner/",
        "/x",
    ]


async def test_a_mounted_application_with_middleware_of_its_own_is_no_second_request(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    orders = fastapi(profiler)

    @orders.get("/orders/{number}")
    async def order(number: int) -> int:
        database.execute("SELECT 1 FROM orders")
        return number

    app = fastapi(profiler)
    app.add_middleware(ProfileMiddleware, profiler=profiler)
    app.mount("/shop", orders)
    assert (await get(app, "/shop/orders/7")).json() == 7

    assert [(profile.name, profile.query_count) for profile in profiles(reports)] == [
        ("GET /shop/orders/{number}", 1),
    ]


async def test_what_a_mount_captures_is_no_part_of_a_pattern(profiler: Profiler, reports: list[Report]) -> None:
    app = starlette(
        profiler,
        Mount("/static-first", routes=[Route("/{number}", hello)]),
        Mount("/{tenant}", routes=[Mount("/{area}/deep", routes=[Route("/{tenant}", hello)])]),
    )
    for tenant in ("acme", "other"):
        await get(app, f"/{tenant}/north/deep/7")
    await get(app, "/static-first/7")

    assert [profile.name for profile in profiles(reports)] == [
        "GET /{tenant}/{area}/deep/{tenant}",
        "GET /{tenant}/{area}/deep/{tenant}",
        "GET /static-first/{number}",
    ]


async def test_a_mount_of_files_is_the_route_of_each_of_them(
    profiler: Profiler, reports: list[Report], tmp_path: Any
) -> None:
    (tmp_path / "style.css").write_text("body {}")
    app = starlette(profiler, Mount("/static", app=StaticFiles(directory=tmp_path)))
    response = await get(app, "/static/style.css")

    assert response.text == "body {}"
    assert profiles(reports)[0].name == "GET /static"


async def test_a_mount_that_cannot_be_told_is_left_out_of_the_pattern(
    profiler: Profiler, reports: list[Report]
) -> None:
    inner = Starlette(routes=[Route("/{number}", hello)])

    async def tenants(scope: Any, receive: Any, send: Any) -> None:
        scope["app_root_path"], scope["root_path"] = "", f"/{scope['path'].split('/')[1]}"
        await inner(scope, receive, send)

    await get(ProfileMiddleware(tenants, profiler=profiler), "/acme/7")

    assert profiles(reports)[0].name == "GET /{number}"


async def test_the_pattern_of_a_fastapi_route_has_the_prefixes_of_its_routers(
    profiler: Profiler, reports: list[Report]
) -> None:
    deep, items, app, tenant = APIRouter(prefix="/deep"), APIRouter(prefix="/items"), fastapi(profiler), FastAPI()

    @deep.get("/{name}")
    def deepest(name: str) -> str:
        return name

    @items.get("/{number}")
    async def item(number: int) -> int:
        return number

    @tenant.get("/bills/{number}")
    async def bill(number: int) -> int:
        return number

    items.include_router(deep)
    app.include_router(items, prefix="/api")
    app.mount("/tenants/{tenant}", tenant)
    for path in ("/api/items/7", "/api/items/deep/x", "/tenants/acme/bills/7"):
        assert (await get(app, path)).status_code == 200

    assert [profile.name for profile in profiles(reports)] == [
        "GET /api/items/{number}",
        "GET /api/items/deep/{name}",
        "GET /tenants/{tenant}/bills/{number}",
    ]


async def test_an_application_without_routes_is_served(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        database.execute("SELECT 1 FROM orders")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    assert (await get(ProfileMiddleware(app, profiler=profiler), "/x", "HEAD")).status_code == 204

    (profile,) = profiles(reports)
    assert (profile.name, profile.query_count) == ("HEAD /x", 1)


def test_a_starlette_that_does_not_say_which_route_it_took_is_asked_for_the_endpoint() -> None:
    deep = Mount("/{tenant}", routes=[Route("/a/{number:int}", hello), Route("/b/{name}", hello)])
    app = Starlette(routes=[Route("/", hello), deep])

    def pattern(path: str, root: str = "", **more: object) -> str | None:
        return pattern_of({"router": app.router, "path": path, "app_root_path": "", "root_path": root, **more})

    assert pattern("/acme/a/7", "/acme", endpoint=hello) == "/{tenant}/a/{number:int}"
    assert pattern("/acme/b/x", "/acme", endpoint=hello) == "/{tenant}/b/{name}"
    assert pattern("/", endpoint=hello) == "/"
    assert pattern("/", endpoint=never) is None
    assert pattern("/") is None


def test_litestars_template_is_a_pattern() -> None:
    assert pattern_of({"path": "/orders/7", "path_template": "/orders/{number}"}) == "/orders/{number}"


# --- statements -----------------------------------------------------------------------------------------------------


async def test_statements_of_the_event_loop_and_of_the_thread_pool_belong_to_the_request(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    app = fastapi(profiler)

    def connection() -> Iterator[Connection]:
        database.execute("SELECT 'set up' FROM orders")
        yield database
        database.execute("SELECT 'tear down' FROM orders")

    @app.get("/sync")
    def in_a_thread(database: Annotated[Connection, Depends(connection)]) -> int:
        return len(database.execute("SELECT id FROM orders").fetchall())

    @app.get("/async")
    async def on_the_loop() -> int:
        await asyncio.gather(*(asyncio.to_thread(database.execute, "SELECT 1 FROM orders") for _ in range(2)))
        return len(database.execute("SELECT id FROM orders").fetchall())

    assert (await get(app, "/sync")).text == "5"
    assert (await get(app, "/async")).text == "5"

    threaded, looped = (profile for profile in profiles(reports) if profile.kind == "request")
    assert [query.sql for query in threaded.queries] == [
        "SELECT 'set up' FROM orders",
        "SELECT id FROM orders",
        *(["SELECT 'tear down' FROM orders"] if threaded.query_count == 3 else []),
    ]
    assert sum(profile.query_count for profile in profiles(reports)) == 3 + 3
    assert looped.query_count == 3
    assert len({query.lane for query in looped.queries}) > 1


async def test_what_a_streamed_body_does_is_streaming(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    def slow() -> Iterator[str]:
        for number in range(2):
            database.execute("SELECT 'thread' FROM orders")
            yield f"{number}\n"

    async def quick() -> AsyncIterator[str]:
        for number in range(2):
            database.execute("SELECT 'loop' FROM orders")
            yield f"{number}\n"

    async def endpoint(request: Request) -> Response:
        database.execute("SELECT 'view' FROM orders")
        return PlainStreamingResponse(slow() if request.path_params["kind"] == "slow" else quick())

    app = starlette(profiler, Route("/{kind}", endpoint))
    for path in ("/slow", "/quick"):
        assert (await get(app, path)).text == "0\n1\n"

    for profile in profiles(reports):
        assert profile.kind == "request"
        assert [query.phase for query in profile.queries] == ["handling", "streaming", "streaming"]


async def test_a_request_is_told_before_its_background_tasks_run(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    told: list[int] = []

    def after() -> None:
        told.append(len(reports))
        database.execute("SELECT 'background' FROM orders")

    async def endpoint(request: Request) -> Response:
        database.execute("SELECT 'view' FROM orders")
        return PlainTextResponse("x", background=BackgroundTask(after))

    await get(starlette(profiler, Route("/", endpoint)), "/")

    request, background = profiles(reports)
    assert told == [1]
    assert (background.kind, background.parent) == ("background", request.number)
    assert background.name == request.name
    assert [query.phase for query in (*request.queries, *background.queries)] == ["handling", "background"]
    assert background.labels == {"http.request.method": "GET", "http.route": "/"}


async def test_fastapis_background_tasks_are_background(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    app = fastapi(profiler)

    async def mail() -> None:
        await asyncio.sleep(0)
        database.execute("SELECT 'mail' FROM orders")

    @app.post("/orders")
    async def order(tasks: BackgroundTasks) -> str:
        tasks.add_task(mail)
        return "ordered"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter(["x"]))

    await get(app, "/orders", "POST")
    await get(app, "/stream")

    assert [(profile.kind, profile.query_count) for profile in profiles(reports)] == [
        ("request", 0),
        ("background", 1),
        ("request", 0),
    ]


async def test_an_exception_is_status_500_with_its_class_and_passes_unchanged(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    error = LookupError("who")

    async def endpoint(request: Request) -> Response:
        database.execute("SELECT 1 FROM orders")
        raise error

    routes = [Route("/{number}", endpoint)]
    # Round a whole application we stand outside what answers for the exception.
    for app in (starlette(profiler, *routes), ProfileMiddleware(Starlette(routes=routes), profiler=profiler)):
        assert (await get(app, "/7")).status_code == 500
        with pytest.raises(LookupError) as caught:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://x") as http:
                await http.get("/7")
        assert caught.value is error
        assert current_scope() is None

    assert len(profiles(reports)) == 4
    for profile in profiles(reports):
        assert (profile.name, profile.query_count) == ("GET /{number}", 1)
        assert profile.labels["http.response.status_code"] == 500
        assert profile.labels["error.type"] == "LookupError"


async def test_an_exception_that_the_framework_answers_is_its_status(profiler: Profiler, reports: list[Report]) -> None:
    async def endpoint(request: Request) -> Response:
        raise HTTPException(402)

    await get(starlette(profiler, Route("/", endpoint)), "/")

    assert profiles(reports)[0].labels["http.response.status_code"] == 402
    assert "error.type" not in profiles(reports)[0].labels


async def test_a_background_task_that_fails_leaves_the_request_alone(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    def after() -> None:
        database.execute("SELECT 1 FROM orders")
        raise LookupError

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("x", background=BackgroundTask(after))

    assert (await get(starlette(profiler, Route("/", endpoint)), "/")).text == "x"

    request, background = profiles(reports)
    assert "error.type" not in request.labels
    assert background.labels["error.type"] == "LookupError"
    assert "http.response.status_code" not in background.labels


async def test_middleware_that_runs_the_application_in_a_task_of_its_own_loses_nothing(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    async def pass_on(request: Request, call_next: RequestResponseEndpoint) -> Response:
        database.execute("SELECT 'middleware' FROM orders")
        return await call_next(request)

    async def endpoint(request: Request) -> Response:
        database.execute("SELECT 'view' FROM orders")
        return PlainTextResponse("x")

    base = Middleware(BaseHTTPMiddleware, dispatch=pass_on)
    inside = starlette(profiler, Route("/{number}", endpoint), inside=[base])
    outside = Starlette(
        routes=[Route("/{number}", endpoint)], middleware=[base, Middleware(ProfileMiddleware, profiler=profiler)]
    )
    await get(inside, "/7")
    await get(outside, "/7")

    assert [(profile.name, profile.query_count) for profile in profiles(reports)] == [
        ("GET /{number}", 2),
        ("GET /{number}", 1),
    ]


async def test_a_response_is_over_with_its_trailers_or_its_file(profiler: Profiler, reports: list[Report]) -> None:
    messages: list[Message] = []
    told: list[int] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    responses: list[list[Message]] = [
        [
            {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
            {"type": "http.response.body", "body": b"x"},
            {"type": "http.response.trailers", "headers": [], "more_trailers": True},
            {"type": "http.response.trailers", "headers": []},
        ],
        [
            {"type": "http.response.start", "status": 200, "headers": []},
            {"type": "http.response.pathsend", "path": "/x"},
        ],
        [
            {"type": "http.response.start", "status": 200, "headers": []},
            {"type": "http.response.zerocopysend", "file": 3, "more_body": True},
            {"type": "http.response.body", "body": b""},
        ],
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in responses[int(scope["path"][1:])]:
            await send(message)
            told.append(len(reports))

    for number in range(3):
        connection = {"type": "http", "method": "GET", "path": f"/{number}", "root_path": ""}
        await ProfileMiddleware(app, profiler=profiler)(connection, receive, send)

    assert told == [0, 0, 0, 1, 1, 2, 2, 2, 3]
    assert messages == [message for response in responses for message in response]


async def test_a_request_settles_before_its_last_message_is_passed_on(database: Connection) -> None:
    course: list[str] = []

    class Sink:
        def __call__(self, report: Report) -> None:
            course.append(f"told {report.profile.kind}")

        def unit_opened(self, scope: Scope) -> None:
            course.append("opened")

        def unit_done(self, scope: Scope) -> None:
            course.append(f"settled with {scope.profile().query_count}")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        database.execute("SELECT 1 FROM orders")
        await send({"type": "http.response.body", "body": b""})
        database.execute("SELECT 1 FROM orders")

    async def send(message: Message) -> None:
        course.append("last" if not message.get("more_body") and message["type"].endswith("body") else "sent")

    connection = {"type": "http", "method": "GET", "path": "/"}
    await ProfileMiddleware(app, profiler=Profiler(sinks=[Sink()]))(connection, never, send)

    assert course == ["opened", "sent", "sent", "settled with 1", "last", "told request", "told background"]


async def test_a_client_that_goes_away_ends_the_request(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        finally:
            database.execute("SELECT 1 FROM orders")

    async def send(message: Message) -> None:
        raise OSError

    with pytest.raises(OSError):
        await ProfileMiddleware(app, profiler=profiler)(
            {"type": "http", "method": "GET", "path": "/"},
            never,
            send,
        )

    (profile,) = profiles(reports)
    assert (profile.query_count, profile.labels["error.type"]) == (1, "OSError")
    assert current_scope() is None


async def test_a_recording_inside_a_request_is_in_both(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    counts: list[int] = []

    @record("import")
    async def importing() -> None:
        await asyncio.sleep(0)
        database.execute("SELECT 1 FROM orders")

    async def endpoint(request: Request) -> Response:
        async with record("block", profiler=profiler) as recording:
            await importing()
            await asyncio.to_thread(database.execute, "SELECT 2 FROM orders")
            counts.append(recording.query_count)
        counts.append(recording.query_count)
        return PlainTextResponse("x")

    await get(starlette(profiler, Route("/", endpoint)), "/")

    assert counts == [2, 2]
    assert [(profile.kind, profile.query_count) for profile in profiles(reports)] == [("request", 2)]


# --- websockets, lifespan -------------------------------------------------------------------------------------------


async def converse(app: Application, path: str, *texts: str) -> list[Message]:
    """Connect, send texts one after the other's answer, disconnect."""
    sent: list[Message] = []
    incoming: Iterator[Message] = iter(
        [
            {"type": "websocket.connect"},
            *({"type": "websocket.receive", "text": text} for text in texts),
            {"type": "websocket.disconnect", "code": 1000},
        ]
    )

    async def receive() -> Message:
        await asyncio.sleep(0)
        return next(incoming)

    async def send(message: Message) -> None:
        sent.append(message)

    connection = {
        "type": "websocket",
        "path": path,
        "root_path": "",
        "headers": [],
        "query_string": b"",
        "subprotocols": [],
    }
    await app(connection, receive, send)
    return sent


async def test_three_messages_of_a_websocket_are_three_profiles(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    app = fastapi(profiler)

    @app.websocket("/rooms/{room}")
    async def chat(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            for _ in range(int(text)):
                database.execute("SELECT 1 FROM orders")
            await websocket.send_text(text)

    sent = await converse(app, "/rooms/7", "1", "0", "2")

    assert [message.get("text") for message in sent] == [None, "1", "0", "2"]
    assert [(p.kind, p.name, p.query_count, p.parent) for p in profiles(reports)] == [
        ("message", "WEBSOCKET /rooms/{room}", 1, None),
        ("message", "WEBSOCKET /rooms/{room}", 0, None),
        ("message", "WEBSOCKET /rooms/{room}", 2, None),
    ]
    first = profiles(reports)[0].number
    assert [profile.number for profile in profiles(reports)] == [first, first + 1, first + 2]
    assert {profile.labels["http.route"] for profile in profiles(reports)} == {"/rooms/{room}"}
    assert len({query.unit for profile in profiles(reports) for query in profile.queries}) == 2


async def test_what_a_websocket_does_before_and_between_messages_is_background(
    profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    async def chat(websocket: PlainWebSocket) -> None:
        database.execute("SELECT 'who is it' FROM orders")
        await websocket.accept()
        await websocket.receive_text()
        database.execute("SELECT 'answer' FROM orders")
        push = asyncio.create_task(pushing())
        await websocket.receive()
        await push

    async def pushing() -> None:
        database.execute("SELECT 'push' FROM orders")

    await converse(starlette(profiler, WebSocketRoute("/rooms", chat)), "/rooms", "hello")

    connect, message, push = profiles(reports)
    assert (connect.kind, connect.name, connect.query_count) == ("background", "WEBSOCKET /rooms", 1)
    assert (message.kind, message.query_count) == ("message", 1)
    assert (push.kind, push.name, push.parent) == ("background", message.name, message.number)


async def test_a_websocket_that_fails_says_so(profiler: Profiler, reports: list[Report]) -> None:
    async def chat(websocket: PlainWebSocket) -> None:
        await websocket.accept()
        await websocket.receive_text()
        raise LookupError

    with pytest.raises(LookupError):
        await converse(starlette(profiler, WebSocketRoute("/", chat)), "/", "hello")

    assert profiles(reports)[0].labels == {"http.route": "/", "error.type": "LookupError"}


async def test_a_websocket_nobody_speaks_on_is_nothing_to_tell(profiler: Profiler, reports: list[Report]) -> None:
    async def chat(websocket: PlainWebSocket) -> None:
        await websocket.accept()
        await websocket.receive()

    await converse(starlette(profiler, WebSocketRoute("/", chat)), "/")

    assert reports == []


async def test_the_lifespan_is_passed_through(profiler: Profiler, reports: list[Report], database: Connection) -> None:
    scopes: list[object] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        scopes.append(current_scope())
        database.execute("SELECT 1 FROM orders")
        yield
        database.execute("SELECT 1 FROM orders")

    app = Starlette(lifespan=lifespan, middleware=[Middleware(ProfileMiddleware, profiler=profiler)])
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        sent.append(message["type"])

    await app({"type": "lifespan", "state": {}}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (scopes, reports) == ([None], [])


# --- many at once, and over a socket --------------------------------------------------------------------------------


def numbered(database: Connection) -> Starlette:
    """Statements that carry the number of their request, sent from the loop, from child tasks and from threads."""

    def ask(number: str) -> None:
        database.execute(f"SELECT 1 FROM orders WHERE id = {number}")

    async def child(number: str) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            ask(number)

    async def on_the_loop(request: Request) -> Response:
        number = request.path_params["number"]
        await asyncio.gather(*(child(number) for _ in range(3)), asyncio.to_thread(ask, number))
        return PlainTextResponse(number, background=BackgroundTask(ask, number))

    def in_a_thread(request: Request) -> Response:
        number = request.path_params["number"]

        def body() -> Iterator[str]:
            for _ in range(5):
                ask(number)
                yield number

        for _ in range(5):
            ask(number)
        return PlainStreamingResponse(body(), background=BackgroundTask(child, number))

    return Starlette(routes=[Route("/loop/{number}", on_the_loop), Route("/thread/{number}", in_a_thread)])


async def test_fifty_requests_at_once_have_their_own_statements(tmp_path: Any) -> None:
    reports: list[Report] = []
    with shop() as database:
        app = ProfileMiddleware(numbered(database), profiler=Profiler(sinks=[reports.append]))

        async def one(number: int) -> None:
            kind = "loop" if number % 2 else "thread"
            response = await http.get(f"/{kind}/{number}", headers={"number": str(number)})
            assert set(response.text.split()) <= {str(number), str(number) * 5}

        async with client(app) as http:
            await asyncio.gather(*(one(number) for number in range(50)))

    requests = {profile.number: profile for profile in profiles(reports) if profile.kind == "request"}
    backgrounds = [profile for profile in profiles(reports) if profile.kind == "background"]
    assert len(requests) == len(backgrounds) == 50
    assert {profile.query_count for profile in requests.values()} == {10}
    seen = set()
    for profile in requests.values():
        (text,) = {query.sql for query in profile.queries}
        seen.add(text)
    assert len(seen) == 50
    for profile in backgrounds:
        assert profile.parent is not None
        mine = {query.sql for query in requests[profile.parent].queries}
        assert {query.sql for query in profile.queries} == mine
        assert profile.query_count == (1 if requests[profile.parent].name.startswith("GET /loop") else 3)


@contextlib.contextmanager
def served(app: Application) -> Iterator[str]:
    """An application behind a real server; the URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_a_server_sees_the_same_bytes_and_we_see_the_statements(profiler: Profiler, reports: list[Report]) -> None:
    with shop() as database:
        bare, app = numbered(database), numbered(database)
        app.add_middleware(ProfileMiddleware, profiler=profiler)
        answers = []
        for application in (bare, app):
            with served(application) as url, httpx.Client(base_url=url) as http:
                responses = [http.get(path) for path in ("/thread/1", "/loop/2", "/nothing")]
                answers.append([(r.status_code, r.headers.multi_items(), r.content) for r in responses])

    for answer in answers:
        for _, headers, _ in answer:
            headers[:] = [header for header in headers if header[0] != "date"]
    assert answers[0] == answers[1]
    told = sorted((profile.kind, profile.name, profile.query_count) for profile in profiles(reports))
    assert told == [
        ("background", "GET /loop/{number}", 1),
        ("background", "GET /thread/{number}", 3),
        ("request", "GET /loop/{number}", 10),
        ("request", "GET /nothing", 0),
        ("request", "GET /thread/{number}", 10),
    ]


def test_server_sent_events_are_one_unit_until_the_client_has_gone(profiler: Profiler, reports: list[Report]) -> None:
    with shop() as database:

        async def events() -> AsyncIterator[str]:
            while True:
                database.execute("SELECT 'event' FROM orders")
                yield "data: 1\n\n"
                await asyncio.sleep(0.01)

        async def endpoint(request: Request) -> Response:
            return PlainStreamingResponse(events(), media_type="text/event-stream")

        app = Starlette(routes=[Route("/events", endpoint)])
        with (
            served(ProfileMiddleware(app, profiler=profiler)) as url,
            httpx.stream("GET", f"{url}/events", timeout=5) as response,
        ):
            lines = response.iter_lines()
            assert [next(lines) for _ in range(3)] == ["data: 1", "", "data: 1"]
            assert not reports, "a stream that nobody has left is not over"

    (profile,) = profiles(reports)
    assert (profile.kind, profile.name) == ("request", "GET /events")
    assert profile.query_count >= 2
    assert {query.phase for query in profile.queries} == {"streaming"}


# --- switches and settings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"slow_mss": 5}, "unknown setting 'slow_mss'. Did you mean 'slow_ms'"),
        ({"slow_ms": "5"}, "slow_ms='5' is of the wrong type"),
        ({"debug": 1}, "debug=1 is of the wrong type"),
        ({"profiler": Profiler(), "slow_ms": 5}, "slow_ms would be ignored beside profiler="),
    ],
)
@pytest.mark.usefixtures("no_default")
def test_a_wrong_setting_is_refused_when_the_middleware_is_made(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        ProfileMiddleware(Starlette(), **settings)


@pytest.mark.usefixtures("no_default")
async def test_switched_off_the_application_is_called_with_what_the_server_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DBPROFILE", "0")
    called: list[object] = []

    async def app(*given: object) -> None:
        called.extend(given)

    given: list[Any] = [{"type": "http", "method": "GET", "path": "/"}, object(), object()]
    for options in ({}, {"profiler": Profiler(sinks=[print])}, {"debug": True}):
        called.clear()
        await ProfileMiddleware(app, **options)(*given)
        assert all(one is other for one, other in zip(called, given, strict=True))


async def test_without_a_listener_nothing_is_opened_but_within_a_scope_it_is(database: Connection) -> None:
    scopes: list[object] = []
    profiler = Profiler()

    async def endpoint(request: Request) -> Response:
        scopes.append(current_scope())
        database.execute("SELECT 1 FROM orders")
        return PlainTextResponse("x")

    app = starlette(profiler, Route("/", endpoint))
    await get(app, "/")
    with profiler.scope("test", "t", reach="process") as scope:
        await get(app, "/")

    assert scopes[0] is None
    assert isinstance(scopes[1], Scope)
    assert (scopes[1].kind, scopes[1].outer) == ("background", scope)
    assert scope.profile().query_count == 1


@pytest.mark.usefixtures("no_default")
async def test_the_console_prints_a_line_where_debug_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dbprofile")
    await get(ProfileMiddleware(Starlette(), debug=False), "/quiet")
    set_default_profiler(None)
    await get(ProfileMiddleware(Starlette(), debug=True), "/told")

    assert [record.name for record in caplog.records] == ["dbprofile"]
    assert "GET /told 404" in caplog.text


@pytest.mark.usefixtures("no_default")
async def test_a_sink_of_the_default_profiler_hears_of_requests(reports: list[Report]) -> None:
    default_profiler().add_sink(reports.append)
    await get(ProfileMiddleware(Starlette()), "/")

    assert len(reports) == 1


async def test_nothing_is_kept_of_a_request_that_is_over(profiler: Profiler, database: Connection) -> None:
    scopes: list[weakref.ref[Scope]] = []

    async def endpoint(request: Request) -> Response:
        scope = current_scope()
        assert scope is not None
        scopes.append(weakref.ref(scope))
        database.execute("SELECT 1 FROM orders")
        return PlainTextResponse("x")

    app = starlette(Profiler(sinks=[lambda report: None]), Route("/", endpoint))
    for _ in range(3):
        await get(app, "/")
    gc.collect()

    assert [scope() for scope in scopes] == [None, None, None]
