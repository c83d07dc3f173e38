"""Cursors that a driver makes itself, of a class of ours: nothing in the application can tell them from its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import lru_cache
from time import perf_counter_ns
from typing import Any, ClassVar

from dbprofile import hooks
from dbprofile_dbapi.databases import Driver
from dbprofile_dbapi.statements import begin, done, failed, fetched

__all__ = ["AsyncWatched", "Watched", "combined", "timed", "watched"]


class Watched:
    """Methods of a synchronous cursor; the class that it is combined with is the driver's, or the application's own.

    A call from inside the class (an ``execute`` of the driver's that calls ``executemany``) is part of the outer one.
    """

    _dbprofile_driver: ClassVar[Driver]
    _dbprofile: hooks.Query | None = None
    _dbprofile_busy = False

    def execute(self: Any, sql: Any, *args: Any, **keywords: Any) -> Any:
        """One statement."""
        __tracebackhide__ = True
        return self._dbprofile_send(super().execute, sql, args, keywords)  # type: ignore[misc]

    def executemany(self: Any, sql: Any, *args: Any, **keywords: Any) -> Any:
        """One statement for each of many parameter sets."""
        __tracebackhide__ = True
        return self._dbprofile_send(super().executemany, sql, args, keywords, batch=True)  # type: ignore[misc]

    def executescript(self: Any, sql: Any, *args: Any, **keywords: Any) -> Any:
        """Several statements in one text (SQLite)."""
        __tracebackhide__ = True
        return self._dbprofile_send(super().executescript, sql, args, keywords)  # type: ignore[misc]

    def callproc(self: Any, name: Any, *args: Any, **keywords: Any) -> Any:
        """A stored procedure, recorded as ``CALL name``."""
        __tracebackhide__ = True
        return self._dbprofile_send(super().callproc, name, args, keywords, text=f"CALL {name}")  # type: ignore[misc]

    def _dbprofile_send(
        self: Any, call: Callable[..., Any], sql: Any, args: Any, keywords: Any, *, text: str = "", batch: bool = False
    ) -> Any:
        __tracebackhide__ = True
        if self._dbprofile_busy:
            return call(sql, *args, **keywords)
        parameters = args[0] if args else next(iter(keywords.values()), None)
        watch = begin(self.connection, self._dbprofile_driver, text or sql, parameters, batch=batch, depth=3)
        self._dbprofile, self._dbprofile_busy = None, True
        try:
            result = call(sql, *args, **keywords)
        except BaseException as error:
            failed(watch, error)
            raise
        finally:
            self._dbprofile_busy = False
        self._dbprofile = done(watch, self)
        return result

    def fetchone(self: Any) -> Any:
        """One row, or ``None``."""
        query, started = self._dbprofile, perf_counter_ns()
        try:
            row = super().fetchone()  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, () if row is None else (row,))
        return row

    def fetchmany(self: Any, *args: Any, **keywords: Any) -> Any:
        """Some rows."""
        query, started = self._dbprofile, perf_counter_ns()
        try:
            rows = super().fetchmany(*args, **keywords)  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, rows)
        return rows

    def fetchall(self: Any) -> Any:
        """All rows that are left."""
        query, started = self._dbprofile, perf_counter_ns()
        try:
            rows = super().fetchall()  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, rows)
        return rows

    def __iter__(self: Any) -> Iterator[Any]:
        """Row by row."""
        rows = super().__iter__()  # type: ignore[misc]
        return rows if self._dbprofile is None else timed(self._dbprofile, rows)


def timed(query: hooks.Query, rows: Iterator[Any]) -> Iterator[Any]:
    """Rows, each counted and timed."""
    while True:
        started = perf_counter_ns()
        try:
            row = next(rows)
        except StopIteration:
            fetched(query, started, ())
            return
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, (row,))
        yield row


class AsyncWatched:
    """The same for an asynchronous cursor. Its methods are called where the coroutine is made, so that the caller is on the stack."""

    _dbprofile_driver: ClassVar[Driver]
    _dbprofile: hooks.Query | None = None
    _dbprofile_busy = False

    def execute(self: Any, sql: Any, *args: Any, **keywords: Any) -> Coroutine[Any, Any, Any]:
        """One statement."""
        send: Callable[..., Coroutine[Any, Any, Any]] = self._dbprofile_send
        return send(super().execute, sql, args, keywords)  # type: ignore[misc]

    def executemany(self: Any, sql: Any, *args: Any, **keywords: Any) -> Coroutine[Any, Any, Any]:
        """One statement for each of many parameter sets."""
        send: Callable[..., Coroutine[Any, Any, Any]] = self._dbprofile_send
        return send(super().executemany, sql, args, keywords, batch=True)  # type: ignore[misc]

    def _dbprofile_send(
        self: Any, call: Callable[..., Any], sql: Any, args: Any, keywords: Any, *, batch: bool = False
    ) -> Coroutine[Any, Any, Any]:
        if self._dbprofile_busy:
            inner: Coroutine[Any, Any, Any] = call(sql, *args, **keywords)
            return inner
        parameters = args[0] if args else next(iter(keywords.values()), None)
        watch = begin(self.connection, self._dbprofile_driver, sql, parameters, batch=batch, depth=3)
        outer: Coroutine[Any, Any, Any] = self._dbprofile_await(call(sql, *args, **keywords), watch)
        return outer

    async def _dbprofile_await(self: Any, call: Coroutine[Any, Any, Any], watch: hooks.Stopwatch | None) -> Any:
        __tracebackhide__ = True
        if watch is not None:
            watch.query.started = perf_counter_ns()
        self._dbprofile, self._dbprofile_busy = None, True
        try:
            result = await call
        except BaseException as error:
            failed(watch, error)
            raise
        finally:
            self._dbprofile_busy = False
        self._dbprofile = done(watch, self)
        return result

    async def fetchone(self: Any) -> Any:
        """One row, or ``None``."""
        query, started = self._dbprofile, perf_counter_ns()
        try:
            row = await super().fetchone()  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, () if row is None else (row,))
        return row

    async def fetchmany(self: Any, *args: Any, **keywords: Any) -> Any:
        """Some rows."""
        query, started = self._dbprofile, perf_counter_ns()
        try:
            rows = await super().fetchmany(*args, **keywords)  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, rows)
        return rows

    async def fetchall(self: Any) -> Any:
        """All rows that are left."""
        query, started = self._dbprofile, perf_counter_ns()
        try:
            rows = await super().fetchall()  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, rows)
        return rows

    async def __aiter__(self: Any) -> AsyncIterator[Any]:
        """Row by row."""
        query, rows = self._dbprofile, super().__aiter__()  # type: ignore[misc]
        while True:
            started = perf_counter_ns()
            try:
                row = await anext(rows)
            except StopAsyncIteration:
                fetched(query, started, ())
                return
            except BaseException as error:
                fetched(query, started, (), error)
                raise
            fetched(query, started, (row,))
            yield row


def combined(base: type, driver: Driver) -> type:
    """A class of cursors that watches, and is in all else the one that is given."""
    if issubclass(base, (Watched, AsyncWatched)):
        return base
    mixin: type = AsyncWatched if "Async" in base.__name__ else Watched
    return watched(base, mixin, driver)  # type: ignore[arg-type]  # classes are hashable


@lru_cache(maxsize=256)
def watched(base: Any, mixin: Any, driver: Driver) -> type:
    """A class made of a mixin of ours and a class of the driver's, under the name of the latter."""
    names = {
        "_dbprofile_driver": driver,
        "__module__": base.__module__,
        "__qualname__": base.__qualname__,
        "__doc__": base.__doc__,
    }
    return type(base.__name__, (mixin, base), names)
