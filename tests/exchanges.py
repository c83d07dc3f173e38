"""One exchange with a web application, as a server holds it: over WSGI, and over ASGI on an event loop of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar
from wsgiref.types import WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper, setup_testing_defaults

from dbprofile import Profiler, Report
from dbprofile.testing.suite import Call, Handle, Reply, RequestsContract

T = TypeVar("T")
Message: TypeAlias = MutableMapping[str, Any]
Connection: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


# --- WSGI -----------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What came of a request: what the application started, and the chunks of its body."""

    started: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    body: Any = field(default=None, compare=False)


def visit(
    app: WSGIApplication, path: str = "/", method: str = "GET", *, chunks: int | None = None, **environment: object
) -> Answer:
    """Send a request over WSGI, read the response, or so many chunks of it, and close it."""
    environ: WSGIEnvironment = {
        "PATH_INFO": path,
        "REQUEST_METHOD": method,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "wsgi.file_wrapper": FileWrapper,
        **environment,
    }
    setup_testing_defaults(environ)
    answer = Answer()

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
    ) -> Callable[[bytes], object]:
        answer.started.append((status, headers))
        return answer.chunks.append

    answer.body = app(environ, start_response)
    try:
        for chunk in answer.body:
            answer.chunks.append(chunk)
            if len(answer.chunks) == chunks:
                break
    finally:
        close = getattr(answer.body, "close", None)
        if close is not None:
            close()
    return answer


# --- ASGI -----------------------------------------------------------------------------------------------------------


async def exchange(
    app: Application,
    path: str = "/",
    method: str = "GET",
    *,
    chunks: int | None = None,
    hear: Callable[[Message], object] = lambda message: None,
    **connection: object,
) -> list[Message]:
    """Send a request over ASGI, and return the messages of the response.

    Args:
        app: the application.
        path: where the request goes.
        method: of HTTP.
        chunks: the client is gone after so many chunks of the body.
        hear: called with each message when the server gets it.
        connection: more of ASGI's scope.
    """
    messages: list[Message] = []
    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])
    over = asyncio.Event()

    def is_gone() -> bool:
        return sum(bool(sent.get("body")) for sent in messages) == chunks

    async def receive() -> Message:
        message = next(asked, None)
        if message is None:
            await over.wait()
            return {"type": "http.disconnect"}
        return message

    async def send(message: Message) -> None:
        if is_gone():
            await asyncio.Event().wait()  # nobody takes it: the framework, which is told, cancels
        await asyncio.sleep(0)  # as a socket that is slow to take it: others run meanwhile
        messages.append(message)
        hear(message)
        if is_gone() or (message["type"] == "http.response.body" and not message.get("more_body")):
            over.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"shop.example")],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 8000),
        "state": {},
        **connection,
    }
    await app(scope, receive, send)
    return messages


def on_a_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own, in a thread of its own, but in a copy of this context."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_context().run, asyncio.run, coroutine).result()


def all_on_a_loop(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines at once, as tasks of one loop."""

    async def together() -> list[T]:
        return await asyncio.gather(*coroutines)

    return on_a_loop(together())


class OverASGI(RequestsContract):
    """The contract of every adapter with requests, for an application over ASGI."""

    def application(self, handle: Handle, settings: Mapping[str, Any] | None) -> Application:
        """An application that answers with what ``handle`` replies at ``/orders/7``."""
        raise NotImplementedError

    @contextmanager
    def serve(self, handle: Handle, settings: Mapping[str, object] | None) -> Iterator[Call]:
        self.app = self.application(handle, settings)

        def call(number: int, method: str = "GET", chunks: int | None = None) -> list[Message]:
            return on_a_loop(exchange(self.app, f"/orders/{number}", method, chunks=chunks))

        yield call

    def together(self, call: Call, numbers: Sequence[int]) -> list[object]:
        return list(all_on_a_loop([exchange(self.app, f"/orders/{number}") for number in numbers]))

    def test_a_response_is_told_after_its_last_message(self) -> None:
        self.assert_told_last(lambda _: Reply("whole"))
        if self.streams:
            self.assert_told_last(lambda _: Reply(chunks=iter(["step", "by step"])))

    def assert_told_last(self, handle: Handle) -> None:
        reports: list[Report] = []
        told: list[int] = []
        with self.serve(handle, {"profiler": Profiler(sinks=[reports.append])}):
            on_a_loop(exchange(self.app, "/orders/7", hear=lambda _: told.append(len(reports))))
        assert set(told) == {0}, "the client waits while the request is judged"
        assert len(reports) == 1
