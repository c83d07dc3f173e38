"""Clients of WSGI and ASGI applications, well-behaved ones and others: what a server hands over and gets back, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any
from wsgiref.types import WSGIApplication
from wsgiref.util import setup_testing_defaults

from tests.integrations.shops import waits

__all__ = ["ask_asgi", "ask_wsgi", "cancel_asgi", "hang_up_asgi", "leave_asgi", "talk_asgi"]

Message = MutableMapping[str, Any]
#: What the type of an ASGI application is differs from library to library.
Application = Any


def ask_wsgi(app: WSGIApplication, path: str, *, chunks: int | None = None) -> object:
    """Ask for a page; with ``chunks`` go away after so many."""
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET"}
    setup_testing_defaults(environ)
    got: list[object] = []

    def start_response(status: str, headers: list[tuple[str, str]], error: Any = None, /) -> Callable[[bytes], object]:
        got.append((status, sorted(headers), None if error is None else error[0]))
        return got.append

    try:
        body = app(environ, start_response)
        try:
            _read(body, got, chunks)
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
    except Exception as error:  # noqa: BLE001 - whatever the application raises, the server gets
        got.append((type(error), str(error)))
    return got


def _read(body: Iterable[bytes], got: list[object], chunks: int | None) -> None:
    for number, chunk in enumerate(body, 1):
        got.append(chunk)
        if number == chunks:
            return


async def ask_asgi(app: Application, path: str) -> object:
    """Ask for a page and read all of it."""
    return await _Exchange().run(app, path)


async def leave_asgi(app: Application, path: str) -> object:
    """Ask for a page, and be gone when its first bytes arrive."""
    return await _Exchange(stays=False).run(app, path)


async def cancel_asgi(app: Application, path: str) -> object:
    """Ask for a page that waits for ever; the server gives it up."""
    waits.set(waiting := asyncio.Event())
    task = asyncio.create_task(_Exchange().run(app, path))
    await asyncio.wait_for(waiting.wait(), 30)
    task.cancel()
    return await asyncio.wait_for(task, 30)


async def hang_up_asgi(app: Application, path: str) -> object:
    """Ask for a page that waits for ever, and go away."""
    waits.set(waiting := asyncio.Event())
    exchange = _Exchange()
    task = asyncio.create_task(exchange.run(app, path))
    await asyncio.wait_for(waiting.wait(), 30)
    exchange.gone.set()
    return await asyncio.wait_for(task, 30)


async def talk_asgi(app: Application, path: str, *texts: str) -> object:
    """Open a websocket, say something, and hang up."""
    said: list[Message] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "text": text} for text in texts),
        {"type": "websocket.disconnect", "code": 1000},
    ]
    exchange = _Exchange(said)
    return await exchange.run(app, path, "websocket")


class _Exchange:
    def __init__(self, said: Iterable[Message] = (), *, stays: bool = True) -> None:
        self._said = iter(said or ({"type": "http.request", "body": b"", "more_body": False},))
        self._stays = stays
        self.gone = asyncio.Event()
        self.got: list[object] = []

    async def run(self, app: Application, path: str, kind: str = "http") -> object:
        scope = {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"shop.example")],
            "client": ("127.0.0.1", 1),
            "server": ("shop.example", 80),
            "subprotocols": [],
        }
        try:
            await app(scope, self._receive, self._send)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as above
            self.got.append((type(error), str(error)))
        return self.got

    async def _receive(self) -> Message:
        message = next(self._said, None)
        if message is None:
            await self.gone.wait()
            return {"type": "http.disconnect"}
        return message

    async def _send(self, message: Message) -> None:
        self.got.append({key: sorted(value) if key == "headers" else value for key, value in message.items()})
        if not self._stays and message["type"] == "http.response.body":
            self.gone.set()
            raise OSError("the client is gone")
