"""The door through which SQLAlchemy's statements come: listeners on the events that may replace a driver call.

They stand on the ``Engine`` class, so they reach every engine, made before or after, sync and async, and open connections. Until
somebody listens they cost nothing; unlike the events round a cursor they leave SQLAlchemy's own fast path alone.
"""

from __future__ import annotations

import logging
import weakref
from functools import cache
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.exc import InvalidRequestError

from dbprofile import hooks
from dbprofile_sqlalchemy import cursor_events, pools, sessions, uses
from dbprofile_sqlalchemy.databases import forget_engines
from dbprofile_sqlalchemy.fixes import propose
from dbprofile_sqlalchemy.flags import put_back, remember
from dbprofile_sqlalchemy.held import forget_sessions, tell
from dbprofile_sqlalchemy.marks import forget_marks, know_marks
from dbprofile_sqlalchemy.relations import forget_relations
from dbprofile_sqlalchemy.statements import (
    INSERTMANYVALUES,
    batch_of,
    begin,
    continue_batch,
    end,
    fail,
    fail_batch,
    keep_batch,
)
from dbprofile_sqlalchemy.transactions import hear_transactions, leave_transactions

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["install", "uninstall"]

_log: Final = logging.getLogger("dbprofile")
_receiver: Final = hooks.receiver


def _do_execute(cursor: Any, statement: Any, parameters: Any, context: Any) -> Literal[True] | None:
    __tracebackhide__ = True
    scope = _receiver()
    if scope is None:
        return None
    if context is None:
        hooks.count_untracked()  # where it goes is not to be known
        return None
    if context.execute_style is INSERTMANYVALUES and batch_of(context):
        return _do_execute_of_batch(scope, cursor, statement, parameters, context)
    watch = begin(scope, statement, parameters, context)
    try:
        dialect = context.dialect
        others = dialect.dispatch.do_execute
        if len(others) == 1 or not _taken_over(others, _do_execute, cursor, statement, parameters, context):
            dialect.do_execute(cursor, statement, parameters, context)
    except BaseException as error:
        fail(watch, context, error)
        raise
    if watch is not None:
        end(watch, context, cursor)
    return True


def _do_execute_of_batch(
    scope: hooks.Scope, cursor: Any, statement: Any, parameters: Any, context: Any
) -> Literal[True]:
    __tracebackhide__ = True
    known = continue_batch(context)
    watch = known or begin(scope, context.statement, context.parameters, context, batch=True)
    started = perf_counter_ns()
    try:
        dialect = context.dialect
        others = dialect.dispatch.do_execute
        if len(others) == 1 or not _taken_over(others, _do_execute, cursor, statement, parameters, context):
            dialect.do_execute(cursor, statement, parameters, context)
    except BaseException as error:
        if known is None:
            fail(watch, context, error)
        else:
            fail_batch(known, started, error)
        raise
    if known is not None:
        hooks.again(known, (perf_counter_ns() - started) * 1e-9)
    elif watch is not None:
        end(watch, context, cursor, batch=True)
        keep_batch(context, watch)
    return True


def _do_executemany(cursor: Any, statement: Any, parameters: Any, context: Any) -> Literal[True] | None:
    __tracebackhide__ = True
    scope = _receiver()
    if scope is None:
        return None
    if context is None:
        hooks.count_untracked()  # where it goes is not to be known
        return None
    watch = begin(scope, statement, parameters, context, batch=True)
    try:
        dialect = context.dialect
        others = dialect.dispatch.do_executemany
        if len(others) == 1 or not _taken_over(others, _do_executemany, cursor, statement, parameters, context):
            dialect.do_executemany(cursor, statement, parameters, context)
    except BaseException as error:
        fail(watch, context, error)
        raise
    if watch is not None:
        end(watch, context, cursor, batch=True)
    return True


def _do_execute_no_params(cursor: Any, statement: Any, context: Any) -> Literal[True] | None:
    __tracebackhide__ = True
    scope = _receiver()
    if scope is None:
        return None
    if context is None:
        hooks.count_untracked()  # where it goes is not to be known
        return None
    watch = begin(scope, statement, None, context)
    try:
        dialect = context.dialect
        others = dialect.dispatch.do_execute_no_params
        if len(others) == 1 or not _taken_over(others, _do_execute_no_params, cursor, statement, context):
            dialect.do_execute_no_params(cursor, statement, context)
    except BaseException as error:
        fail(watch, context, error)
        raise
    if watch is not None:
        end(watch, context, cursor)
    return True


