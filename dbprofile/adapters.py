"""The door for applications: install(), every adapter when its library is imported, now or later."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import wrapt

from dbprofile.errors import ConfigurationError
from dbprofile.guard import guarded
from dbprofile.settings import switch

__all__ = ["DRIVERS", "GROUP", "install"]

#: Entry points of this group are named like the library they wait for; each is a function without arguments.
GROUP = "dbprofile.adapters"
#: The same for raw drivers, which libraries use for themselves too.
DRIVERS = "dbprofile.drivers"

_installed: set[str] = set()


def install(*, drivers: bool = False) -> None:
    """Install every adapter whose library is imported, or as soon as it is. Imports nothing itself. Idempotent.

    Args:
        drivers: raw drivers as well, whose statements are otherwise seen only through an ORM.

    Frameworks whose adapter needs the application object (Flask, FastAPI) are set up by hand. An adapter that cannot be installed
    costs a line in the log, and the import that it waited for nothing.

    Raises:
        ConfigurationError: if the environment variable ``DBPROFILE`` says nothing that is known, or an entry point names no function.
    """
    if switch() is False:
        return
    for entry_point in (*entry_points(group=GROUP), *(entry_points(group=DRIVERS) if drivers else ())):
        if entry_point.name not in _installed:
            hook = _hook(entry_point)
            _installed.add(entry_point.name)
            wrapt.register_post_import_hook(hook, entry_point.name)
            wrapt.register_post_import_hook(hook, entry_point.module)


def _hook(entry_point: EntryPoint) -> Callable[[object], None]:
    if not entry_point.attr:
        raise ConfigurationError(
            f"dbprofile: the entry point {entry_point.value!r} of {entry_point.group} names no function; write package:install"
        )

    done: list[bool] = []

    @guarded(f"adapters.install {entry_point.name}", None)
    def imported(_module: object) -> None:
        adapter = sys.modules.get(entry_point.module)
        if adapter is not None and not hasattr(adapter, entry_point.attr.partition(".")[0]):
            return  # it is being imported, and imports its library: it is installed when that is done
        if entry_point.name in sys.modules:
            install_adapter = entry_point.load()  # which imports the adapter, and comes here again
            if not done:
                done.append(True)
                install_adapter()

    return imported
