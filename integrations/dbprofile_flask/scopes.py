"""DBProfile: the Flask extension that opens a scope round each request."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final

from flask import Flask, request, request_started

from dbprofile import ConfigurationError
from dbprofile.streaming import (
    Profiler,
    Scope,
    carried,
    guarded,
    open_request,
    path_of,
    profiler_for,
    routed,
    serve,
    watch,
)
from dbprofile_flask.commands import command

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["DBProfile"]

_PREFIX: Final = "DBPROFILE_"
_serials = count(1)


class DBProfile:
    """Profiles each request to a Flask application.

    ::

        dbprofile_flask.DBProfile(app)

    or, for an application factory, ``DBProfile()`` and ``init_app(app)``. The application's Profiler is
    ``app.extensions["dbprofile"]``; ``None`` where dbprofile is switched off.

    Args:
        app: the application, if it exists already.
        profiler: a Profiler built by hand, instead of settings; ``DBPROFILE_PROFILER`` may hold one, or its dotted path.
        settings: any of the settings' keys, ``slow_ms=250``: defaults for ``DBPROFILE_SLOW_MS`` … of the application's config.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type.
    """

    def __init__(self, app: Flask | None = None, *, profiler: Profiler | None = None, **settings: object) -> None:
        self._profiler = profiler
        self._settings = settings
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up an application. Its config is read now, its ``debug`` flag again with the first request.

        Raises:
            ConfigurationError: for an unknown key, a value of the wrong type, or an application that is set up already.
        """
        if "dbprofile" in app.extensions:
            raise ConfigurationError(f"dbprofile: {app!r} is set up already; keep one of the two DBProfile")
        for key, value in self._settings.items():
            app.config.setdefault(_PREFIX + key.upper(), value)
        settings = {
            key.removeprefix(_PREFIX).lower(): value for key, value in app.config.items() if key.startswith(_PREFIX)
        }
        named = settings.pop("profiler", None)
        by_hand = self._profiler if self._profiler is not None else _imported(named)
        try:
            profiler = profiler_for(settings, debug=app.debug, profiler=by_hand)
        except ConfigurationError as error:
            raise ConfigurationError(f"{error} In Flask's config a setting is called {_PREFIX}SLOW_MS.") from error
        app.extensions["dbprofile"] = profiler
        app.cli.add_command(command)
        if profiler is not None:
            _Requests(app, profiler, by_hand=by_hand is not None).attach()


def _imported(named: object) -> object:
    if not isinstance(named, str):
        return named
    try:
        found: object = resolve_name(named)
    except (AttributeError, ImportError, ValueError) as error:
        raise ConfigurationError(f"dbprofile: {_PREFIX}PROFILER={named!r} cannot be imported: {error}") from error
    return found


class _Requests:
    """``app.wsgi_app`` with a scope round each request, and what tells the scope of the request's course."""

    def __init__(self, app: Flask, profiler: Profiler, *, by_hand: bool) -> None:
        self._app = app
        self._wsgi_app: WSGIApplication = app.wsgi_app
        self._profiler = profiler
        self._by_hand = by_hand
        self._first = count()
        # Where a request's scope waits for the signals: the environment is the request's own, and the key is this application's.
        self._key = f"dbprofile.scope.{next(_serials)}"

    def attach(self) -> None:
        self._app.wsgi_app = self  # type: ignore[method-assign]  # as Flask's documentation tells middleware to do
        request_started.connect(self.started, self._app)
        self._app.teardown_request(self.torn_down)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        scope = self.open(environ)
        if scope is None:
            return self._wsgi_app(environ, start_response)
        return serve(self._wsgi_app, environ, start_response, scope)

    @guarded("flask.open", None)
    def open(self, environ: WSGIEnvironment) -> Scope | None:
        if next(self._first) == 0 and not self._by_hand:
            # ``app.run(debug=True)`` sets the flag long after the extension has been made.
            watch(self._profiler, self._app.debug)
        outer = carried(self._profiler, environ)
        if outer is not None:
            environ[self._key] = outer  # which has no name for the request yet
            return None
        scope = open_request(self._profiler, environ["REQUEST_METHOD"], path_of(environ), carrier=environ)
        if scope is not None:
            environ[self._key] = scope
        return scope

    @guarded("flask.started", None)
    def started(self, _: Flask, **_more: object) -> None:
        scope, rule = self._scope(), request.url_rule
        if scope is not None and rule is not None:
            routed(scope, request.method, rule.rule)

    @guarded("flask.torn_down", None)
    def torn_down(self, error: BaseException | None) -> None:
        scope = self._scope()
        # A request context that was copied into a thread, or pushed again, is torn down while the request is still being handled.
        if scope is not None and (scope.phase != "handling" or error is not None):
            scope.settle()

    def _scope(self) -> Scope | None:
        scope = request.environ.get(self._key)
        return scope if isinstance(scope, Scope) else None
