"""The doors to MySQL's drivers: PyMySQL and mysqlclient, whose connections and cursors are classes of Python's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from types import ModuleType
from typing import Any, Final

from dbprofile_dbapi.connections import Driver, Names
from dbprofile_dbapi.cursors import Procedures, combined
from dbprofile_dbapi.doors import Call, Door
from dbprofile_dbapi.factories import Argument, Connection, CursorFactory
from dbprofile_dbapi.proxies import ConnectionProxy

__all__ = ["MySQLClient", "PyMySQL"]


class _MySQL(Door):
    """What both have in common: ``connect`` makes a connection of one class, which makes cursors of one by default."""

    def __init__(self, driver: Driver, argument: str) -> None:
        module: Any = driver.module
        super().__init__(driver, (module, "connect"), (module, "Connect"))
        self._ours: Any = combined(Connection, module.connections.Connection)
        # Their cursors iterate by fetchone, so no method of ours times a row a second time.
        self._ours._dbprofile_factory = CursorFactory(Argument(0, argument), attrgetter("cursorclass"), Procedures)

    def prepare(self, _call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
        """The class itself, with our method."""
        return self._ours, arguments, keywords

    def wrap(self, connection: Any) -> Any:
        """A proxy: it sees cursors of whatever class."""
        return ConnectionProxy(connection, self.link(connection))


class PyMySQL(_MySQL):
    """PyMySQL's."""

    def __init__(self, module: ModuleType) -> None:
        # The server tells its state with each answer: the lowest bit is set in a transaction.
        state = attrgetter("server_status")
        super().__init__(Driver(module, "mysql", "mysql", _names_of_pymysql, state, errors=(AttributeError,)), "cursor")


class MySQLClient(_MySQL):
    """mysqlclient's, whose connections do not tell whether they are in a transaction."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(Driver(module, "mysql", "mysql", _names_of_mysqlclient), "cursorclass")


def _product(version: object) -> str:
    return "mariadb" if "mariadb" in str(version).lower() else "mysql"


def _names_of_pymysql(connection: Any, _arguments: Sequence[Any], _keywords: Mapping[str, Any]) -> Names:
    namespace = connection.db.decode("utf-8", "replace") if isinstance(connection.db, bytes) else connection.db
    host, port = (None, None) if connection.unix_socket else (connection.host, connection.port)
    return Names(namespace or None, host, port, _product(connection.server_version))


#: Where mysqlclient takes what names a database: host, user and password stand before it.
_PLACES: Final = {"host": 0, "database": 3, "port": 4}


def _names_of_mysqlclient(connection: Any, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Names:
    told = {name: arguments[place] for name, place in _PLACES.items() if place < len(arguments)}
    told |= {name: value for name, value in keywords.items() if name in {"host", "database", "db", "port"}}
    host, port = told.get("host"), told.get("port")
    return Names(
        told.get("database") or told.get("db") or None,
        host or None,
        port if host and isinstance(port, int) and port else None,
        _product(connection.get_server_info()),
    )
