"""The door for adapters that open scopes: requests, and bodies that run after their handler returned, each step inside its scope.

Nothing here raises an exception of ours into the application: where a step fails open, the application runs without a scope.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sized,
)
from contextlib import AbstractContextManager
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from dbprofile.capture.scope import Scope, current_scope, enclosing_scope
from dbprofile.guard import guarded
from dbprofile.profiler import Profiler, default_profiler, profiler_for, watch

if TYPE_CHECKING:
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = [
    "AsyncBody",
    "Body",
    "Profiler",
    "Scope",
    "answered",
    "carried",
    "current_scope",
    "default_profiler",
    "enclosing_scope",
    "enter",
    "failed",
    "finish",
    "guarded",
    "leave",
    "open_request",
    "open_scope",
    "path_of",
    "profiler_for",
    "routed",
    "sent",
    "serve",
    "watch",
]

T = TypeVar("T")

#: What a client may write into a metric's label; any other method is ``_OTHER`` there, as OpenTelemetry has it.
_METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"},
)
#: Characters of a name that holds a path, because no route is known.
_SHOWN: Final = 200


# --- a unit of work, step by step -----------------------------------------------------------------------------------


@guarded("streaming.open_scope", None)
def open_scope(
    profiler: Profiler,
    kind: str,
    name: str,
    *,
    path: str,
    labels: dict[str, object] | None = None,
    carrier: MutableMapping[str, Any] | None = None,
) -> Scope | None:
    """Open a unit of work that the adapter enters, leaves and finishes itself.

    Args:
        profiler: the adapter's.
        kind: ``request``, ``message`` …
        name: what people read.
        path: what ``include`` and ``exclude`` are asked about.
        labels: what is known of it.
        carrier: what the server hands from one application to the next for this one exchange (an environment of WSGI, a scope of
            ASGI). It is marked, so that no middleware further in opens the same unit once more.

    Returns:
        ``None`` where nobody would hear of it: the profiler has no sink and no scope is open round it, or its settings leave it out;
        and where middleware further out has opened it.
    """
    if not profiler.sinks and enclosing_scope() is None:
        return None
    if not profiler.wants(path) or carried(profiler, carrier) is not None:
        return None
    scope = profiler.scope(kind, name if len(name) <= _SHOWN else f"{name[: _SHOWN - 3]}...", labels=labels)
    if carrier is not None:
        carrier[_mark(profiler)] = scope
    return scope


@guarded("streaming.open_request", None)
def open_request(
    profiler: Profiler, method: str, path: str, *, carrier: MutableMapping[str, Any] | None = None
) -> Scope | None:
    """The same for a request over HTTP, of which the route is not known yet."""
    labels: dict[str, object] = {"http.request.method": method if method in _METHODS else "_OTHER"}
    return open_scope(profiler, "request", f"{method} {path}", path=path, labels=labels, carrier=carrier)


@guarded("streaming.carried", None)
def carried(profiler: Profiler, carrier: Mapping[str, Any] | None) -> Scope | None:
    """The scope that middleware of the same profiler has opened further out for an exchange, while it is open."""
    scope = carrier.get(_mark(profiler)) if carrier is not None else None
    return scope if isinstance(scope, Scope) and scope.open else None


def _mark(profiler: Profiler) -> str:
    return f"dbprofile.scope.{id(profiler)}"


@guarded("streaming.enter", None)
def enter(scope: Scope) -> AbstractContextManager[Scope] | None:
    """Make a scope current, for one step; what is returned goes to ``leave()``."""
    step = scope.entered()
    step.__enter__()
    return step


@guarded("streaming.leave", None)
def leave(step: AbstractContextManager[Scope] | None) -> None:
    """End a step."""
    if step is not None:
        step.__exit__(None, None, None)


@guarded("streaming.routed", None)
def routed(scope: Scope, method: str, pattern: str) -> None:
    """Name a request by the pattern of its route, as the framework writes it: ``GET /orders/{number}``."""
    scope.name = f"{method} {pattern}"
    scope.labels["http.route"] = pattern


@guarded("streaming.answered", None)
def answered(scope: Scope, status: int) -> None:
    """The response begins: what runs from now on is streaming."""
    scope.labels["http.response.status_code"] = status
    scope.phase = "streaming"


@guarded("streaming.failed", None)
def failed(scope: Scope, error: BaseException) -> None:
    """An exception leaves the application; its class is kept, never its message."""
    scope.labels["error.type"] = type(error).__qualname__
    if scope.kind == "request" and scope.phase == "handling" and isinstance(error, Exception):
        # Whoever stands outside makes a response of it.
        scope.labels["http.response.status_code"] = 500


@guarded("streaming.sent", None)
def sent(scope: Scope) -> None:
    """The last byte is out: hand the unit over; what the application does from now on is background work of its own."""
    if scope.kind == "background":
        return
    scope.cut("background", scope.name)
    scope.labels.pop("http.response.status_code", None)


@guarded("streaming.finish", None)
def finish(scope: Scope) -> None:
    """Nothing of the unit runs any more: close its scope. Idempotent."""
    scope.close(discard=scope.kind == "background" and scope.is_empty)
    scope.forget()


# --- bodies ---------------------------------------------------------------------------------------------------------


class Body(Generic[T]):
    """A body of which each step runs inside its scope.

    When it is exhausted the scope hands over; when it is closed, early or not, the scope closes, and what ``close`` did after
    the last item is a background of its own.

    Args:
        body: the iterable that a handler returned; its own ``close`` is called.
        scope: an open scope.
    """

    def __init__(self, body: Iterable[T], scope: Scope) -> None:
        self._body = body
        self._scope = scope
        self._steps: Iterator[T] | None = None

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            return self._step()
        except StopIteration:
            sent(self._scope)
            raise
        except BaseException as error:
            failed(self._scope, error)
            finish(self._scope)
            raise

    def _step(self) -> T:
        step = enter(self._scope)
        try:
            if self._steps is None:
                self._steps = iter(self._body)
            return next(self._steps)
        finally:
            leave(step)

    def close(self) -> None:
        """Close the body, inside its scope, then the scope."""
        step = enter(self._scope)
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            leave(step)
            finish(self._scope)


class AsyncBody(Generic[T]):
    """The same for an asynchronous body, but its scope hands over only when it is closed, or ``over()`` is called.

    Over ASGI a last, empty message follows the last item. A client waits for it, and must not wait until the request is judged.
    """

    def __init__(self, body: AsyncIterable[T], scope: Scope) -> None:
        self._body = body
        self._scope = scope
        self._steps: AsyncIterator[T] | None = None
        self._exhausted = False

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        try:
            return await self._step()
        except StopAsyncIteration:
            self._exhausted = True
            self._scope.stopped = self._scope.stopped or perf_counter_ns()
            raise
        except BaseException as error:
            failed(self._scope, error)
            finish(self._scope)
            raise

    async def _step(self) -> T:
        step = enter(self._scope)
        try:
            if self._steps is None:
                self._steps = aiter(self._body)
            return await anext(self._steps)
        finally:
            leave(step)

    def over(self) -> None:
        """The last message is out: hand over what was done for it. What is done from now on is background of its own."""
        if self._exhausted:
            self._exhausted = False
            sent(self._scope)

    async def aclose(self) -> None:
        """Close the body, inside its scope, then the scope."""
        self.over()
        step = enter(self._scope)
        try:
            close = getattr(self._body, "aclose", None)
            if close is not None:
                await close()
        finally:
            leave(step)
            finish(self._scope)


# --- WSGI -----------------------------------------------------------------------------------------------------------


def serve(
    application: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse, scope: Scope
) -> Iterable[bytes]:
    """Run a WSGI application in its scope, which closes with the body.

    A body that is all there, or that the server may send as a file, is returned as it is, and the scope closes at once.
    """
    step = enter(scope)
    start = _Start(start_response, scope)
    try:
        body = application(environ, start)
    except BaseException as error:
        leave(step)
        failed(scope, error)
        finish(scope)
        raise
    leave(step)
    followed = _followed(body, environ, start)
    return body if followed is None else followed


@guarded("streaming.path_of", "")
def path_of(environ: WSGIEnvironment) -> str:
    """The path of a request to a WSGI application, with the part that led to the application."""
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace")  # PEP 3333: bytes in the guise of text


class _Start:
    """``start_response`` that also reads the status, and how many bytes are promised."""

    __slots__ = ("_start_response", "promised", "scope")

    def __init__(self, start_response: StartResponse, scope: Scope) -> None:
        self.scope = scope
        self.promised: int | None = None
        self._start_response = start_response

    def __call__(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None = None,
        /,
    ) -> Callable[[bytes], object]:
        self._read(status, headers)
        if exc_info is None:
            return self._start_response(status, headers)
        return self._start_response(status, headers, exc_info)

    @guarded("streaming.started", None)
    def _read(self, status: str, headers: list[tuple[str, str]]) -> None:
        answered(self.scope, int(status[:3]))
        self.promised = next((int(value) for name, value in headers if name.lower() == "content-length"), None)


class _Promised(Body[bytes]):
    """The body of a WSGI application, which is over with the last byte promised: a server may ask for no more, and some close nothing."""

    def __init__(self, body: Iterable[bytes], start: _Start) -> None:
        super().__init__(body, start.scope)
        self._start = start
        self._bytes = 0

    def __next__(self) -> bytes:
        part = super().__next__()
        self._count(part)
        return part

    @guarded("streaming.promised", None)
    def _count(self, part: bytes) -> None:
        self._bytes += len(part)
        # None is promised by a generator before its first step, and by a response that says no length.
        if self._start.promised is not None and self._bytes >= self._start.promised:
            sent(self._start.scope)


@guarded("streaming.followed", None)
def _followed(body: Iterable[bytes], environ: WSGIEnvironment, start: _Start) -> Body[bytes] | None:
    """The body, each step in its scope; ``None`` where the scope is over and the body stays as it is."""
    wrapper = environ.get("wsgi.file_wrapper")
    # Servers ask a body for its length, send a file by system call, and know their own wrapper by its class.
    if isinstance(body, Sized) or hasattr(body, "read") or (isinstance(wrapper, type) and isinstance(body, wrapper)):
        finish(start.scope)
        return None
    return _Promised(body, start)
