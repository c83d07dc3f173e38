"""What ``import dbprofile`` loads, asked in a fresh interpreter: a gate on start-up without a clock."""

import subprocess
import sys

import pytest

ASK = """
import sys
before = set(sys.modules)
import {package}
print(*sorted(set(sys.modules) - before), sep="\\n")
"""

SLOW = (
    "asyncio",
    "http",
    "importlib.metadata",
    "jinja2",
    "opentelemetry",
    "sqlite3",
    "subprocess",
    "tomllib",
    "urllib",
    "wrapt",
)
"""Modules that take milliseconds to load, or that an application may never need."""

SELDOM = (
    "dbprofile.adapters",
    "dbprofile.advisor",
    "dbprofile.audit",
    "dbprofile.output.history",
    "dbprofile.output.renderers.html",
    "dbprofile.plans",
    "dbprofile.testing",
    "dbprofile.web",
)
"""Rooms of ours that most processes never enter."""


def _loaded_by(package: str) -> set[str]:
    command = [sys.executable, "-c", ASK.format(package=package)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def _under(name: str, roots: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{root}.") for root in roots)


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    return _loaded_by("dbprofile")


def test_the_core_itself_is_loaded(loaded: set[str]) -> None:
    assert {"dbprofile", "dbprofile.profiler"} <= loaded


def test_importing_dbprofile_loads_nothing_slow(loaded: set[str]) -> None:
    assert sorted(name for name in loaded if _under(name, SLOW)) == []


def test_importing_dbprofile_loads_no_room_that_is_seldom_entered(loaded: set[str]) -> None:
    assert sorted(name for name in loaded if _under(name, SELDOM)) == []


def test_importing_dbprofile_loads_the_standard_library_alone(loaded: set[str]) -> None:
    # What sysconfig reads on POSIX is named after the platform and in no list.
    tops = {name.partition(".")[0] for name in loaded if not name.startswith("_sysconfigdata")}
    assert tops - sys.stdlib_module_names - {"dbprofile"} == set()
