"""The contract of every adapter with requests, for endpoints of each kind in each framework."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import litestar
from fastapi import FastAPI
from litestar.background_tasks import BackgroundTask as LitestarTask
from litestar.middleware import DefineMiddleware
from litestar.response import Stream
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from dbprofile.testing.suite import Handle, Reply
from dbprofile_asgi import ProfileMiddleware, routes, scopes
from tests.exchanges import Application, OverASGI


async def slowly(chunks: Iterable[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def at_once(chunks: Iterable[str]) -> Iterable[str]:
    return chunks


def response(reply: Reply, steps: Callable[[Iterable[str]], Any]) -> Response:
    after = None if reply.after is None else BackgroundTask(reply.after)
    if reply.chunks is not None:
        return StreamingResponse(steps(reply.chunks), background=after)
    return PlainTextResponse(reply.text, reply.status, background=after)


class Contract(OverASGI):
    modules = (routes, scopes)


class StarletteContract(Contract):
    def endpoint(self, handle: Handle) -> Callable[[Request], Any]:
        raise NotImplementedError

    def application(self, handle: Handle, settings: Mapping[str, Any] | None) -> Application:
        app = Starlette(routes=[Route("/orders/{number}", self.endpoint(handle))])
        if settings is not None:
            app.add_middleware(ProfileMiddleware, **settings)
            app.middleware_stack = app.build_middleware_stack()  # as its first request does
        return app


class TestStarletteInAThread(StarletteContract):
    def endpoint(self, handle: Handle) -> Callable[[Request], Any]:
        return lambda request: response(handle(int(request.path_params["number"])), at_once)


class TestStarletteOnTheLoop(StarletteContract):
    in_threads = False

    def endpoint(self, handle: Handle) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return response(handle(int(request.path_params["number"])), slowly)

        return endpoint


class FastAPIContract(Contract):
    def endpoint(self, handle: Handle) -> Callable[[int], Any]:
        raise NotImplementedError

    def application(self, handle: Handle, settings: Mapping[str, Any] | None) -> Application:
        app = FastAPI()
        app.api_route("/orders/{number}", methods=["GET", "HEAD"])(self.endpoint(handle))
        if settings is not None:
            app.add_middleware(ProfileMiddleware, **settings)
            app.middleware_stack = app.build_middleware_stack()  # as its first request does
        return app


class TestFastAPIInAThread(FastAPIContract):
    def endpoint(self, handle: Handle) -> Callable[[int], Any]:
        def endpoint(number: int) -> Response:
            return response(handle(number), at_once)

        return endpoint


class TestFastAPIOnTheLoop(FastAPIContract):
    in_threads = False

    def endpoint(self, handle: Handle) -> Callable[[int], Any]:
        async def endpoint(number: int) -> Response:
            return response(handle(number), slowly)

        return endpoint


class LitestarContract(Contract):
    name = "GET /orders/{number}"
    pattern = "/orders/{number}"

    def endpoint(self, handle: Handle) -> Any:
        raise NotImplementedError

    def application(self, handle: Handle, settings: Mapping[str, Any] | None) -> Application:
        ours: Any = ProfileMiddleware  # Litestar's types are narrower than the protocol
        middleware = [] if settings is None else [DefineMiddleware(ours, **settings)]
        return litestar.Litestar(
            [self.endpoint(handle)], middleware=middleware, openapi_config=None, logging_config=None
        )


def litestar_response(reply: Reply, steps: Callable[[Iterable[str]], Any]) -> litestar.Response[Any]:
    after = None if reply.after is None else LitestarTask(reply.after)
    if reply.chunks is not None:
        return Stream(steps(reply.chunks), background=after)
    return litestar.Response(reply.text or None, status_code=reply.status, media_type="text/plain", background=after)


class TestLitestarInAThread(LitestarContract):
    def endpoint(self, handle: Handle) -> Any:
        @litestar.route("/orders/{number:int}", http_method=["GET", "HEAD"], sync_to_thread=True)
        def endpoint(request: litestar.Request[Any, Any, Any]) -> litestar.Response[Any]:
            return litestar_response(handle(request.path_params["number"]), at_once)

        return endpoint


class TestLitestarOnTheLoop(LitestarContract):
    in_threads = False

    def endpoint(self, handle: Handle) -> Any:
        @litestar.route("/orders/{number:int}", http_method=["GET", "HEAD"])
        async def endpoint(request: litestar.Request[Any, Any, Any]) -> litestar.Response[Any]:
            return litestar_response(handle(request.path_params["number"]), slowly)

        return endpoint
