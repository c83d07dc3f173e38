"""Driver: what is known of a DB-API module. Link: what is known of one connection, without asking the database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from types import ModuleType
from typing import Any, Final
from weakref import WeakSet

from dbprofile.hooks import Database

__all__ = ["Driver", "Link", "Names", "links", "name_of"]

_serials = count(1)
_transactions = count(1)


@dataclass(frozen=True)
class Names:
    """How a database is called: never by a user or a password."""

    namespace: str | None = None
    """The database on its server; of SQLite the file."""
    host: str | None = None
    port: int | None = None
    system: str = ""
    """The product, where the connection says it more precisely than its driver."""


@dataclass(frozen=True, eq=False)
class Driver:
    """One DB-API module."""

    module: ModuleType
    system: str = "other_sql"
    dialect: str = "generic"
    names: Callable[[Any, Sequence[Any], Mapping[str, Any]], Names] = lambda _connection, _arguments, _keywords: Names()
    """Of a new connection, and of what ``connect`` was called with; reads nothing but what the client knows."""
    state: Callable[[Any], int] | None = None
    """Of a connection; with ``mask`` not zero while it is in a transaction. ``None`` where asking would cost a statement."""
    mask: int = 1
    errors: tuple[type[Exception], ...] = ()
    """What the driver raises, and what a closed connection does where it has no attributes left."""
    counts_early: bool = True
    """Whether the rows that a statement wrote are known before the rows that it returns are read."""

    @property
    def name(self) -> str:
        """The module's."""
        return self.module.__name__

    def database(self, names: Names) -> Database:
        """The Database behind a connection."""
        return Database(
            name=name_of(names),
            system=names.system or self.system,
            dialect=self.dialect,
            paramstyle=getattr(self.module, "paramstyle", None),
            namespace=names.namespace,
            host=names.host,
            port=names.port,
        )


def name_of(names: Names) -> str:
    """A name that tells databases apart: the same statement sent to two of them is not sent twice."""
    name = names.namespace or "default"
    if names.host is None:
        return name
    return f"{name}@{names.host}" if names.port is None else f"{name}@{names.host}:{names.port}"


class Link:
    """What is known of one connection.

    Attributes:
        on: whether its statements are recorded.
        setting_up: a library that records its statements opened it, and has sent none yet: what is sent now sets it up.
        transaction: number of the transaction that it was last seen in; ``None`` outside any.
    """

    __slots__ = ("__weakref__", "database", "driver", "on", "serial", "setting_up", "transaction")

    def __init__(self, driver: Driver, database: Database, *, setting_up: bool = False) -> None:
        self.driver = driver
        self.database = database
        self.serial = next(_serials)
        self.on = True
        self.setting_up = setting_up
        self.transaction: int | None = None
        links.add(self)

    def inside(self, connection: Any) -> bool | None:
        """Whether a connection is in a transaction now; ``None`` where nobody can say."""
        driver = self.driver
        if driver.state is None:
            return None
        try:
            return bool(driver.state(connection) & driver.mask)
        except driver.errors:
            return None

    def begin(self) -> int:
        """The number of the transaction that the connection is in."""
        if self.transaction is None:
            self.transaction = next(_transactions)
        return self.transaction


#: Of all connections that are open and were watched.
links: Final[WeakSet[Link]] = WeakSet()
