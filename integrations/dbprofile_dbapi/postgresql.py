"""The doors to PostgreSQL's drivers: psycopg2, and psycopg 3 with its asynchronous connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from inspect import iscoroutinefunction
from operator import attrgetter, methodcaller
from types import ModuleType
from typing import Any, Final

from dbprofile.hooks import guarded
from dbprofile_dbapi.async_cursors import AsyncCursor, AsyncIterated, AsyncNext, async_cursor_class
from dbprofile_dbapi.connections import Driver, Names
from dbprofile_dbapi.cursors import Cursor, Iterated, Next, Procedures, combined, cursor_class
from dbprofile_dbapi.doors import Call, Door, adopted
from dbprofile_dbapi.factories import Argument, Connection, CursorFactory, connection_class
from dbprofile_dbapi.proxies import ConnectionProxy

__all__ = ["Psycopg", "Psycopg2"]

#: Of libpq's states of a transaction the bits that are set in one: active, in a block, in a failed block.
_IN_TRANSACTION: Final = 3


def _names(connection: Any, _arguments: Sequence[Any], _keywords: Mapping[str, Any]) -> Names:
    told = connection.info
    return Names(told.dbname or None, told.host or None, told.port or None)


# --- psycopg2 -------------------------------------------------------------------------------------------------------

_CONNECTION: Final = Argument(1, "connection_factory")
_CURSOR: Final = Argument(1, "cursor_factory")


class Psycopg2(Door):
    """psycopg2's: functions of its own refuse a proxy, and take a subclass."""

    def __init__(self, module: ModuleType) -> None:
        driver = Driver(
            module,
            "postgresql",
            "postgresql",
            names=_names,
            state=methodcaller("get_transaction_status"),
            mask=_IN_TRANSACTION,
            errors=(AttributeError, module.Error),
        )
        super().__init__(driver, (module, "connect"))
        extensions = module.extensions
        self._ours: Any = combined(Connection, extensions.connection)
        self._ours._dbprofile_factory = CursorFactory(
            _CURSOR, lambda connection: connection.cursor_factory or extensions.cursor, Procedures, Next
        )

    def prepare(self, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
        """With a factory of ours; one that is no class is left alone."""
        given = _CONNECTION.of(arguments, keywords, lambda: self._ours)
        if not isinstance(given, type):
            return call, arguments, keywords
        return call, *_CONNECTION.put(arguments, keywords, connection_class(given, self._ours))

    def wrap(self, connection: Any) -> Any:
        """A proxy: the class of an open connection cannot be changed."""
        return ConnectionProxy(connection, self.link(connection))


# --- psycopg 3 ------------------------------------------------------------------------------------------------------


class _Factories:
    """Chooses by the attributes in which a connection of psycopg 3 keeps its classes of cursors."""

    def __init__(self, combine: Callable[..., type], *ours: type) -> None:
        self._combine = combine
        self._ours = ours

    @guarded("dbapi.cursor_class", None, hot=True)
    def choose(self, connection: Any, _arguments: tuple[Any, ...], _keywords: dict[str, Any]) -> None:
        """Put classes of ours there: an application may have put others since."""
        for name in ("cursor_factory", "server_cursor_factory"):
            given = getattr(connection, name)
            if isinstance(given, type) and not issubclass(given, (Cursor, AsyncCursor)):
                setattr(connection, name, self._combine(given, *self._ours))


class Linked:
    """Goes before a class of cursors that are made by a connection without our method."""

    def __init__(self, connection: Any, *arguments: Any, **keywords: Any) -> None:
        super().__init__(connection, *arguments, **keywords)  # type: ignore[call-arg]  # the driver's
        self._dbprofile_link = getattr(connection, "_dbprofile_link", None)


class Psycopg(Door):
    """psycopg 3's: both kinds of connections are made by a method of their class."""

    def __init__(self, module: ModuleType) -> None:
        driver = Driver(
            module,
            "postgresql",
            "postgresql",
            names=_names,
            state=attrgetter("pgconn.transaction_status"),
            mask=_IN_TRANSACTION,
            errors=(AttributeError, module.Error),
        )
        places = ((module.Connection, "connect"), (module.AsyncConnection, "connect"), (module, "connect"))
        super().__init__(driver, *places)
        steps = Next if hasattr(module.Cursor, "__next__") else Iterated
        async_steps = AsyncNext if hasattr(module.AsyncCursor, "__anext__") else AsyncIterated
        self._ours: Any = combined(Connection, module.Connection)
        self._ours._dbprofile_factory = _Factories(cursor_class, Cursor, steps)
        self._async_ours: Any = combined(Connection, module.AsyncConnection)
        self._async_ours._dbprofile_factory = _Factories(async_cursor_class, AsyncCursor, async_steps)
        self._linked = _Factories(cursor_class, Linked, Cursor, steps)
        self._async_linked = _Factories(async_cursor_class, Linked, AsyncCursor, async_steps)

    def replacement(self, original: Any) -> Any:
        """The same for the methods, of which one is awaited. The module's ``connect`` is such a method."""
        if not isinstance(original, classmethod):
            return self.driver.module.Connection.connect
        function: Callable[..., Any] = original.__func__
        return classmethod((_awaiting if iscoroutinefunction(function) else _calling)(self, function))

    def ours(self, given: type) -> Any:
        """A class of connections with our method."""
        is_async = issubclass(given, self.driver.module.AsyncConnection)
        return connection_class(given, self._async_ours if is_async else self._ours)

    def adopt(self, connection: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """A connection of a class of ours."""
        link = connection._dbprofile_link = self.link(connection, arguments, keywords)
        if isinstance(connection, self.driver.module.AsyncConnection):
            link.database = replace(link.database, awaited=True)
        return connection

    def wrap(self, connection: Any) -> Any:
        """The connection itself, which a pool may hold; a class of cursors that it is given later is not recorded."""
        is_async = isinstance(connection, self.driver.module.AsyncConnection)
        (self._async_linked if is_async else self._linked).choose(connection, (), {})
        return self.adopt(connection, (), {})


@guarded("dbapi.connection_class", None)
def _ours(door: Psycopg, given: type) -> type | None:
    return door.ours(given) if door.is_open else None


def _calling(door: Psycopg, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def connect(cls: type, *arguments: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        ours = _ours(door, cls)
        connection = function(ours or cls, *arguments, **keywords)
        if ours is not None:
            adopted(door, connection, arguments, keywords)
        return connection

    return connect


def _awaiting(door: Psycopg, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def connect(cls: type, *arguments: Any, **keywords: Any) -> Any:
        __tracebackhide__ = True
        ours = _ours(door, cls)
        connection = await function(ours or cls, *arguments, **keywords)
        if ours is not None:
            adopted(door, connection, arguments, keywords)
        return connection

    return connect
