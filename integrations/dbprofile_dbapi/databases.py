"""Drivers by the name of their module, and what a connection says of the database that it leads to, without asking it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from dbprofile.hooks import Database

__all__ = ["DRIVERS", "Driver", "Link", "driver_of", "link_of"]


class Driver(NamedTuple):
    """One driver."""

    module: str
    system: str
    dialect: str
    paramstyle: str
    read: Callable[[Any], dict[str, Any]]
    """The namespace, host and port of a connection; never its user or password."""
    commits_itself: Callable[[Any], bool]
    """Whether the connection is in autocommit mode, as far as an attribute tells."""


class Link:
    """What is kept of one connection."""

    __slots__ = ("database", "serial")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.serial = next(_serials)


_serials: Final = count(1)


def _nothing(_connection: Any) -> dict[str, Any]:
    return {}


def _postgresql(connection: Any) -> dict[str, Any]:
    info = connection.info
    return {"namespace": info.dbname, "host": info.host, "port": info.port}


def _mysql(connection: Any) -> dict[str, Any]:
    namespace = getattr(connection, "db", None)
    if isinstance(namespace, bytes):
        namespace = namespace.decode("utf-8", "replace")
    known = namespace if isinstance(namespace, str) else None  # MySQLdb has a method of another name
    host, port = getattr(connection, "host", None), getattr(connection, "port", None)
    return {
        "namespace": known,
        "host": host if isinstance(host, str) else None,
        "port": port if isinstance(port, int) else None,
    }


def _by_attribute(connection: Any) -> bool:
    return bool(connection.autocommit)


def _by_method(connection: Any) -> bool:
    return bool(connection.get_autocommit())


def _sqlite(connection: Any) -> bool:
    # Without an isolation level the driver begins nothing by itself.
    return connection.isolation_level is None and not connection.in_transaction


#: Drivers that ``install()`` knows by name.
DRIVERS: Final = {
    driver.module: driver
    for driver in (
        Driver("sqlite3", "sqlite", "sqlite", "qmark", _nothing, _sqlite),
        Driver("psycopg2", "postgresql", "postgresql", "pyformat", _postgresql, _by_attribute),
        Driver("psycopg", "postgresql", "postgresql", "pyformat", _postgresql, _by_attribute),
        Driver("MySQLdb", "mysql", "mysql", "pyformat", _mysql, _by_method),
        Driver("pymysql", "mysql", "mysql", "pyformat", _mysql, _by_method),
    )
}
_links: WeakKeyDictionary[Any, Link] = WeakKeyDictionary()


def driver_of(connection: Any, name: str = "") -> Driver:
    """The driver of a connection, by the name of its module; one that is not known is described by what DB-API 2 says of it."""
    name = name or type(connection).__module__.partition(".")[0].lstrip("_")
    return DRIVERS.get(name) or Driver(name, "other_sql", "generic", "", _nothing, lambda _connection: False)


def link_of(connection: Any, driver: Driver, **known: Any) -> Link:
    """What is kept of a connection, read from it at its first statement.

    Args:
        connection: the driver's own.
        driver: whose it is.
        known: fields of the Database that were said when it was opened (``namespace`` of a SQLite file).
    """
    link = _links.get(connection)
    if link is None:
        fields = {**driver.read(connection), **known}
        link = Link(
            Database(
                driver.module,
                system=driver.system,
                dialect=driver.dialect,
                paramstyle=driver.paramstyle or None,
                awaited="Async" in type(connection).__name__,
                **fields,
            )
        )
        _links[connection] = link
    return link
