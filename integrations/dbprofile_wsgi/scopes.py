"""ProfileMiddleware: WSGI middleware that opens a scope round each request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dbprofile.streaming import Profiler, Scope, guarded, open_request, path_of, profiler_for, routed, serve

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["ProfileMiddleware"]


class ProfileMiddleware:
    """Profiles each request to a WSGI application.

    ::

        application = dbprofile_wsgi.ProfileMiddleware(application)

    Args:
        app: the application.
        name: called with the environment before the application, answers with the route's pattern (``/orders/<number>``) or
            ``None``. It names the request and is a label of metrics, so it must not hold what varies from request to request. Without
            it people see method and path, and metrics the method alone.
        profiler: a Profiler built by hand, instead of settings.
        debug: whether a person is watching: turns the console on or off. By default a terminal on standard error decides.
        settings: any of the settings' keys, ``slow_ms=250``.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        name: Callable[[WSGIEnvironment], str | None] | None = None,
        profiler: Profiler | None = None,
        debug: bool | None = None,
        **settings: object,
    ) -> None:
        self.app = app
        self._name = name
        if debug is not None:
            settings["debug"] = debug
        self._profiler = profiler_for(settings, debug=None, profiler=profiler)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request."""
        scope = None if self._profiler is None else _open(self._profiler, environ, self._name)
        if scope is None:
            return self.app(environ, start_response)
        return serve(self.app, environ, start_response, scope)


@guarded("wsgi.open", None)
def _open(
    profiler: Profiler, environ: WSGIEnvironment, name: Callable[[WSGIEnvironment], str | None] | None
) -> Scope | None:
    method = environ["REQUEST_METHOD"]
    scope = open_request(profiler, method, path_of(environ), carrier=environ)
    if scope is not None and name is not None:
        _ask(name, environ, scope, method)
    return scope


@guarded("wsgi.name", None)
def _ask(name: Callable[[WSGIEnvironment], str | None], environ: WSGIEnvironment, scope: Scope, method: str) -> None:
    pattern = name(environ)
    if pattern is not None:
        routed(scope, method, pattern)
