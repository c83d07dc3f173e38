"""Proxies round the connections and cursors of drivers that have no factory for them, and round connections that were open before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from time import perf_counter_ns
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import wrapt

from dbprofile.hooks import HOOK, Mark, Query, fetched, know
from dbprofile_dbapi.connections import Driver, Link, Names
from dbprofile_dbapi.cursors import timed
from dbprofile_dbapi.doors import Call, Door
from dbprofile_dbapi.statements import begin, end, fail

__all__ = ["ConnectionProxy", "CursorProxy", "Proxied"]


if TYPE_CHECKING:
    _Proxy = wrapt.ObjectProxy[Any]
else:
    _Proxy = wrapt.ObjectProxy  # before its second major version it takes no parameter


class CursorProxy(_Proxy):
    """Stands for a cursor. What is not about executing and fetching goes to the cursor itself."""

    _dbprofile_query: Query | None = None

    def __init__(self, cursor: Any, connection: Any, link: Link) -> None:
        super().__init__(cursor)
        self._self_connection = connection
        self._self_link = link

    def execute(self, *arguments: Any, **keywords: Any) -> Any:
        """One statement."""
        return self._self_send(self.__wrapped__.execute, "", arguments, keywords)

    def executemany(self, *arguments: Any, **keywords: Any) -> Any:
        """One statement for each of many parameter sets."""
        return self._self_send(self.__wrapped__.executemany, "many", arguments, keywords)

    def callproc(self, *arguments: Any, **keywords: Any) -> Any:
        """A procedure of the database's."""
        return self._self_send(self.__wrapped__.callproc, "CALL", arguments, keywords)

    def _self_send(
        self, call: Callable[..., Any], kind: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        __tracebackhide__ = True
        link = self._self_link
        watch = begin(self, link, arguments, keywords, kind) if link.on else None
        try:
            result = call(*arguments, **keywords)
        except BaseException as error:
            if watch is not None:
                fail(watch, self, link, error)
            raise
        if watch is not None:
            end(watch, self, link)
        return self if result is self.__wrapped__ else result

    def fetchone(self) -> Any:
        """One row, or ``None``."""
        return self._self_fetch(self.__wrapped__.fetchone, _one)

    def fetchmany(self, *size: Any, **keywords: Any) -> Any:
        """As many rows as the driver gives."""
        return self._self_fetch(partial(self.__wrapped__.fetchmany, *size, **keywords), _all)

    def fetchall(self) -> Any:
        """All rows that are left."""
        return self._self_fetch(self.__wrapped__.fetchall, _all)

    def _self_fetch(self, call: Callable[[], Any], rows: Callable[[Any], Any]) -> Any:
        query = self._dbprofile_query
        if query is None:
            return call()
        started = perf_counter_ns()
        try:
            answer = call()
        except StopIteration:
            fetched(query, started, ())
            raise
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, rows(answer))
        return answer

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self.__wrapped__)
        if rows is self.__wrapped__:
            return self
        return rows if self._dbprofile_query is None else timed(rows, self._dbprofile_query)

    def __next__(self) -> Any:
        return self._self_fetch(self.__wrapped__.__next__, _next)

    @property
    def connection(self) -> Any:
        """The connection, watched, where the driver's cursors know theirs."""
        _ = self.__wrapped__.connection  # a driver without it says so itself
        return self._self_connection

    def __enter__(self) -> Any:
        entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else entered


def _one(row: Any) -> Any:
    return () if row is None else (row,)


def _next(row: Any) -> Any:
    return (row,)


def _all(rows: Any) -> Any:
    return rows


class ConnectionProxy(_Proxy):
    """Stands for a connection, and hands out cursors that are recorded."""

    _dbprofile_query: Query | None = None

    def __init__(self, connection: Any, link: Link) -> None:
        super().__init__(connection)
        self._self_link = link

    def cursor(self, *arguments: Any, **keywords: Any) -> Any:
        """A cursor of the driver's, in a proxy."""
        return CursorProxy(self.__wrapped__.cursor(*arguments, **keywords), self, self._self_link)

    # Beyond PEP 249; properties, so that a connection without them has none here either.

    @property
    def execute(self) -> Any:
        """One statement on a new cursor, where the driver's connections do that."""
        return partial(self._self_send, self.__wrapped__.execute, "")

    @property
    def executemany(self) -> Any:
        """A batch on a new cursor."""
        return partial(self._self_send, self.__wrapped__.executemany, "many")

    @property
    def executescript(self) -> Any:
        """A script on a new cursor."""
        return partial(self._self_send, self.__wrapped__.executescript, "")

    def _self_send(self, call: Callable[..., Any], kind: str, /, *arguments: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        link = self._self_link
        unmade = _Unmade(self.__wrapped__)
        watch = begin(unmade, link, arguments, keywords, kind) if link.on else None
        try:
            result = call(*arguments, **keywords)
        except BaseException as error:
            if watch is not None:
                fail(watch, unmade, link, error)
            raise
        answer = self if result is self.__wrapped__ else _in_proxy(result, self)
        if watch is not None:
            end(watch, answer, link)
        return answer

    def __enter__(self) -> Any:
        entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else _in_proxy(entered, self)


class _Unmade:
    """A cursor that the driver makes only with the statement."""

    __slots__ = ("_dbprofile_query", "connection")

    def __init__(self, connection: Any) -> None:
        self.connection = connection


def _in_proxy(result: Any, connection: ConnectionProxy) -> Any:
    is_cursor = hasattr(result, "fetchone") and hasattr(result, "execute")
    return CursorProxy(result, connection, connection._self_link) if is_cursor else result


for _method in (CursorProxy._self_send, ConnectionProxy._self_send):
    know(_method.__code__, Mark("execute", HOOK))


# --- the door -------------------------------------------------------------------------------------------------------

#: Product and dialect behind drivers that tell neither.
_PRODUCTS: Final = {
    "cx_Oracle": ("oracle", "generic"),
    "mariadb": ("mariadb", "mysql"),
    "mysql": ("mysql", "mysql"),
    "oracledb": ("oracle", "generic"),
    "pg8000": ("postgresql", "postgresql"),
    "pymssql": ("mssql", "generic"),
}


class Proxied(Door):
    """Of a driver that we know nothing of but PEP 249."""

    def __init__(self, module: ModuleType) -> None:
        system, dialect = _PRODUCTS.get(module.__name__.partition(".")[0], ("other_sql", "generic"))
        super().__init__(Driver(module, system, dialect, names=_names, errors=(module.Error,)), (module, "connect"))

    def prepare(self, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
        """The driver's own connections come out."""
        return call, arguments, keywords

    def adopt(self, connection: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """In a proxy."""
        return ConnectionProxy(connection, self.link(connection, arguments, keywords))

    def wrap(self, connection: Any) -> Any:
        """In a proxy too."""
        return ConnectionProxy(connection, self.link(connection, (), {}))


def _names(_connection: Any, _arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Names:
    namespace = next((keywords[name] for name in ("database", "dbname", "db") if name in keywords), None)
    host, port = keywords.get("host"), keywords.get("port")
    return Names(
        namespace if isinstance(namespace, str) else None,
        host if isinstance(host, str) else None,
        port if isinstance(port, int) else None,
    )
