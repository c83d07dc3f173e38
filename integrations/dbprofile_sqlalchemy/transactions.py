"""Transactions: which one a statement runs in, and what a rollback takes back.

SQLAlchemy commits and rolls back by calls of its driver, and listening to its events of them would cost every statement. Each rollback
passes one of two public methods, also where a Session or Connection is closed in the middle of a transaction: those are wrapped.
"""

from __future__ import annotations

import weakref
from functools import wraps
from itertools import count
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine import Connection, NestedTransaction, Transaction

from dbprofile import hooks

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

__all__ = ["Link", "hear_transactions", "leave_transactions", "link_of", "serial_of"]

_connections: Final = count(1)
_transactions: Final = count(1)
#: Under this key a driver connection's own dictionary holds its serial number.
_SERIAL: Final = "dbprofile_serial"
#: How statements begin that change nothing, so that a rollback has nothing of theirs to take back.
_READS: Final = ("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK")

_Method = Any
_originals: Final[dict[tuple[type, str], tuple[_Method, _Method]]] = {}
#: When each savepoint that is still there was set (nanoseconds).
_savepoints: Final[weakref.WeakKeyDictionary[NestedTransaction, int]] = weakref.WeakKeyDictionary()


def _none() -> None:
    """What stands for a reference before there is one."""


class Link:
    """What is known of one Connection while it is checked out.

    Attributes:
        serial: number of the driver's connection.
        transaction: a weak reference to the root transaction it was last seen in; a Connection that nobody closed must go back
            to its pool as soon as it would without us.
        number: of that transaction.
        began: before its first statement that was recorded (nanoseconds).
        session: the Session that began it, if any.
        wrote: whether a statement of the transaction may have changed something.
    """

    __slots__ = ("began", "number", "serial", "session", "transaction", "wrote")

    def __init__(self, connection: Connection) -> None:
        self.serial = serial_of(connection.info)
        self.number = self.began = 0
        self.wrote = False
        self.session: weakref.ref[Session] | None = None
        self.transaction: Callable[[], object] = _none

    def number_of(self, transaction: object) -> int:
        """The number of a root transaction; a new one where it is not the one seen last."""
        if self.transaction() is not transaction:
            self.transaction = weakref.ref(transaction)
            self.number = next(_transactions)
            self.began = perf_counter_ns()
            self.wrote = False
        return self.number


def serial_of(info: dict[Any, Any]) -> int:
    """The number of a driver's connection, kept in its own dictionary for as long as it is open."""
    serial: int | None = info.get(_SERIAL)
    if serial is None:
        serial = info[_SERIAL] = next(_connections)
    return serial


def link_of(connection: Any) -> Link:
    """The link of a Connection, which holds it as an attribute for as long as it lives."""
    try:
        link: Link = connection._dbprofile_link
    except AttributeError:
        link = connection._dbprofile_link = Link(connection)
    return link


# --- what transactions tell -----------------------------------------------------------------------------------------


@hooks.guarded("sqlalchemy.set_savepoint", None)
def _set_savepoint(transaction: NestedTransaction) -> None:
    _savepoints[transaction] = perf_counter_ns()


@hooks.guarded("sqlalchemy.take_back", None)
def _take_back(transaction: Transaction) -> None:
    connection = transaction.connection
    link: Link | None = getattr(connection, "_dbprofile_link", None)
    root = connection.get_transaction()
    if link is None or root is None or link.transaction() is not root:
        return  # no statement of it was recorded
    if transaction is root:  # until it is committed; also if that failed
        since = link.began
    elif isinstance(transaction, NestedTransaction) and transaction.is_active:
        since = _savepoints.get(transaction, 0)
    else:
        return
    if since and link.wrote:
        for query in hooks.recorded_since(since):
            if query.transaction == link.number and not _only_reads(query):
                query.undone = True


def _only_reads(query: hooks.Query) -> bool:
    why = query.provenance
    if why is not None and why.role == "write":
        return False
    sql = query.raw_sql
    return type(sql) is str and (sql.startswith("SELECT") or sql[:32].lstrip().upper().startswith(_READS))


def _taking_back(original: _Method) -> _Method:
    # First: a ROLLBACK TO that the original sends is of the transaction round the savepoint, and afterwards none is there to ask.
    @wraps(original)
    def method(self: Transaction) -> None:
        __tracebackhide__ = True
        _take_back(self)
        original(self)

    return method


def _setting_savepoint(original: _Method) -> _Method:
    @wraps(original)
    def begin_nested(self: Connection) -> NestedTransaction:
        __tracebackhide__ = True
        transaction: NestedTransaction = original(self)
        _set_savepoint(transaction)
        return transaction

    return begin_nested


_METHODS: Final[tuple[tuple[type, str, Callable[[_Method], _Method]], ...]] = (
    (Transaction, "rollback", _taking_back),
    (Transaction, "close", _taking_back),
    (Connection, "begin_nested", _setting_savepoint),
)


def hear_transactions() -> None:
    """Hear of what is rolled back, from any Session or Connection. Idempotent."""
    for owner, name, wrapping in _METHODS:
        if (owner, name) not in _originals:
            original = vars(owner)[name]
            ours = wrapping(original)
            _originals[owner, name] = (original, ours)
            setattr(owner, name, ours)


def leave_transactions() -> None:
    """Undo ``hear_transactions``. Idempotent; where somebody has wrapped ours since, theirs stays, and ours has nothing to tell."""
    for (owner, name), (original, ours) in _originals.items():
        if vars(owner).get(name) is ours:
            setattr(owner, name, original)
    _originals.clear()
    _savepoints.clear()
