"""Pools: when connections are opened, taken and given back, and when their transactions are over. Heard only while somebody asks."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Connection, RootTransaction
from sqlalchemy.pool import Pool

from dbprofile import hooks
from dbprofile_sqlalchemy.transactions import link_of, serial_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["listen", "unlisten"]

_Method = Any
#: What stands in for a method of ``RootTransaction``, and what that class had of its own under the name.
_ours: Final[dict[str, _Method]] = {}
_own: Final[dict[str, _Method]] = {}


@hooks.guarded("sqlalchemy.connect", None)
def _connect(_connection: object, record: Any) -> None:
    hooks.connection_event("sqlalchemy", serial_of(record.info), hooks.Connection.open)


@hooks.guarded("sqlalchemy.checkout", None)
def _checkout(_connection: object, record: Any, _proxy: object) -> None:
    hooks.connection_event("sqlalchemy", serial_of(record.info), hooks.Connection.take)


@hooks.guarded("sqlalchemy.checkin", None)
def _checkin(_connection: object, record: Any) -> None:
    hooks.connection_event("sqlalchemy", serial_of(record.info), hooks.Connection.give_back)


_LISTENERS: Final[tuple[tuple[str, Callable[..., object]], ...]] = (
    ("connect", _connect),
    ("checkout", _checkout),
    ("checkin", _checkin),
)


# --- transactions: SQLAlchemy's own events of them would cost every statement ----------------------------------------


@hooks.guarded("sqlalchemy.begun", None)
def _begun(connection: Connection) -> None:
    hooks.connection_event("sqlalchemy", link_of(connection).serial, hooks.Connection.begin)


@hooks.guarded("sqlalchemy.finished", None)
def _finished(connection: Connection) -> None:
    hooks.connection_event("sqlalchemy", link_of(connection).serial, hooks.Connection.finish)


def _beginning(original: _Method) -> _Method:
    @wraps(original)
    def __init__(self: RootTransaction, connection: Connection, *rest: Any, **keywords: Any) -> None:  # noqa: N807 - it replaces that
        __tracebackhide__ = True
        original(self, connection, *rest, **keywords)
        _begun(connection)

    return __init__


def _finishing(original: _Method) -> _Method:
    # An inherited original is looked up anew: its owner's may be wrapped or not at the time.
    name = original.__name__

    @wraps(original)
    def method(self: RootTransaction) -> None:
        __tracebackhide__ = True
        connection, active = self.connection, self.is_active
        try:
            if _own[name] is None:
                getattr(super(RootTransaction, self), name)()
            else:
                _own[name](self)
        finally:
            if active:
                _finished(connection)

    return method


_METHODS: Final = {"__init__": _beginning, "commit": _finishing, "rollback": _finishing, "close": _finishing}


def listen() -> None:
    """Hear of every pool, and of every transaction's beginning and end. Idempotent."""
    for name, listener in _LISTENERS:
        if not event.contains(Pool, name, listener):
            event.listen(Pool, name, listener)
    for name, wrapping in _METHODS.items():
        if name not in _ours:
            _own[name] = vars(RootTransaction).get(name)
            _ours[name] = wrapping(getattr(RootTransaction, name))
            setattr(RootTransaction, name, _ours[name])


def unlisten() -> None:
    """Undo ``listen``. Idempotent; where somebody has wrapped ours since, theirs stays."""
    for name, listener in _LISTENERS:
        if event.contains(Pool, name, listener):
            event.remove(Pool, name, listener)
    for name, ours in _ours.items():
        if vars(RootTransaction).get(name) is not ours:
            continue
        if _own[name] is None:  # it was inherited
            delattr(RootTransaction, name)
        else:
            setattr(RootTransaction, name, _own[name])
    _ours.clear()
