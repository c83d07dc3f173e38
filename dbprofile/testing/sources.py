"""Where a block gets its queries from: the adapters of the libraries that the tests import, found by their entry points.

``dbprofile.adapters`` does the same for applications and waits for later imports too; here nothing is patched to wait.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from dbprofile.capture.objects import held_objects
from dbprofile.findings.fixes import fix_libraries

__all__ = ["install_imported", "known_libraries", "missed_libraries", "observed_libraries"]

_GROUP: Final = "dbprofile.adapters"

_installed: set[str] = set()


def install_imported() -> None:
    """Install the adapter of each library that is imported by now. Imports no library itself. Idempotent."""
    for name, entry_point in _adapters().items():
        if name not in _installed and name in sys.modules:
            _installed.add(name)
            entry_point.load()()
            held_objects()  # sessions are remembered from here on


def observed_libraries() -> frozenset[str]:
    """The libraries whose statements are seen: installed here, or by the application, which then also knows fixes for them."""
    return fix_libraries() | _installed


def missed_libraries() -> list[str]:
    """The libraries that are imported although nobody watches them: they were not there when a block began."""
    observed = observed_libraries()
    return [name for name in _adapters() if name not in observed and name in sys.modules]


def known_libraries() -> list[str]:
    """The libraries that have an adapter, imported or not."""
    return sorted(_adapters())


@lru_cache(maxsize=1)
def _adapters() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group=_GROUP)}
