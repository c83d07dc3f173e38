"""Django's own servers' side: requests through its WSGI and ASGI handlers, as a server sends them."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults

from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

__all__ = ["Answer", "over_asgi", "over_wsgi", "steps_over_wsgi"]


@dataclass
class Answer:
    """What a client got."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    parts: list[bytes] = field(default_factory=list)


def over_wsgi(address: str) -> Answer:
    """One request, its body read to the end."""
    answer = Answer()
    for part in steps_over_wsgi(address, answer):
        answer.parts.append(part)
    answer.body = b"".join(answer.parts)
    return answer


def steps_over_wsgi(address: str, answer: Answer) -> Iterator[bytes]:
    """One request, part by part; closed when the iterator is."""
    environ: dict[str, Any] = {"PATH_INFO": address, "wsgi.file_wrapper": FileWrapper}
    setup_testing_defaults(environ)

    def start_response(status: str, headers: Any, exc_info: object = None, /) -> Callable[[bytes], object]:
        answer.status = int(status[:3])
        answer.headers.update(headers)
        return lambda _: None

    body: Any = WSGIHandler()(environ, start_response)
    try:
        yield from body
    finally:
        body.close()


async def over_asgi(address: str, *, leave_after: int | None = None) -> Answer:
    """One request.

    Args:
        address: its path.
        leave_after: the client goes away once it has got so many parts of the body.
    """
    answer = Answer()
    gone = asyncio.Event()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers.update((name.decode(), value.decode()) for name, value in message["headers"])
            return
        if body := message.get("body"):
            answer.parts.append(body)
        if leave_after is not None and len(answer.parts) >= leave_after:
            gone.set()
            await asyncio.Event().wait()  # what is sent to nobody never arrives; the server cancels

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "path": address,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }
    await ASGIHandler()(scope, receive, send)  # type: ignore[arg-type]
    answer.body = b"".join(answer.parts)
    return answer
