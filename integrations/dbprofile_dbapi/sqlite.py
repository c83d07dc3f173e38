"""The door to the standard library's driver of SQLite: its own factories, of connections and of cursors."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from operator import attrgetter
from types import ModuleType
from typing import Any, Final

from dbprofile_dbapi.bridge import build_bridge, opened_by_thread, remove_bridge
from dbprofile_dbapi.connections import Driver, Names
from dbprofile_dbapi.cursors import Cursor, Next, combined, cursor_class
from dbprofile_dbapi.doors import Call, Door
from dbprofile_dbapi.factories import Argument, Connection, CursorFactory, connection_class
from dbprofile_dbapi.proxies import ConnectionProxy

__all__ = ["SQLite"]

_CONNECTION: Final = Argument(5, "factory", optional=False)
_CURSOR: Final = Argument(0, "factory", optional=False)
_memories = count(1)


class Script(Cursor):
    """Goes before a class of SQLite's cursors, which execute scripts."""

    def executescript(self, *arguments: Any) -> Any:
        """Many statements in one text, which are one query."""
        return self._dbprofile_send(super().executescript, "", arguments, {})  # type: ignore[misc]  # the driver's


class Executing(Connection):
    """Goes before SQLite's class of connections, whose methods execute on a cursor that they make past ``cursor``."""

    _dbprofile_plain: type
    """The driver's class of cursors with our methods."""

    def execute(self, *arguments: Any) -> Any:
        """One statement, on a new cursor."""
        __tracebackhide__ = True
        cursor = self._dbprofile_new()
        return super().execute(*arguments) if cursor is None else cursor.execute(*arguments)  # type: ignore[misc]

    def executemany(self, *arguments: Any) -> Any:
        """A batch, on a new cursor."""
        __tracebackhide__ = True
        cursor = self._dbprofile_new()
        return super().executemany(*arguments) if cursor is None else cursor.executemany(*arguments)  # type: ignore[misc]

    def executescript(self, *arguments: Any) -> Any:
        """A script, on a new cursor."""
        __tracebackhide__ = True
        cursor = self._dbprofile_new()
        return super().executescript(*arguments) if cursor is None else cursor.executescript(*arguments)  # type: ignore[misc]

    def _dbprofile_new(self) -> Any:
        link = self._dbprofile_link
        if link is None or not link.on:
            return None
        cursor = super(Connection, self).cursor(self._dbprofile_plain)  # type: ignore[misc]
        cursor._dbprofile_link = link
        return cursor


class SQLite(Door):
    """SQLite's."""

    def __init__(self, module: ModuleType) -> None:
        driver = Driver(
            module,
            "sqlite",
            "sqlite",
            names=_names,
            state=attrgetter("in_transaction"),
            errors=(module.Error,),
            counts_early=False,
        )
        super().__init__(driver, (module, "connect"), (module.dbapi2, "connect"))
        self._ours: Any = combined(Executing, module.Connection)
        self._ours._dbprofile_plain = cursor_class(module.Cursor, Script, Next)
        self._ours._dbprofile_factory = CursorFactory(_CURSOR, lambda _connection: module.Cursor, Script, Next)

    def prepare(self, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
        """With a factory of ours; one that is no class is left alone, and so is a thread that cannot be followed."""
        given = _CONNECTION.of(arguments, keywords, lambda: self._ours)
        if not isinstance(given, type) or (opened_by_thread(sys._getframe(1)) and not build_bridge()):
            return call, arguments, keywords
        return call, *_CONNECTION.put(arguments, keywords, connection_class(given, self._ours))

    def wrap(self, connection: Any) -> Any:
        """A proxy: the class of an open connection cannot be changed."""
        return ConnectionProxy(connection, self.link(connection))

    def close(self) -> None:
        """Also let go of aiosqlite's threads."""
        super().close()
        remove_bridge()


def _names(_connection: Any, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Names:
    if not arguments and "database" not in keywords:
        return Names()  # it was open before
    given = arguments[0] if arguments else keywords["database"]
    file = os.fsdecode(given) if isinstance(given, (str, bytes, os.PathLike)) else ""
    # Each of those in memory is a database of its own.
    return Names(file if file not in {"", ":memory:"} else f":memory: {next(_memories)}")
