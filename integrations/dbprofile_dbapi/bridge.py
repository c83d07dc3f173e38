"""The bridge to aiosqlite's threads: what a thread executes for a coroutine belongs to the coroutine's scope, and has its lines.

aiosqlite calls SQLite's driver in a thread for each connection, which has no context of anybody's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Final

from dbprofile.hooks import (
    Mark,
    Path,
    Scope,
    forget,
    guarded,
    know,
    layers,
    made_current,
    muted,
    travelling,
)
from dbprofile_dbapi.statements import origin

__all__ = ["build_bridge", "opened_by_thread", "remove_bridge"]

_LIBRARY: Final = "aiosqlite"
#: The coroutine through which all calls of a connection and its cursors reach the thread.
_METHOD: Final = "_execute"
_built: list[tuple[Any, Any, Any]] = []


def opened_by_thread(frame: FrameType | None) -> bool:
    """Whether a connection is being opened by a thread of aiosqlite's."""
    while frame is not None and frame.f_globals.get("__name__", "").startswith("dbprofile"):
        frame = frame.f_back
    return frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _LIBRARY


def build_bridge() -> bool:
    """Follow what aiosqlite hands to its threads. Idempotent; answers whether it is followed now."""
    if _built:
        return True
    owner: Any = getattr(sys.modules.get(_LIBRARY), "Connection", None)
    original = vars(owner).get(_METHOD) if owner is not None else None
    if original is None:
        return False
    ours = _following(original)
    setattr(owner, _METHOD, ours)
    know(_cross.__code__, Mark("aiosqlite", "bridge", splice=_path_beyond))
    _built.append((owner, original, ours))
    return True


def remove_bridge() -> None:
    """Undo ``build_bridge``, if nobody has replaced ours since."""
    for owner, original, ours in _built:
        if vars(owner).get(_METHOD) is ours:
            setattr(owner, _METHOD, original)
        forget(_cross.__code__)
    _built.clear()


def _following(original: Callable[..., Any]) -> Callable[..., Any]:
    async def _execute(self: Any, function: Any, *arguments: Any, **keywords: Any) -> Any:
        # What takes no arguments sends no statement: a commit, a fetch of all rows.
        crossing = _crossing(function, sys._getframe(1)) if arguments else None
        return await original(self, crossing or function, *arguments, **keywords)

    return _execute


@guarded("dbapi.bridge", None)
def _crossing(function: Callable[..., Any], frame: FrameType) -> Callable[..., Any]:
    """The function as the thread is to call it."""
    asked = origin(frame)
    if asked is not None and asked.package in layers:
        with muted():  # it is recorded where it comes from
            return partial(_cross, (), travelling(), function)
    path = asked.path if asked is not None else None
    return partial(_cross, path or (), travelling(), function)


def _cross(path: Path, scope: Scope | None, function: Callable[..., Any], /, *arguments: Any, **keywords: Any) -> Any:  # noqa: ARG001 - the path is read off the frame
    __tracebackhide__ = True
    with made_current(scope):
        return function(*arguments, **keywords)


def _path_beyond(frame: FrameType) -> Path:
    path: Path = frame.f_locals["path"]
    return path
