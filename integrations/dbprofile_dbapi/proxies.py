"""Proxies round connections and cursors of drivers that make only cursors of their own class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import wrapt

from dbprofile_dbapi.cursors import AsyncWatched, Watched, timed
from dbprofile_dbapi.databases import Driver
from dbprofile_dbapi.statements import begin, done, failed, fetched

__all__ = ["ConnectionProxy", "CursorProxy", "unwrap"]

if TYPE_CHECKING:
    _Proxy = wrapt.ObjectProxy[Any]
else:
    _Proxy = wrapt.ObjectProxy  # before its second major version it takes no parameter


class CursorProxy(_Proxy):
    """A driver's cursor, watched. What the driver answers with its own cursor is answered with the proxy."""

    def __init__(self, cursor: Any, connection: Any, driver: Driver) -> None:
        super().__init__(cursor)
        self._self_connection = connection
        self._self_driver = driver
        self._self_query: Any = None

    def execute(self, sql: Any, *args: Any, **keywords: Any) -> Any:
        """One statement."""
        __tracebackhide__ = True
        return self._send(self.__wrapped__.execute, sql, args, keywords)

    def executemany(self, sql: Any, *args: Any, **keywords: Any) -> Any:
        """One statement for each of many parameter sets."""
        __tracebackhide__ = True
        return self._send(self.__wrapped__.executemany, sql, args, keywords, batch=True)

    def executescript(self, sql: Any, *args: Any, **keywords: Any) -> Any:
        """Several statements in one text."""
        __tracebackhide__ = True
        return self._send(self.__wrapped__.executescript, sql, args, keywords)

    def callproc(self, name: Any, *args: Any, **keywords: Any) -> Any:
        """A stored procedure, recorded as ``CALL name``."""
        __tracebackhide__ = True
        return self._send(self.__wrapped__.callproc, name, args, keywords, text=f"CALL {name}")

    def _send(
        self, call: Callable[..., Any], sql: Any, args: Any, keywords: Any, *, text: str = "", batch: bool = False
    ) -> Any:
        __tracebackhide__ = True
        parameters = args[0] if args else next(iter(keywords.values()), None)
        watch = begin(self._self_connection, self._self_driver, text or sql, parameters, batch=batch, depth=3)
        self._self_query = None
        try:
            result = call(sql, *args, **keywords)
        except BaseException as error:
            failed(watch, error)
            raise
        self._self_query = done(watch, self.__wrapped__)
        return self if result is self.__wrapped__ else result

    def fetchone(self) -> Any:
        """One row, or ``None``."""
        started = perf_counter_ns()
        try:
            row = self.__wrapped__.fetchone()
        except BaseException as error:
            fetched(self._self_query, started, (), error)
            raise
        fetched(self._self_query, started, () if row is None else (row,))
        return row

    def fetchmany(self, *args: Any, **keywords: Any) -> Any:
        """Some rows."""
        started = perf_counter_ns()
        try:
            rows = self.__wrapped__.fetchmany(*args, **keywords)
        except BaseException as error:
            fetched(self._self_query, started, (), error)
            raise
        fetched(self._self_query, started, rows)
        return rows

    def fetchall(self) -> Any:
        """All rows that are left."""
        started = perf_counter_ns()
        try:
            rows = self.__wrapped__.fetchall()
        except BaseException as error:
            fetched(self._self_query, started, (), error)
            raise
        fetched(self._self_query, started, rows)
        return rows

    def __iter__(self) -> Iterator[Any]:
        """Row by row."""
        rows = iter(self.__wrapped__)
        return rows if self._self_query is None else timed(self._self_query, rows)

    def __next__(self) -> Any:
        """The next row, of drivers whose cursors are iterators themselves."""
        started = perf_counter_ns()
        try:
            row = next(self.__wrapped__)
        except StopIteration:
            fetched(self._self_query, started, ())
            raise
        except BaseException as error:
            fetched(self._self_query, started, (), error)
            raise
        fetched(self._self_query, started, (row,))
        return row

    @property
    def connection(self) -> Any:
        """The connection, watched, of drivers whose cursors know it."""
        _ = self.__wrapped__.connection  # a driver without it says so itself
        return self._self_connection

    def __enter__(self) -> Any:
        """The proxy, where the driver gives its own cursor."""
        entered = self.__wrapped__.__enter__()
        return self if entered is self.__wrapped__ else entered


class ConnectionProxy(_Proxy):
    """A driver's connection that makes watched cursors."""

    def __init__(self, connection: Any, driver: Driver) -> None:
        super().__init__(connection)
        self._self_driver = driver

    def cursor(self, *args: Any, **keywords: Any) -> Any:
        """A cursor, watched."""
        cursor = self.__wrapped__.cursor(*args, **keywords)
        watched = isinstance(cursor, (Watched, AsyncWatched))  # it was opened while its driver was watched
        return cursor if watched else CursorProxy(cursor, self, self._self_driver)

    def execute(self, sql: Any, *args: Any, **keywords: Any) -> Any:
        """One statement on a new cursor, of drivers whose connections have that."""
        return self._short_cut("execute", sql, args, keywords)

    def executemany(self, sql: Any, *args: Any, **keywords: Any) -> Any:
        """A batch on a new cursor."""
        return self._short_cut("executemany", sql, args, keywords)

    def executescript(self, sql: Any, *args: Any, **keywords: Any) -> Any:
        """Several statements on a new cursor."""
        return self._short_cut("executescript", sql, args, keywords)

    def _short_cut(self, name: str, sql: Any, args: Any, keywords: Any) -> Any:
        getattr(self.__wrapped__, name)  # a driver without it says so itself
        return getattr(self.cursor(), name)(sql, *args, **keywords)

    def __enter__(self) -> Any:
        """The proxy, where the driver gives its own connection; a watched cursor, where it gives that."""
        entered = self.__wrapped__.__enter__()
        if entered is self.__wrapped__:
            return self
        return CursorProxy(entered, self, self._self_driver) if hasattr(entered, "fetchone") else entered


def unwrap(watched: Any) -> Any:
    """The driver's own object behind a proxy, for functions that refuse one; anything else as it is."""
    return watched.__wrapped__ if isinstance(watched, (ConnectionProxy, CursorProxy)) else watched
