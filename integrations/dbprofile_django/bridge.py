"""The bridge from coroutines to threads: a statement that a worker thread sends has the lines of the coroutine that waits for it.

Django's async methods run the synchronous ones in a thread, whose stack ends in asgiref; the lines further out are taken before.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from types import FrameType
from typing import Any

from asgiref.sync import SyncToAsync

from dbprofile.hooks import Path, Walk, current_scope, guarded

__all__ = ["awaiting_path", "build_bridge", "remove_bridge"]

_Call = Callable[..., Awaitable[Any]]

_awaiting: ContextVar[Path] = ContextVar("dbprofile_django_awaiting", default=())
_original: _Call | None = None


def awaiting_path(_frame: FrameType) -> Path:
    """The lines of the coroutine that waits for the running thread; for the frame of asgiref's thread handler."""
    return _awaiting.get()


def build_bridge() -> None:
    """Take the lines of whoever awaits a thread, while a scope is open."""
    global _original
    if _original is None:
        _original = SyncToAsync.__call__
        SyncToAsync.__call__ = _bridged(_original)  # type: ignore[assignment, method-assign]


def remove_bridge() -> None:
    """Undo ``build_bridge``, if nobody has replaced ours since."""
    global _original
    if _original is not None and getattr(SyncToAsync.__call__, "__wrapped__", None) is _original:
        SyncToAsync.__call__ = _original  # type: ignore[assignment, method-assign]
        _original = None


def _bridged(original: _Call) -> _Call:
    async def __call__(self: Any, *args: Any, **keywords: Any) -> Any:  # noqa: N807 - it replaces the method of that name
        # All frames are linked now; later a walk along what awaits what would stop at asynchronous generators.
        path = _path_from(sys._getframe(1))
        if path is None:
            return await original(self, *args, **keywords)
        token = _awaiting.set(path)
        try:
            return await original(self, *args, **keywords)
        finally:
            with suppress(ValueError):
                _awaiting.reset(token)

    __call__.__wrapped__ = original  # type: ignore[attr-defined]
    return __call__


@guarded("django.bridge", None)
def _path_from(frame: FrameType) -> Path | None:
    scope = current_scope()
    if scope is None or scope.detailed >= scope.detail_limit:
        return None
    return Walk(frame).path(scope.lane().paths, scope.root)
