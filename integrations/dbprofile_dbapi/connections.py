"""Connections that make watched cursors, for the drivers that let one choose the class: sqlite3, psycopg2 and psycopg."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, Final

from dbprofile.hooks import guarded
from dbprofile_dbapi.cursors import combined, watched
from dbprofile_dbapi.databases import DRIVERS, Driver, link_of

__all__ = ["CONNECTORS"]

#: Libraries whose own thread sends the statements of somebody else: they have no caller there, and no context.
_BRIDGES: Final = frozenset({"aiosqlite"})


class _SQLite:
    """A connection of sqlite3: its short cuts make a cursor below ``cursor()``, so they are written out."""

    _dbprofile_driver: ClassVar[Driver]

    def cursor(self: Any, factory: Any = None) -> Any:
        """A cursor of the class that is asked for, watched."""
        chosen = factory or sqlite3.Cursor
        return super().cursor(combined(chosen, DRIVERS["sqlite3"]) if isinstance(chosen, type) else chosen)  # type: ignore[misc]

    def execute(self: Any, sql: Any, *args: Any) -> Any:
        """One statement on a new cursor."""
        return self.cursor().execute(sql, *args)

    def executemany(self: Any, sql: Any, *args: Any) -> Any:
        """A batch on a new cursor."""
        return self.cursor().executemany(sql, *args)

    def executescript(self: Any, sql: Any) -> Any:
        """Several statements on a new cursor."""
        return self.cursor().executescript(sql)


class _Psycopg2:
    """A connection of psycopg2, whose ``cursor()`` may be given a class of its own."""

    _dbprofile_driver: ClassVar[Driver]

    def cursor(self: Any, *args: Any, **keywords: Any) -> Any:
        """A cursor of the class that is asked for, watched."""
        names = ("name", "cursor_factory")
        given = {**dict(zip(names, args, strict=False)), **keywords}
        chosen = given.get("cursor_factory") or self.cursor_factory or _psycopg2_class("cursor")
        if isinstance(chosen, type):
            given["cursor_factory"] = combined(chosen, DRIVERS["psycopg2"])
        return super().cursor(*args[2:], **given)  # type: ignore[misc]


def _psycopg2_class(name: str) -> Any:
    # Imported by whoever connects; this package needs none of the drivers.
    return getattr(sys.modules["psycopg2.extensions"], name)


def _sqlite3(connect: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(connect)
    def watched_connect(*args: Any, **keywords: Any) -> Any:
        module = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - the frame itself
        if str(module).partition(".")[0] in _BRIDGES:
            return connect(*args, **keywords)
        chosen = _factory(args, keywords, 5)
        connection = (
            connect(*args, **{**keywords, "factory": chosen}) if chosen is not None else connect(*args, **keywords)
        )
        if chosen is not None and args:
            _name(connection, args[0])
        return connection

    return watched_connect


@guarded("dbapi.sqlite3.factory", None)
def _factory(args: tuple[Any, ...], keywords: dict[str, Any], place: int) -> type | None:
    """The class of connections that is asked for, watched; ``None`` where it is given by position, or is a function."""
    if len(args) > place:
        return None
    base = keywords.get("factory", sqlite3.Connection)
    return watched(base, _SQLite, DRIVERS["sqlite3"]) if isinstance(base, type) else None


@guarded("dbapi.sqlite3.name", None)
def _name(connection: Any, database: object) -> None:
    link_of(connection, DRIVERS["sqlite3"], namespace=str(database))


def _psycopg2(connect: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(connect)
    def watched_connect(dsn: Any = None, connection_factory: Any = None, *args: Any, **keywords: Any) -> Any:
        chosen = _connection_class(connection_factory)
        return connect(dsn, chosen if chosen is not None else connection_factory, *args, **keywords)

    return watched_connect


@guarded("dbapi.psycopg2.factory", None)
def _connection_class(chosen: Any) -> type | None:
    base = chosen or _psycopg2_class("connection")
    return watched(base, _Psycopg2, DRIVERS["psycopg2"]) if isinstance(base, type) else None


def _psycopg(connect: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(connect)
    def watched_connect(*args: Any, **keywords: Any) -> Any:
        connection = connect(*args, **keywords)
        _watch_cursors(connection)
        return connection

    return watched_connect


def _psycopg_async(connect: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(connect)
    async def watched_connect(*args: Any, **keywords: Any) -> Any:
        connection = await connect(*args, **keywords)
        _watch_cursors(connection)
        return connection

    return watched_connect


@guarded("dbapi.psycopg.cursors", None)
def _watch_cursors(connection: Any) -> None:
    for name in ("cursor_factory", "server_cursor_factory"):
        base = getattr(connection, name)
        if isinstance(base, type):
            setattr(connection, name, combined(base, DRIVERS["psycopg"]))


#: By driver: the functions that are replaced (module, path), and by what.
CONNECTORS: Final[dict[str, tuple[tuple[str, str, Callable[[Any], Any]], ...]]] = {
    "sqlite3": (("sqlite3", "connect", _sqlite3), ("sqlite3.dbapi2", "connect", _sqlite3)),
    "psycopg2": (("psycopg2", "connect", _psycopg2),),
    "psycopg": (
        ("psycopg", "connect", _psycopg),
        ("psycopg", "Connection.connect", _psycopg),
        ("psycopg", "AsyncConnection.connect", _psycopg_async),
    ),
}
