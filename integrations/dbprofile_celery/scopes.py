"""Scopes: one round each Celery task, opened and closed by the signals that workers and eager calls send."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from celery import Celery, current_task, signals
from celery.exceptions import Retry
from celery.local import Proxy
from celery.utils.dispatch import Signal
from celery.utils.log import LoggingProxy

from dbprofile.streaming import (
    Profiler,
    Scope,
    current_scope,
    enter,
    failed,
    finish,
    guarded,
    leave,
    open_scope,
    profiler_for,
    watch,
)
from dbprofile_celery.parents import HEADER, parent_of, unit_of, written

__all__ = ["install", "uninstall"]


class _Running(NamedTuple):
    """A task that has begun."""

    scope: Scope
    step: AbstractContextManager[Scope] | None


#: By the request, of which each execution has one of its own: a task may be applied in place under its own id, and a message that
#: is delivered twice may run twice at once.
_running: Final[WeakKeyDictionary[Any, _Running]] = WeakKeyDictionary()


# --- installing -----------------------------------------------------------------------------------------------------


class _Installation(NamedTuple):
    """What one ``install()`` asked for."""

    profiler: Profiler | None
    """``None`` where it is switched off."""
    is_default: bool = False
    """Whether it is the process's default Profiler, which a framework may build that is set up after us."""
    is_by_hand: bool = False

    def profiler_of_task(self, *, is_worker: bool) -> Profiler | None:
        """Whom to tell of a task. Nobody watches the console of a process that is no worker, unless its own framework says so."""
        debug = _is_terminal() if is_worker else False
        if self.is_default:
            return profiler_for({}, debug=debug)
        if is_worker and self.profiler is not None and not self.is_by_hand:
            watch(self.profiler, debug)
        return self.profiler


def _is_terminal() -> bool | None:
    """Whether a worker runs in a terminal; ``None`` lets standard error decide, where Celery has not put a proxy in its place."""
    if not isinstance(sys.stderr, LoggingProxy):
        return None
    return sys.__stderr__ is not None and sys.__stderr__.isatty()


_by_app: Final[WeakKeyDictionary[Celery, _Installation]] = WeakKeyDictionary()
_for_all: _Installation | None = None


def install(app: Celery | None = None, *, profiler: Profiler | None = None, **settings: object) -> None:
    """Profile each task, and tell it which unit of work published it. Idempotent; connects to no broker.

    Args:
        app: only tasks of this application; of every one otherwise. What was installed for an application goes before what was
            installed for all.
        profiler: a Profiler built by hand, instead of settings.
        settings: any of the settings' keys, ``slow_ms=250``; the patterns of ``include`` and ``exclude`` are about names of tasks.
            Without any it is the process's default Profiler, and what was installed before stays as it is.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type.
    """
    global _for_all
    app = _itself(app)
    if profiler is not None or settings:
        chosen = profiler_for(settings, debug=False, profiler=profiler)
        installation = _Installation(chosen, is_by_hand=profiler is not None)
    elif (_for_all if app is None else _by_app.get(app)) is not None:
        return
    else:
        installation = _Installation(None, is_default=True)
    if app is None:
        _for_all = installation
    else:
        _by_app[app] = installation
    for signal, receiver in _RECEIVERS.items():
        signal.connect(receiver, weak=False, dispatch_uid=_UID)


def uninstall(app: Celery | None = None) -> None:
    """Undo ``install``. Idempotent. A task that is running is profiled to its end.

    Args:
        app: only for this application, if it was installed by itself; for all of them otherwise.
    """
    global _for_all
    app = _itself(app)
    if app is not None:
        _by_app.pop(app, None)
        if _by_app or _for_all is not None:
            return
    _by_app.clear()
    _for_all = None
    for signal in _RECEIVERS:
        if signal is not signals.task_postrun or not _running:
            signal.disconnect(dispatch_uid=_UID)


def _itself(app: Celery | None) -> Celery | None:
    """What ``celery.current_app`` stands for."""
    return app._get_current_object() if isinstance(app, Proxy) else app  # noqa: SLF001 - the documented way to it


# --- a task begins --------------------------------------------------------------------------------------------------


