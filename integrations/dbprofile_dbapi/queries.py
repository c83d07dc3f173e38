"""install() and uninstall(): the ``connect`` of each driver; wrap() for one connection."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from dbprofile import ConfigurationError
from dbprofile_dbapi.connections import CONNECTORS
from dbprofile_dbapi.databases import DRIVERS, Driver, driver_of
from dbprofile_dbapi.proxies import ConnectionProxy

__all__ = ["install", "uninstall", "wrap"]

_lock = threading.Lock()
Connectors = tuple[tuple[str, str, Callable[[Any], Any]], ...]

#: What was replaced: the owner, the name, what it had of its own (a descriptor, for methods of a class), and what we put there.
_replaced: dict[str, list[tuple[Any, str, Any, Any]]] = {}


def install(*names: str) -> None:
    """Watch the statements of connections that are opened from now on. Idempotent; opens nothing, sends nothing.

    Args:
        names: modules of drivers: ``sqlite3``, ``psycopg2``, ``psycopg``, ``MySQLdb``, ``pymysql``, or any other DB-API 2 module that
            is imported. Without names each of those five that is imported.

    Raises:
        ConfigurationError: for a module that is not imported, or has no ``connect``.
    """
    with _lock:
        for name in names or tuple(name for name in DRIVERS if name in sys.modules):
            if name not in _replaced:
                _replaced[name] = _install(name)


def uninstall() -> None:
    """Undo ``install``, where nobody has replaced ours since. Connections that are open stay watched until they are closed."""
    with _lock:
        for replaced in _replaced.values():
            for owner, name, original, ours in reversed(replaced):
                if vars(owner).get(name) is ours:
                    setattr(owner, name, original)
        _replaced.clear()


def wrap(connection: Any) -> Any:
    """A proxy round one connection that is open already, whatever its driver. Wrapping twice changes nothing.

    ``unwrap()`` gives the connection back to functions of a driver that refuse a proxy.
    """
    if isinstance(connection, ConnectionProxy) or hasattr(connection, "_dbprofile_driver"):
        return connection  # watched already
    return ConnectionProxy(connection, driver_of(connection))


def _install(name: str) -> list[tuple[Any, str, Any, Any]]:
    module = sys.modules.get(name)
    if module is None:
        raise ConfigurationError(f"dbprofile_dbapi: {name!r} is not imported; import it first, or install it")
    connectors: Connectors = CONNECTORS.get(name) or ((name, "connect", partial(_proxied, driver_of(None, name))),)
    replaced: list[tuple[Any, str, Any, Any]] = []
    for module_name, path, replacement in connectors:
        owner = sys.modules.get(module_name)
        *parts, attribute = path.split(".")
        for part in parts:
            owner = getattr(owner, part, None)
        original = vars(owner).get(attribute) if owner is not None else None
        if owner is None or original is None:
            if path == "connect":
                raise ConfigurationError(f"dbprofile_dbapi: {name!r} has no connect(): it is no DB-API 2 driver")
            continue
        function: Any = original.__func__ if isinstance(original, classmethod) else original
        made = replacement(function)
        ours = classmethod(made) if isinstance(original, classmethod) else made
        setattr(owner, attribute, ours)
        replaced.append((owner, attribute, original, vars(owner)[attribute]))
    return replaced


def _proxied(driver: Driver, connect: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(connect)
    def watched_connect(*args: Any, **keywords: Any) -> Any:
        return ConnectionProxy(connect(*args, **keywords), driver)

    return watched_connect
