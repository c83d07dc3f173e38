"""ProfileMiddleware: pure ASGI middleware that opens a scope round each request, and one for each message of a websocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import perf_counter_ns
from typing import Any, Final, overload

from dbprofile.streaming import (
    Profiler,
    Scope,
    answered,
    enter,
    failed,
    finish,
    guarded,
    leave,
    open_request,
    open_scope,
    profiler_for,
    routed,
    sent,
)
from dbprofile_asgi.routes import pattern_of

__all__ = ["ProfileMiddleware"]

# What servers and frameworks hand over; the values of both mappings are theirs.
_Connection = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_Application = Callable[[_Connection, _Receive, _Send], Awaitable[None]]

#: The status of a response that stands for an exception.
_FAILED: Final = 500


class ProfileMiddleware:
    """Profiles each request to an ASGI application, and each message that arrives on a websocket.

    ::

        app.add_middleware(dbprofile_asgi.ProfileMiddleware)  # Starlette, FastAPI
        app = dbprofile_asgi.ProfileMiddleware(app)  # any ASGI application

    Args:
        app: the application.
        profiler: a Profiler built by hand, instead of settings.
        debug: whether a person is watching: turns the console on or off. By default a terminal on standard error decides.
        settings: any of the settings' keys, ``slow_ms=250``.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type. Starlette makes its middleware when it starts, not when
            it is added.
    """

    # Two ways to say it: Starlette's types hand the application over by position only, and say so beside any other keyword; its
    # older versions and Litestar hand it over by name.
    @overload
    def __init__(
        self, app: _Application, /, *, profiler: Profiler | None = None, debug: bool | None = None, **settings: object
    ) -> None: ...

    @overload
    def __init__(
        self, *, app: _Application, profiler: Profiler | None = None, debug: bool | None = None, **settings: object
    ) -> None: ...

    def __init__(  # type: ignore[misc]  # a setting called `app` is nobody's
        self, app: _Application, *, profiler: Profiler | None = None, debug: bool | None = None, **settings: object
    ) -> None:
        self.app = app
        if debug is not None:
            settings["debug"] = debug
        self._profiler = profiler_for(settings, debug=None, profiler=profiler)

    async def __call__(self, scope: _Connection, receive: _Receive, send: _Send) -> None:
        """Serve a connection."""
        exchange = None if self._profiler is None else _open(self._profiler, scope, receive, send)
        if exchange is None:
            await self.app(scope, receive, send)
            return
        step = enter(exchange.scope)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            leave(step)
            finish(exchange.scope)


@guarded("asgi.open", None)
def _open(profiler: Profiler, connection: _Connection, receive: _Receive, send: _Send) -> _Request | _Websocket | None:
    kind = connection["type"]
    if kind == "http":
        scope = open_request(profiler, connection["method"], connection["path"], carrier=connection)
        return None if scope is None else _Request(scope, connection, receive, send)
    if kind == "websocket":
        path = connection["path"]
        scope = open_scope(profiler, "background", f"WEBSOCKET {path}", path=path, carrier=connection)
        return None if scope is None else _Websocket(scope, connection, receive, send)
    return None


class _Request:
    """One request over HTTP: its scope learns the route when the response starts, and is over with the last message."""

    __slots__ = ("_connection", "_send", "_trailers", "receive", "scope")

    def __init__(self, scope: Scope, connection: _Connection, receive: _Receive, send: _Send) -> None:
        self.scope = scope
        self.receive = receive
        self._connection = connection
        self._send = send
        self._trailers = False

    async def send(self, message: _Message) -> None:
        last = self._noted(message)
        # Starlette answers for an exception first and lets it pass then: the request waits for its class.
        failing = last and self.scope.labels.get("http.response.status_code") == _FAILED
        if last and not failing:
            self.scope.settle()
        await self._send(message)
        if failing:
            self.scope.stopped = perf_counter_ns()
        elif last:
            sent(self.scope)

    @guarded("asgi.send", False)
    def _noted(self, message: Mapping[str, Any]) -> bool:
        """Take from a message what the scope should know. Whether it is the last of the response."""
        kind = message["type"]
        if kind == "http.response.start":
            self._name()
            self._trailers = bool(message.get("trailers"))
            answered(self.scope, message["status"])
            return False
        if kind == "http.response.trailers":
            return not message.get("more_trailers")
        if kind in {"http.response.body", "http.response.zerocopysend"}:
            return not message.get("more_body") and not self._trailers
        return kind == "http.response.pathsend" and not self._trailers

    @guarded("asgi.name", None)
    def _name(self) -> None:
        pattern = pattern_of(self._connection)
        if pattern is not None:
            routed(self.scope, self._connection["method"], pattern)

    @guarded("asgi.failed", None)
    def failed(self, error: BaseException) -> None:
        if self.scope.phase == "handling":
            self._name()
        failed(self.scope, error)


class _Websocket:
    """One websocket: a unit of work from each message until the application asks for the next one.

    What runs before the first message, and what runs while the application waits for one (a task that pushes), is background, handed
    over only if it sent statements. Nothing settles: the server's span is that of the whole connection.
    """

    __slots__ = ("_connection", "_handling", "_receive", "scope", "send")

    def __init__(self, scope: Scope, connection: _Connection, receive: _Receive, send: _Send) -> None:
        self.scope = scope
        self.send = send
        self._connection = connection
        self._receive = receive
        self._handling = False
        scope.settled = True

    async def receive(self) -> _Message:
        self._asked()
        message = await self._receive()
        self._arrived(message)
        return message

    @guarded("asgi.asked", None)
    def _asked(self) -> None:
        if self._handling:
            self._handling = False
            sent(self.scope)
        elif "http.route" not in self.scope.labels:
            # The application asks for the handshake: the framework has routed by now.
            pattern = pattern_of(self._connection)
            if pattern is not None:
                routed(self.scope, "WEBSOCKET", pattern)

    @guarded("asgi.arrived", None)
    def _arrived(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "websocket.receive":
            scope = self.scope
            scope.cut("message", scope.name, "handling", discard=not self._handling and scope.is_empty)
            scope.parent = None
            self._handling = True

    @guarded("asgi.failed", None)
    def failed(self, error: BaseException) -> None:
        failed(self.scope, error)