@guarded("celery.begun", None)
def _begun(sender: Any, **_more: object) -> None:
    request = sender.request_stack.top
    installation = _by_app.get(sender.app, _for_all)
    if request is None or installation is None:
        return
    profiler = installation.profiler_of_task(is_worker=not request.is_eager)
    if profiler is None:
        return
    scope = open_scope(profiler, "task", sender.name, path=sender.name, labels=_labels(request))
    if scope is None:
        return
    _adopt(scope, request)
    scope.root = _tracer_frame()
    _running[request] = _Running(scope, enter(scope))


@guarded("celery.labels", None)
def _labels(request: Any) -> dict[str, object]:
    labels: dict[str, object] = {}
    if not request.is_eager:
        labels["messaging.system"] = "celery"
        labels["messaging.operation.type"] = "process"
        queue = (request.delivery_info or {}).get("routing_key")
        if queue:
            labels["messaging.destination.name"] = str(queue)
        labels["messaging.message.id"] = str(request.id)
    if request.retries:
        labels["celery.retries"] = request.retries
    return labels


@guarded("celery.adopt", None)
def _adopt(scope: Scope, request: Any) -> None:
    """Tell a scope of its parent: who published the task, or who applies it here and now."""
    if request.is_eager:
        if scope.outer is not None:
            scope.parent = unit_of(scope.outer).number
        return
    parent = parent_of((request.headers or {}).get(HEADER))
    if parent is None:
        return
    if parent.process:
        scope.labels["dbprofile.parent.number"] = parent.number
        scope.labels["dbprofile.parent.process"] = parent.process
    else:
        scope.parent = parent.number


def _tracer_frame() -> FrameType | None:
    """The frame that sends the signals of a task and runs it: the outermost of those that its statements stand in."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the frame itself is wanted, not a copy of the stack
    while frame is not None and frame.f_code is not Signal.send.__code__:
        frame = frame.f_back
    return frame.f_back if frame is not None else None


# --- and ends -------------------------------------------------------------------------------------------------------


def _running_of(task: Any) -> _Running | None:
    request = task.request_stack.top  # none where a worker's main process tells of a child that it has lost
    return _running.get(request) if request is not None else None


@guarded("celery.succeeded", None)
def _succeeded(sender: Any, **_more: object) -> None:
    running = _running_of(sender)
    if running is not None:
        running.scope.settle()


@guarded("celery.failed", None)
def _failed(sender: Any, **_more: object) -> None:
    running = _running_of(sender)
    if running is not None:
        # Not what the signal gives: an exception that cannot be pickled is another there.
        _blame(running.scope, sys.exception())
        running.scope.settle()


def _blame(scope: Scope, error: BaseException | None) -> None:
    cause = error.exc if isinstance(error, Retry) else error
    if isinstance(cause, BaseException):
        failed(scope, cause)


@guarded("celery.ended", None)
def _ended(sender: Any, state: str | None = None, **_more: object) -> None:
    running = _running_of(sender)
    if running is None:
        return
    del _running[sender.request_stack.top]
    _conclude(running.scope, state)
    leave(running.step)
    finish(running.scope)
    if _for_all is None and not _by_app and not _running:
        signals.task_postrun.disconnect(dispatch_uid=_UID)


@guarded("celery.conclude", None)
def _conclude(scope: Scope, state: str | None) -> None:
    if state is None:
        # On its way out of the tracer: what an eager call propagates, or SystemExit.
        error = sys.exception()
        _blame(scope, error)
        if isinstance(error, Exception):
            state = "RETRY" if isinstance(error, Retry) else "FAILURE"
    if state is not None:
        scope.labels["celery.state"] = state


# --- a task is published --------------------------------------------------------------------------------------------


@guarded("celery.published", None)
def _published(headers: dict[str, object], body: Any = None, **_more: object) -> None:
    request = current_task.request if current_task else None
    number = headers.get("id") or body["id"]  # the first version of the protocol has it in the body
    if request is not None and request.id == number:
        # A retry, or what the task is replaced by, is the child of whose child the task is.
        header = (request.headers or {}).get(HEADER)
    else:
        scope = current_scope()
        header = written(scope) if scope is not None else None
    if header is not None:
        headers[HEADER] = header
    else:
        headers.pop(HEADER, None)  # what came along with headers that were copied from another message


_UID: Final = "dbprofile"
_RECEIVERS: Final[dict[Signal, Callable[..., None]]] = {
    signals.before_task_publish: _published,
    signals.task_prerun: _begun,
    signals.task_success: _succeeded,
    signals.task_failure: _failed,
    signals.task_retry: _failed,
    signals.task_postrun: _ended,
}
