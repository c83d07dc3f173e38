"""The door for applications: install(), every adapter when its library is imported, now or later."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points

import wrapt

from dbprofile.errors import ConfigurationError
from dbprofile.settings import switch

__all__ = ["GROUP", "install"]

#: Entry points of this group are named like the library they wait for; each is a function without arguments.
GROUP = "dbprofile.adapters"

_installed: set[str] = set()


def install() -> None:
    """Install every adapter whose library is imported, or as soon as it is. Imports nothing itself. Idempotent.

    Frameworks whose adapter needs the application object (Flask, FastAPI) are set up by hand.

    Raises:
        ConfigurationError: if the environment variable ``DBPROFILE`` says nothing that is known.
    """
    if switch() is False:
        return
    for entry_point in entry_points(group=GROUP):
        if entry_point.name not in _installed:
            _installed.add(entry_point.name)
            wrapt.register_post_import_hook(_hook(entry_point.value), entry_point.name)


def _hook(target: str) -> Callable[[object], None]:
    def imported(_module: object) -> None:
        module, _, function = target.partition(":")
        if not function:
            raise ConfigurationError(
                f"dbprofile: the entry point {target!r} of {GROUP} names no function; write package:install"
            )
        getattr(__import__(module, fromlist=[function]), function)()

    return imported
