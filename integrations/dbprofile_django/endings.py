"""Endings: a request is handed over once, whatever becomes of the response that its view made.

Servers close the response that they have sent. It need not be the one that our middleware returned: others outside it answer 304 or
redirect in its place, and drop it unclosed. So the request itself tells too, which Django closes with whichever response it got; and
where neither is ever closed the scope ends as the next request begins or ends, or with the process.
"""

from __future__ import annotations

import atexit
from collections import deque
from contextlib import suppress
from functools import partial
from time import perf_counter_ns
from typing import Any, Final, Self

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dbprofile.streaming import Scope, finish, guarded

__all__ = ["end_dropped", "end_with", "hear_requests", "keep_scope", "leave_requests", "scope_of"]

#: The attribute of a request that holds its scope, for the application to use.
SCOPE: Final = "dbprofile"

#: Scopes whose response is on its way, by identity; they are kept until they end.
_awaited: dict[int, Scope] = {}
#: Scopes of responses that were dropped unclosed. A finalizer may run anywhere, under a lock of a sink's too: it only leaves a note.
_dropped: deque[Scope] = deque()
#: Django's own method; it stays when ours goes, for the responses that are on their way.
_original: Any = None
_heard = False


def scope_of(request: HttpRequest) -> Scope | None:
    """The scope of a request."""
    scope: Scope | None = request.__dict__.get(SCOPE)
    return scope


def keep_scope(request: HttpRequest, scope: Scope) -> None:
    """Put the scope on its request."""
    setattr(request, SCOPE, scope)


def end_with(scope: Scope, response: HttpResponseBase) -> None:
    """Have a scope end when the response is closed, when the request is, or when nobody can close them any more."""
    ending = _Ending(scope)
    response._resource_closers.append(ending)  # type: ignore[attr-defined]
    _awaited[id(scope)] = scope


@guarded("django.end", None)
def _end(scope: Scope) -> None:
    _awaited.pop(id(scope), None)
    finish(scope)


@guarded("django.dropped", None)
def end_dropped() -> None:
    """End the scopes of responses that were dropped unclosed."""
    with suppress(IndexError):
        while True:
            _end(_dropped.popleft())


class _Ending:
    """The last closer of a response: it ends the scope. In a pickled response it does nothing, also where dbprofile is absent."""

    __slots__ = ("_scope",)

    _scope: Scope

    def __new__(cls, scope: Scope) -> Self:
        """Whole from the start: what is half made has a finalizer too."""
        ending = super().__new__(cls)
        ending._scope = scope
        return ending

    def __call__(self) -> None:
        _end(self._scope)
        end_dropped()

    def __del__(self) -> None:
        _note_dropped(self._scope)

    def __reduce__(self) -> tuple[object, ...]:
        # Middleware that caches whole responses may stand outside, and pickles a response with its closers.
        return (partial, (bool,))


@guarded("django.note_dropped", None)
def _note_dropped(scope: Scope) -> None:
    if scope.open:
        scope.stopped = scope.stopped or perf_counter_ns()
        _dropped.append(scope)


def _close(self: Any) -> None:
    try:
        _original(self)
    finally:
        _closed(self)


@guarded("django.request_closed", None)
def _closed(request: HttpRequest) -> None:
    scope = scope_of(request)
    # A copy of the request, or the request itself as it is handed to another view, is closed while it is still being handled.
    if scope is not None and id(scope) in _awaited:
        _end(scope)
    end_dropped()


def hear_requests() -> None:
    """Have each request that Django closes end its scope."""
    global _original, _heard
    if not _heard:
        _heard = True
        _original = HttpRequest.close
        HttpRequest.close = _close  # type: ignore[method-assign]
        atexit.register(_end_all)


def leave_requests() -> None:
    """Undo ``hear_requests``, if nobody has replaced ours since."""
    global _heard
    if HttpRequest.close is _close:
        _heard = False
        HttpRequest.close = _original  # type: ignore[method-assign]
        atexit.unregister(_end_all)


def _end_all() -> None:
    """At the end of the process, where a response is kept and was never closed."""
    end_dropped()
    for scope in list(_awaited.values()):
        _end(scope)
