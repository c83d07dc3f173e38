"""SQLite for SQLAlchemy's asyncio without a thread: each statement and each fetch waits on the event loop, for as long as is wanted.

``create_async_engine("sqlite+onloop://", creator=...)`` with a connection of ``connect()``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any, ClassVar

from sqlalchemy import Pool, StaticPool
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

__all__ = ["connect"]


class _Cursor(sqlite3.Cursor):
    def execute(self, *arguments: Any) -> _Cursor:
        self._wait("execute")
        super().execute(*arguments)
        return self

    def executemany(self, *arguments: Any) -> _Cursor:
        self._wait("execute")
        super().executemany(*arguments)
        return self

    def fetchall(self) -> list[Any]:
        self._wait("fetch")
        return super().fetchall()

    async def _async_soft_close(self) -> None:
        """What SQLAlchemy asks of its own asynchronous cursors: to let go of rows that are still on the server."""

    def _wait(self, what: str) -> None:
        if in_greenlet():  # the same connection may serve a synchronous engine
            await_only(asyncio.sleep(self.connection.seconds[what]))  # type: ignore[attr-defined]  # ours


class _Connection(sqlite3.Connection):
    seconds: dict[str, float]

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)


def connect(*, execute: float = 0.0, fetch: float = 0.0) -> sqlite3.Connection:
    """A connection to a database in memory that takes its time, in seconds."""
    connection = sqlite3.connect(":memory:", factory=_Connection)
    connection.seconds = {"execute": execute, "fetch": fetch}
    return connection


class OnLoop(SQLiteDialect_pysqlite):
    """The dialect."""

    driver = "onloop"
    is_async = True
    supports_statement_cache = True
    poolclass: ClassVar[type[Pool]] = StaticPool

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        return cls.poolclass

    def get_driver_connection(self, connection: Any) -> Any:
        return connection


registry.register("sqlite.onloop", __name__, "OnLoop")
