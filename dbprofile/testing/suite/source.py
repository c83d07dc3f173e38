"""The smallest source of queries: SQLite's own driver, hooked through the core's door. Any scope must work with it."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

from dbprofile import hooks

__all__ = ["DATABASE", "Connection", "Cursor", "Source", "opened"]

DATABASE = hooks.Database("default", system="sqlite", dialect="sqlite", paramstyle="qmark")


class Cursor(sqlite3.Cursor):
    """Records each execution and each fetch."""

    _query: hooks.Query | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        """Send a statement; it runs where the caller stands."""
        scope = hooks.receiver()
        if scope is None:
            super().execute(sql, parameters)
            return self
        watch = hooks.start(scope, sql, parameters, DATABASE, frame=sys._getframe(1))  # noqa: SLF001 - the frame itself
        hooks.locate(watch)
        try:
            super().execute(sql, parameters)
        except BaseException as error:
            hooks.stop(watch, error=error, handle=self)
            raise
        hooks.stop(watch, handle=self, affected_rows=self.rowcount)
        self._query = watch.query if watch is not None else None
        return self

    def fetchall(self) -> list[Any]:
        """All rows, timed."""
        started = perf_counter_ns()
        rows = super().fetchall()
        if self._query is not None:
            hooks.fetched(self._query, started, rows)
        return rows


class Connection(sqlite3.Connection):
    """Hands out recording cursors."""

    def cursor(self, factory: Any = Cursor) -> Any:
        """A recording cursor."""
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """Send a statement through a cursor of its own."""
        return self.cursor().execute(sql, parameters)


class Source:
    """An empty database for each thread, and one account of what all of them were sent.

    A thread has a connection of its own: one that is traced and used by two threads can stop both for ever.

    Attributes:
        sent: what the driver was sent, as it tells itself.
        open: whether statements can be sent; a framework may drop a body that goes on only when it is collected.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.open = True
        self._here = threading.local()
        self._connections: list[Connection] = []

    def execute(self, sql: str) -> Cursor:
        """Send a statement."""
        try:
            connection: Connection = self._here.connection
        except AttributeError:
            connection = self._here.connection = self._connect()
        cursor: Cursor = connection.execute(sql)
        return cursor

    def _connect(self) -> Connection:
        connection = sqlite3.connect(":memory:", factory=Connection, check_same_thread=False)
        connection.set_trace_callback(self.sent.append)
        self._connections.append(connection)
        return connection

    def close(self) -> None:
        """Close the connections of all threads."""
        self.open = False
        for connection in self._connections:
            connection.close()


@contextmanager
def opened() -> Iterator[Source]:
    """A source, closed at the end of the block."""
    source = Source()
    try:
        yield source
    finally:
        source.close()
