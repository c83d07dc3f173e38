"""Installing: which drivers there are doors for, and how they are opened and closed."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from dbprofile import ConfigurationError
from dbprofile_dbapi.doors import Door
from dbprofile_dbapi.mysql import MySQLClient, PyMySQL
from dbprofile_dbapi.postgresql import Psycopg, Psycopg2
from dbprofile_dbapi.proxies import ConnectionProxy, CursorProxy, Proxied
from dbprofile_dbapi.sqlite import SQLite

__all__ = ["install", "uninstall", "unwrap", "wrap"]

#: Drivers that have a door of their own; for all others there are proxies.
_KNOWN: Final[dict[str, Callable[[ModuleType], Door]]] = {
    "sqlite3": SQLite,
    "psycopg2": Psycopg2,
    "psycopg": Psycopg,
    "pymysql": PyMySQL,
    "MySQLdb": MySQLClient,
}
_doors: dict[str, Door] = {}
_lock = threading.RLock()


def _renew_lock() -> None:
    """In the child of a fork: a thread of the parent may have held it, and is not here to let it go."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def install(*drivers: str) -> None:
    """Record the statements of connections that a driver opens from now on. Idempotent; opens nothing, sends nothing.

    Args:
        drivers: modules by name, imported where they are not yet; without any those of ``sqlite3``, ``psycopg``, ``psycopg2``,
            ``pymysql`` and ``MySQLdb`` that are imported already.

    Raises:
        ConfigurationError: if a name is no module that can be imported, or its module is none of PEP 249's.
    """
    with _lock:
        for door in [_door(_module(name)) for name in drivers or _imported()]:
            door.open()


def uninstall(*drivers: str) -> None:
    """Undo ``install`` and ``wrap``: what is open goes on unrecorded. Idempotent.

    Args:
        drivers: as for ``install``; without any all of them.
    """
    with _lock:
        names = {getattr(sys.modules.get(name), "__name__", name) for name in drivers} or set(_doors)
        for name in names & _doors.keys():
            _doors[name].close()


def wrap(connection: Any) -> Any:
    """Record the statements of one connection that was opened before, or by a driver that is not installed.

    Args:
        connection: of any DB-API driver.

    Returns:
        What is to be used from now on: the connection itself where its driver allows it, else a proxy round it.

    Raises:
        ConfigurationError: if the module that made the connection is none of PEP 249's.
    """
    link = getattr(connection, "_self_link", None) or getattr(connection, "_dbprofile_link", None)
    with _lock:
        if link is not None:
            link.on = True
            return connection
        return _door(_module_of(connection)).wrap(connection)


def unwrap(watched: Any) -> Any:
    """The driver's own object.

    Args:
        watched: a connection or a cursor; one that is not in a proxy is the driver's own already.
    """
    return watched.__wrapped__ if isinstance(watched, (ConnectionProxy, CursorProxy)) else watched


# --- modules --------------------------------------------------------------------------------------------------------


def _imported() -> list[str]:
    # One that is just being imported has no connect() yet.
    return [name for name in _KNOWN if hasattr(sys.modules.get(name), "connect")]


def _door(module: ModuleType) -> Door:
    # By the name that a module gives itself: PyMySQL answers to mysqlclient's where it is told to.
    name = module.__name__
    door = _doors.get(name)
    if door is None or door.driver.module is not module:
        door = _doors[name] = _KNOWN.get(name, Proxied)(module)
    return door


def _module(name: str) -> ModuleType:
    try:
        module = import_module(name)
    except ImportError as error:
        raise ConfigurationError(
            f"dbprofile_dbapi: {name!r} cannot be imported ({error}); name the module of a driver that is installed,"
            f" such as {', '.join(_KNOWN)}"
        ) from error
    return _checked(module)


def _checked(module: ModuleType) -> ModuleType:
    if not (hasattr(module, "connect") and hasattr(module, "paramstyle") and hasattr(module, "Error")):
        raise ConfigurationError(
            f"dbprofile_dbapi: {module.__name__!r} is no driver of PEP 249: it has no connect(), paramstyle and Error;"
            f" name the module whose connect() you call"
        )
    return module


def _module_of(connection: Any) -> ModuleType:
    """The module of the driver that made a connection: the nearest to its class that is one of PEP 249's."""
    for name in _modules_of(type(connection)):
        module = sys.modules.get(name)
        if module is not None and hasattr(module, "connect") and hasattr(module, "paramstyle"):
            return _checked(module)
    raise ConfigurationError(
        f"dbprofile_dbapi: {type(connection).__module__}.{type(connection).__qualname__} is no connection of a driver of PEP 249"
    )


def _modules_of(class_: type) -> Iterator[str]:
    """The names of modules from those of the class and its bases outwards."""
    for each in class_.__mro__:
        name = each.__module__
        while name:
            yield name
            name = name.rpartition(".")[0]
