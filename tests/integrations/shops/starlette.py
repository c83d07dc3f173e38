"""The shop on Starlette and SQLAlchemy's asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

from sqlalchemy import StaticPool, create_engine, delete, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

import dbprofile_asgi
import dbprofile_sqlalchemy
from dbprofile import Profiler
from tests.integrations.shops import Shop, Thing, wait_for_ever
from tests.integrations.shops.clients import ask_asgi, cancel_asgi, leave_asgi, talk_asgi
from tests.integrations.sqlalchemy import onloop
from tests.integrations.sqlalchemy.models import Author, Book, Tag, fill, forget

__all__ = ["opened"]


def _application(engine: AsyncEngine, profiler: Profiler | None) -> Starlette:
    async def names() -> AsyncIterator[str]:
        async with AsyncSession(engine) as session:
            for book in (await session.scalars(select(Book).order_by(Book.id))).all():
                thing = Thing()
                await session.refresh(book, ["author"])
                yield f"{type(thing).__name__} {book.author.name}\n"

    async def listed(request: Request) -> Response:
        return PlainTextResponse("".join([name async for name in names()]))

    async def gathered(request: Request) -> Response:
        async def one(number: int) -> str:
            thing = Thing()
            async with AsyncSession(engine) as session:
                name = await session.scalar(select(Author.name).where(Author.id == number))
                return f"{type(thing).__name__} {name}"

        found = await asyncio.gather(*map(one, (1, 2, 3)))
        return PlainTextResponse(str(found))

    async def streamed(request: Request) -> Response:
        return StreamingResponse(names())

    async def write(number: int) -> None:
        thing = Thing()
        async with AsyncSession(engine) as session, session.begin():
            session.add_all(Tag(id=number + more, name=type(thing).__name__) for more in range(3))

    async def written(request: Request) -> Response:
        number = request.path_params["number"]
        await write(number)
        return PlainTextResponse("written", background=BackgroundTask(write, number + 10))

    async def broken(request: Request) -> Response:
        thing = Thing()
        async with AsyncSession(engine) as session:
            await session.scalar(select(Author.name))
            raise LookupError(f"no such {type(thing).__name__}")

    async def refused(request: Request) -> Response:
        thing = Thing()
        async with AsyncSession(engine) as session:
            await session.execute(text("SELECT nothing FROM nowhere"))
        return PlainTextResponse(repr(thing))

    async def long(request: Request) -> Response:
        thing = Thing()
        async with AsyncSession(engine) as session:
            await session.scalar(select(Author.name))
            await wait_for_ever()
        return PlainTextResponse(repr(thing))

    async def told(websocket: WebSocket) -> None:
        await websocket.accept()
        async for said in websocket.iter_text():
            thing = Thing()
            async with AsyncSession(engine) as session:
                name = await session.scalar(select(Author.name).where(Author.id == int(said)))
                await websocket.send_text(f"{type(thing).__name__} {name}")

    routes = [
        Route("/listed", listed),
        Route("/gathered", gathered),
        Route("/streamed", streamed),
        Mount("/more", routes=[Route("/written/{number:int}", written)]),
        Route("/broken", broken),
        Route("/refused", refused),
        Route("/long", long),
        WebSocketRoute("/told/{room}", told),
    ]
    ours = [] if profiler is None else [Middleware(dbprofile_asgi.ProfileMiddleware, profiler=profiler)]
    return Starlette(routes=routes, middleware=ours)


@contextmanager
def opened(profiler: Profiler | None) -> Iterator[Shop]:
    with closing(onloop.connect()) as connection, asyncio.Runner() as runner:
        preparing = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        fill(preparing, 3)
        engine = create_async_engine("sqlite+onloop://", creator=lambda: connection)
        app = _application(engine, profiler)

        async def connect_once() -> None:
            async with engine.connect():
                pass  # what a first connection sends is no page's

        runner.run(connect_once())

        def visit(client: Callable[..., Coroutine[Any, Any, object]], *arguments: str) -> object:
            # As in a server each request has a context of its own.
            return runner.run(client(app, *arguments), context=copy_context())

        def contents() -> object:
            with preparing.connect() as connected:
                return connected.execute(text("SELECT id, name FROM tag ORDER BY id")).all()

        def reset() -> None:
            with preparing.begin() as connected:
                connected.execute(delete(Tag).where(Tag.id >= 100))

        paths = ("/listed", "/gathered", "/streamed", "/more/written/100", "/broken", "/refused", "/nowhere")
        pages = {path: partial(visit, ask_asgi, path) for path in paths}
        pages["left"] = partial(visit, leave_asgi, "/streamed")
        pages["cancelled"] = partial(visit, cancel_asgi, "/long")
        pages["told"] = partial(visit, talk_asgi, "/told/bar", "1", "2")
        shop = Shop(pages, contents, reset, partial(forget, engine.sync_engine))
        connection.set_trace_callback(shop.sent.append)
        if profiler is not None:
            dbprofile_sqlalchemy.install()
        try:
            yield shop
        finally:
            if profiler is not None:
                dbprofile_sqlalchemy.uninstall()
