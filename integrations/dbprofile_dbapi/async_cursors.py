"""The same methods for cursors whose driver is awaited."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from time import perf_counter_ns
from typing import Any

from dbprofile.hooks import Query, fetched
from dbprofile_dbapi.connections import Link
from dbprofile_dbapi.cursors import combined
from dbprofile_dbapi.statements import Origin, begin, end, fail, origin

__all__ = ["AsyncCursor", "AsyncIterated", "AsyncNext", "async_cursor_class"]


class AsyncCursor:
    """Goes before a class of asynchronous cursors."""

    _dbprofile_link: Link | None = None
    _dbprofile_query: Query | None = None

    def execute(self, *arguments: Any, **keywords: Any) -> Coroutine[Any, Any, Any]:
        """One statement."""
        return self._dbprofile_send(super().execute, "", arguments, keywords, self._dbprofile_origin())  # type: ignore[misc]

    def executemany(self, *arguments: Any, **keywords: Any) -> Coroutine[Any, Any, Any]:
        """One statement for each of many parameter sets."""
        return self._dbprofile_send(super().executemany, "many", arguments, keywords, self._dbprofile_origin())  # type: ignore[misc]

    def _dbprofile_origin(self) -> Origin | None:
        # Now, while the caller is on the stack: a task may run the coroutine.
        link = self._dbprofile_link
        return origin(sys._getframe(2)) if link is not None and link.on else None

    async def _dbprofile_send(
        self,
        call: Callable[..., Any],
        kind: str,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any],
        asked: Origin | None,
    ) -> Any:
        __tracebackhide__ = True
        link = self._dbprofile_link
        watch = begin(self, link, arguments, keywords, kind, asked) if link is not None and link.on else None
        if watch is None or link is None:
            return await call(*arguments, **keywords)
        try:
            result = await call(*arguments, **keywords)
        except BaseException as error:
            fail(watch, self, link, error)
            raise
        end(watch, self, link)
        return result

    async def fetchone(self) -> Any:
        """One row, or ``None``."""
        return await self._dbprofile_fetch(super().fetchone, _one)  # type: ignore[misc]

    async def fetchmany(self, *size: Any, **keywords: Any) -> Any:
        """As many rows as the driver gives."""
        return await self._dbprofile_fetch(super().fetchmany, _all, *size, **keywords)  # type: ignore[misc]

    async def fetchall(self) -> Any:
        """All rows that are left."""
        return await self._dbprofile_fetch(super().fetchall, _all)  # type: ignore[misc]

    async def _dbprofile_fetch(
        self, call: Callable[..., Any], rows: Callable[[Any], Any], *size: Any, **keywords: Any
    ) -> Any:
        query = self._dbprofile_query
        if query is None:
            return await call(*size, **keywords)
        self._dbprofile_query = None
        started = perf_counter_ns()
        try:
            answer = await call(*size, **keywords)
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        finally:
            self._dbprofile_query = query
        fetched(query, started, rows(answer))
        return answer


def _one(row: Any) -> Any:
    return () if row is None else (row,)


def _all(rows: Any) -> Any:
    return rows


class AsyncNext:
    """Goes before a class of asynchronous cursors that are their own iterators."""

    _dbprofile_query: Query | None

    async def __anext__(self) -> Any:
        query = self._dbprofile_query
        if query is None:
            return await super().__anext__()  # type: ignore[misc]
        self._dbprofile_query = None
        started = perf_counter_ns()
        try:
            row = await super().__anext__()  # type: ignore[misc]
        except StopAsyncIteration:
            fetched(query, started, ())
            raise
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        finally:
            self._dbprofile_query = query
        fetched(query, started, (row,))
        return row


class AsyncIterated:
    """Goes before a class of asynchronous cursors that give an iterator."""

    _dbprofile_query: Query | None

    def __aiter__(self) -> AsyncIterator[Any]:
        rows = super().__aiter__()  # type: ignore[misc]
        query = self._dbprofile_query
        return rows if query is None else _timed(rows, query)


async def _timed(rows: AsyncIterator[Any], query: Query) -> AsyncIterator[Any]:
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


def async_cursor_class(given: type, *ours: type) -> Any:
    """A class of asynchronous cursors with our methods before its own."""
    return given if issubclass(given, AsyncCursor) else combined(*ours, given)
