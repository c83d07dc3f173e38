"""ProfileMiddleware: a scope round each request, synchronous or not, open until the last byte of the response is out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from dbprofile.streaming import (
    AsyncBody,
    Body,
    Scope,
    answered,
    carried,
    enclosing_scope,
    enter,
    failed,
    finish,
    guarded,
    leave,
    open_request,
    routed,
)
from dbprofile_django.configuration import project_profiler
from dbprofile_django.endings import end_dropped, end_with, keep_scope, scope_of
from dbprofile_django.marks import enter_marks
from dbprofile_django.queries import install

__all__ = ["ProfileMiddleware"]

_Response = HttpResponseBase | Awaitable[HttpResponseBase]
_marked = False
"""Whether functions were entered since all middleware was loaded: ours may be loaded before what stands outside it."""


class ProfileMiddleware:
    """Profiles each request: ``MIDDLEWARE = ["dbprofile_django.ProfileMiddleware", ...]``, first in the list.

    While the request is handled its scope is ``request.dbprofile``. Options are the keys of ``DBPROFILE`` in Django's settings.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type, when Django loads its middleware.
        MiddlewareNotUsed: where nobody would hear of it: switched off, or no DEBUG, no sink, and no test that listens.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], _Response]) -> None:
        profiler = project_profiler()
        if profiler is None or (not profiler.sinks and enclosing_scope() is None):
            raise MiddlewareNotUsed("dbprofile: switched off, or no DEBUG and no sink")
        install()
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> _Response:
        """Handle one request in its scope."""
        if self._is_async:
            return self._respond(request)
        scope = _opened(request)
        if scope is None:
            response = cast("HttpResponseBase", self.get_response(request))
            _name_outer(request)
            return response
        step = enter(scope)
        try:
            response = cast("HttpResponseBase", self.get_response(request))
        except BaseException as error:
            leave(step)
            _broken(scope, request, error)
            raise
        leave(step)
        if not _followed(scope, request, response):
            finish(scope)
        return response

    async def _respond(self, request: HttpRequest) -> HttpResponseBase:
        get_response = cast("Callable[[HttpRequest], Awaitable[HttpResponseBase]]", self.get_response)
        scope = _opened(request)
        if scope is None:
            response = await get_response(request)
            _name_outer(request)
            return response
        step = enter(scope)
        try:
            response = await get_response(request)
        except BaseException as error:
            leave(step)
            _broken(scope, request, error)
            raise
        leave(step)
        if not _followed(scope, request, response):
            finish(scope)
        return response


@guarded("django.open", None)
def _opened(request: HttpRequest) -> Scope | None:
    global _marked
    if not _marked:
        _marked = True
        enter_marks()
    end_dropped()
    profiler = project_profiler()
    outer = scope_of(request)
    if profiler is None or (outer is not None and outer.open):
        return None  # the middleware stands there twice, or one handler passes a request on to another
    carrier: Any = getattr(request, "scope", None) or getattr(request, "environ", None)
    scope = open_request(profiler, request.method or "", request.path, carrier=carrier)
    kept = scope if scope is not None else carried(profiler, carrier)
    if kept is not None:
        keep_scope(request, kept)
    return scope


@guarded("django.name_outer", None)
def _name_outer(request: HttpRequest) -> None:
    """Middleware round the whole application has opened the scope, and knows no route."""
    outer = scope_of(request)
    if outer is not None and outer.open and "http.route" not in outer.labels:
        _name(outer, request)


@guarded("django.broken", None)
def _broken(scope: Scope, request: HttpRequest, error: BaseException) -> None:
    _name(scope, request)
    failed(scope, error)
    finish(scope)


@guarded("django.followed", False)
def _followed(scope: Scope, request: HttpRequest, response: HttpResponseBase) -> bool:
    """Have the scope end with the response, when the last byte is out."""
    _name(scope, request)
    answered(scope, response.status_code)
    if isinstance(response, StreamingHttpResponse) and getattr(response, "file_to_stream", None) is None:
        _stream(scope, response)
    # The last moment at which the server's span records: streamed or not, it ends with the middleware.
    scope.settle()
    end_with(scope, response)
    return True


@guarded("django.name", None)
def _name(scope: Scope, request: HttpRequest) -> None:
    match = request.resolver_match
    if match is not None and match.route is not None:
        # A pattern of re_path() begins with the mark of its start, which no path has.
        routed(scope, request.method or "", f"/{match.route.removeprefix('^')}")


def _stream(scope: Scope, response: StreamingHttpResponse) -> None:
    closers = response._resource_closers  # type: ignore[attr-defined]
    closers[:] = [_Within(scope, closer) for closer in closers]
    body: Any = response.streaming_content
    if response.is_async:
        followed = AsyncBody[Any](body, scope)
        response.streaming_content = followed
        closers.insert(0, followed.over)  # Django closes the response, not its body, once the last message is out
    else:
        response.streaming_content = Body(body, scope)


class _Within:
    """A closer of the response that runs inside the scope."""

    __slots__ = ("_closer", "_scope")

    def __init__(self, scope: Scope, closer: Callable[[], object]) -> None:
        self._scope = scope
        self._closer = closer

    def __call__(self) -> None:
        step = enter(self._scope)
        try:
            self._closer()
        finally:
            leave(step)
