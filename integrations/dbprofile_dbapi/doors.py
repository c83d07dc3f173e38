"""Door: the way into one driver. It stands in the place of the module's ``connect``, and knows the connections that came through."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from dbprofile.hooks import guarded, layers
from dbprofile_dbapi.connections import Driver, Link, links
from dbprofile_dbapi.factories import Connection
from dbprofile_dbapi.statements import drivers_own, package_above

__all__ = ["Call", "Door", "adopted", "prepared"]

#: What is called to connect, and with what.
Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class Door:
    """One driver. Closed, it lets everybody through unseen.

    Args:
        driver: whose.
        places: where its ``connect`` is found, each an object and the name of an attribute.
    """

    def __init__(self, driver: Driver, *places: tuple[Any, str]) -> None:
        self.driver = driver
        self.is_open = False
        drivers_own.add(driver.name.partition(".")[0])
        self._places = places
        self._replaced: list[tuple[Any, str, Any, Any]] = []

    # --- in what doors differ -----------------------------------------------------------------------------------

    def prepare(self, call: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call:
        """What to call instead, so that a connection of ours comes out."""
        return call, arguments, keywords

    def adopt(self, connection: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
        """Watch a connection that has just been opened; returns what the caller gets."""
        if isinstance(connection, Connection):
            connection._dbprofile_link = self.link(connection, arguments, keywords)
        return connection

    def wrap(self, connection: Any) -> Any:
        """Watch a connection that was open before; returns what the caller has to use."""
        raise NotImplementedError  # each driver's own

    def replacement(self, original: Any) -> Any:
        """What stands in the place of a ``connect``."""

        @wraps(original, updated=())
        def connect(*arguments: Any, **keywords: Any) -> Any:
            __tracebackhide__ = True
            call = prepared(self, original, arguments, keywords) if self.is_open else None
            if call is None:
                return original(*arguments, **keywords)
            function, given, named = call
            connection = function(*given, **named)
            watched = adopted(self, connection, arguments, keywords)
            return connection if watched is None else watched

        return connect

    # --- what they share ----------------------------------------------------------------------------------------

    def link(self, connection: Any, arguments: tuple[Any, ...] = (), keywords: Mapping[str, Any] | None = None) -> Link:
        """The link of a connection that was opened with these arguments; without any it was open before."""
        driver = self.driver
        return Link(
            driver,
            driver.database(driver.names(connection, arguments, keywords or {})),
            setting_up=package_above(sys._getframe(1)) in layers,
        )

    def open(self) -> None:
        """Stand in the place of ``connect``, and watch again what came through before. Idempotent."""
        for link in list(links):
            if link.driver is self.driver:
                link.on = True
        if self.is_open:
            return
        self.is_open = True
        for owner, name in self._places:
            original = vars(owner)[name]
            ours = self.replacement(original)
            setattr(owner, name, ours)
            self._replaced.append((owner, name, original, ours))

    def close(self) -> None:
        """Put everything back, where nobody has replaced ours since, and watch nothing any more. Idempotent."""
        self.is_open = False
        for link in list(links):
            if link.driver is self.driver:
                link.on = False
        for owner, name, original, ours in self._replaced:
            if vars(owner)[name] is ours:
                setattr(owner, name, original)
        self._replaced.clear()


@guarded("dbapi.prepare", None)
def prepared(door: Door, call: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Call | None:
    """What to call to connect; ``None`` for what the caller called."""
    return door.prepare(call, arguments, keywords)


@guarded("dbapi.adopt", None)
def adopted(door: Door, connection: Any, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> Any:
    """What the caller gets of a new connection; ``None`` for the connection itself."""
    return door.adopt(connection, arguments, keywords)