def _taken_over(others: Any, ours: object, *call: Any) -> bool:
    """Whether another library's listener after ours made the driver call instead of the dialect."""
    after = False
    for place, listener in enumerate(others):
        if place == 0 and listener is not ours:
            _warn_of_others()
        if listener is ours:
            after = True
        elif after and listener(*call):
            return True
    return False


@cache
def _warn_of_others() -> None:
    _log.warning(
        "dbprofile: another listener may replace SQLAlchemy's driver calls before ours is asked; what it sends is not seen."
        " Call dbprofile_sqlalchemy.install() before that library is set up"
    )


def _come_before(target: Any, name: str, ours: object) -> bool:
    """Whether others are asked before ours: of an engine, or for the class of any dialect."""
    if target is not Engine:
        return next(iter(getattr(target.dialect.dispatch, name))) is not ours
    by_class = getattr(getattr(Dialect.dispatch, name), "_clslevel", {})
    return any(listeners and listeners[0] is not ours for listeners in list(by_class.values()))


# --- installing -----------------------------------------------------------------------------------------------------

_LISTENERS: Final[tuple[tuple[str, Callable[..., object]], ...]] = (
    ("do_execute", _do_execute),
    ("do_executemany", _do_executemany),
    ("do_execute_no_params", _do_execute_no_params),
)
# The engines that were installed one by one; none while the class is.
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()


def install(engine: Any = None, *, cursor_events: bool = False) -> None:
    """Record the statements of every engine, those that exist and those to come. Idempotent; sends nothing, opens nothing.

    Args:
        engine: only this one, sync or async. Without effect where every engine is installed already.
        cursor_events: use the documented events round each cursor instead, which cost about four times as much. They are used
            anyway where a version of SQLAlchemy no longer lets others listen to the cheaper ones.
    """
    target: Any = getattr(engine, "sync_engine", engine)
    if target is not None and _listens(Engine):
        return
    if target is None:
        for known in list(_engines):
            _unlisten(known)
        _engines.clear()
        _listen(Engine, cursor=cursor_events)
    else:
        _listen(target, cursor=cursor_events)
        _engines.add(target)
    sessions.listen()
    hear_transactions()
    know_marks(whole=_listens(Engine))
    for _, listener in _LISTENERS:
        hooks.know(listener.__code__, hooks.Mark("driver", hooks.LAYER))
    hooks.register_fixes("sqlalchemy", propose)
    hooks.supply("sqlalchemy", hooks.CONNECTIONS, pools.listen, pools.unlisten)
    hooks.supply("sqlalchemy", hooks.USES, uses.audit_uses, uses.leave_uses)
    tell()


def uninstall(engine: Any = None) -> None:
    """Undo ``install``. Idempotent.

    Args:
        engine: only for this one, if it was installed by itself; for all and for every engine otherwise.
    """
    if engine is not None:
        target: Any = getattr(engine, "sync_engine", engine)
        if target in _engines:
            _unlisten(target)
            _engines.discard(target)
        if _engines or _listens(Engine):
            return
    for known in list(_engines):
        _unlisten(known)
    _engines.clear()
    _unlisten(Engine)
    sessions.unlisten()
    leave_transactions()
    forget_marks()
    for _, listener in _LISTENERS:
        hooks.forget(listener.__code__)
    hooks.unregister_fixes("sqlalchemy")
    hooks.withdraw("sqlalchemy")
    forget_sessions()
    forget_engines()
    forget_relations()


def _listens(target: Any) -> bool:
    return _contains(target, *_LISTENERS[0]) or cursor_events.listens(target)


def _contains(target: Any, name: str, listener: Callable[..., object]) -> bool:
    try:
        return event.contains(target, name, listener)
    except InvalidRequestError:
        return False


def _listen(target: Any, *, cursor: bool) -> None:
    if _listens(target):
        return
    remember(target)
    if cursor:
        cursor_events.listen(target)
        return
    try:
        for name, listener in _LISTENERS:
            event.listen(target, name, listener)
            if _come_before(target, name, listener):
                _warn_of_others()
    except InvalidRequestError as refused:
        _unlisten(target)
        _log.warning("dbprofile: SQLAlchemy lets nobody replace a driver call (%s); using its cursor events", refused)
        cursor_events.listen(target)


def _unlisten(target: Any) -> None:
    # Listening twice leaves a copy behind that nothing removes, and removing what is not there raises: hence the questions.
    for name, listener in _LISTENERS:
        if _contains(target, name, listener):
            event.remove(target, name, listener)
    cursor_events.unlisten(target)
    put_back(target)
