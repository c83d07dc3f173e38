"""The Profiler of a Django project: built from ``settings.DBPROFILE`` when it is first needed, anew when a test changes the settings."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from dbprofile import ConfigurationError, default_profiler, set_default_profiler
from dbprofile.streaming import Profiler, profiler_for

__all__ = ["SETTING", "build_profiler", "project_profiler"]

#: The name of the dictionary in Django's settings.
SETTING: Final = "DBPROFILE"

_lock = threading.Lock()
_built: list[Profiler | None] = []
"""The Profiler, or that there is none; empty until it is first asked for."""


def _renew_lock() -> None:
    """In the child of a fork: a thread of the parent may have held it, and is not here to let it go."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def project_profiler() -> Profiler | None:
    """The Profiler that requests use; ``None`` where dbprofile is switched off.

    Raises:
        ConfigurationError: when it is first asked for, for an unknown key or a value of the wrong type.
    """
    if not _built:
        with _lock:
            if not _built:
                _built.append(build_profiler())
    return _built[0]


def build_profiler() -> Profiler | None:
    """A Profiler from the settings as they are now.

    Raises:
        ConfigurationError: for an unknown key, a value of the wrong type, or a ``profiler`` that cannot be imported.
    """
    given = getattr(settings, SETTING, {})
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            f"dbprofile: {SETTING} in Django's settings is {given!r}; write a dictionary, {SETTING} = {{'slow_ms': 250}}"
        )
    options: dict[str, Any] = dict(given)
    by_hand = _imported(options.pop("profiler", None))
    return profiler_for(options, debug=bool(settings.DEBUG), profiler=by_hand)


def _imported(named: object) -> object:
    if not isinstance(named, str):
        return named
    try:
        return import_string(named)
    except ImportError as error:
        raise ConfigurationError(
            f"dbprofile: the profiler {named!r} of {SETTING} cannot be imported: {error}"
        ) from error


def _changed(*, setting: str, **_keywords: Any) -> None:
    """Build it anew at once: a mistake is raised where the setting is changed, not in a request."""
    if setting not in {SETTING, "DEBUG"} or not _built:
        return
    with _lock:
        replaced = _built.pop()
        if replaced is not None and replaced is default_profiler():
            set_default_profiler(None)
        _built.append(build_profiler())


setting_changed.connect(_changed, dispatch_uid="dbprofile")
