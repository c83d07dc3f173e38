"""The smallest source of queries: SQLite's own driver, hooked through the core's door. Any scope must work with it."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

from dbprofile import hooks

DATABASE = hooks.Database("default", system="sqlite", dialect="sqlite", paramstyle="qmark")


class Cursor(sqlite3.Cursor):
    """Records each execution and each fetch."""

    _query: hooks.Query | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> "Cursor":
        scope = hooks.receiver()
        if scope is None:
            super().execute(sql, parameters)
            return self
        watch = hooks.start(scope, sql, parameters, DATABASE, frame=sys._getframe(1))
        if watch is not None and watch.walk is not None:
            path = watch.walk.path(watch.lane.paths, scope.root)
            lineage = hooks.root_lineage(watch.lane, "Q", sql, path, DATABASE)
            watch.query.provenance = hooks.Provenance(path=path, lineage=lineage)
            watch.query.call_site = path[0] if path else None
        try:
            super().execute(sql, parameters)
        except BaseException as error:
            hooks.stop(watch, error=error, handle=self)
            raise
        hooks.stop(watch, handle=self, affected_rows=self.rowcount)
        self._query = watch.query if watch is not None else None
        return self

    def fetchall(self) -> list[Any]:
        started = perf_counter_ns()
        rows = super().fetchall()
        if self._query is not None:
            hooks.fetched(self._query, started, rows)
        return rows


class Connection(sqlite3.Connection):
    """Hands out recording cursors."""

    def cursor(self, factory: Any = Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        return self.cursor().execute(sql, parameters)


@contextmanager
def shop(path: str = ":memory:") -> Iterator[Connection]:
    """A connection to a database of customers and their orders."""
    connection = sqlite3.connect(path, factory=Connection, check_same_thread=False)
    try:
        with hooks.muted():
            connection.execute("CREATE TABLE IF NOT EXISTS customer (id INTEGER PRIMARY KEY, name TEXT)")
            connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer_id INTEGER)")
            for number in range(1, 6):
                connection.execute("INSERT OR IGNORE INTO customer VALUES (?, ?)", (number, f"customer {number}"))
                connection.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (number, number))
        yield connection
    finally:
        connection.close()
