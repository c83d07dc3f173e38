"""How a driver is told which class to make: of its connections, and by them of their cursors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dbprofile.hooks import guarded
from dbprofile_dbapi.async_cursors import AsyncCursor
from dbprofile_dbapi.connections import Link
from dbprofile_dbapi.cursors import Cursor, combined, cursor_class

__all__ = ["Argument", "Arguments", "Connection", "CursorFactory", "connection_class"]

#: What a function is called with.
Arguments = tuple[tuple[Any, ...], dict[str, Any]]
_MISSING = object()


@dataclass(frozen=True)
class Argument:
    """The argument of a driver's function that names a class."""

    place: int
    name: str
    optional: bool = True
    """Whether ``None`` is as good as nothing."""

    def of(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any], default: Callable[[], Any]) -> Any:
        """What the caller names, else the default."""
        given = arguments[self.place] if len(arguments) > self.place else keywords.get(self.name, _MISSING)
        return default() if given is _MISSING or (given is None and self.optional) else given

    def put(self, arguments: tuple[Any, ...], keywords: dict[str, Any], value: object) -> Arguments:
        """The arguments with another value in this place."""
        if len(arguments) > self.place:
            return (*arguments[: self.place], value, *arguments[self.place + 1 :]), keywords
        return arguments, {**keywords, self.name: value}


class CursorFactory:
    """Chooses classes of cursors that are recorded.

    Args:
        argument: of ``cursor``, by which a caller names a class.
        default: the class of a connection's cursors where no caller does.
        ours: the classes whose methods go before it.
    """

    def __init__(self, argument: Argument, default: Callable[[Any], Any], *ours: type) -> None:
        self._argument = argument
        self._default = default
        self._ours = ours

    @guarded("dbapi.cursor_class", None, hot=True)
    def choose(self, connection: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Arguments | None:
        """The arguments of ``cursor`` with a class of ours; ``None`` where the caller's factory is no class."""
        given = self._argument.of(arguments, keywords, lambda: self._default(connection))
        if not isinstance(given, type):
            return None
        return self._argument.put(arguments, keywords, cursor_class(given, *self._ours))


class Connection:
    """Goes between a caller's class of connections and the driver's: there the class of a cursor has been decided."""

    _dbprofile_link: Link | None = None
    _dbprofile_factory: Any
    """A CursorFactory, or what chooses as it does."""

    def cursor(self, *arguments: Any, **keywords: Any) -> Any:
        """A cursor, of the class that the caller names."""
        link = self._dbprofile_link
        if link is None or not link.on:
            return super().cursor(*arguments, **keywords)  # type: ignore[misc]  # the driver's
        arguments, keywords = self._dbprofile_factory.choose(self, arguments, keywords) or (arguments, keywords)
        cursor = super().cursor(*arguments, **keywords)  # type: ignore[misc]
        if isinstance(cursor, (Cursor, AsyncCursor)):
            cursor._dbprofile_link = link
        return cursor


def connection_class(given: type, ours: type) -> Any:
    """A class of connections with our method below its own.

    Args:
        given: the driver's, or the caller's.
        ours: the driver's, with our method.
    """
    if issubclass(ours, given):
        return ours
    return given if issubclass(given, ours) else combined(given, ours)
