"""What blocks and their messages know of the project under test: its root, which files are tests, how much to print."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dbprofile.profiler import Profiler
from dbprofile.settings import project_root, project_settings

__all__ = ["TEST_PATHS", "Project", "current_project", "profiler_of_tests", "set_project"]

#: Files that hold tests, what sets them up, and what makes their data: names, or paths from the project's root.
TEST_PATHS: Final = ("conftest.py", "test_*.py", "*_test.py", "tests.py", "*factories.py")


@dataclass(frozen=True)
class Project:
    """A project, as far as its tests need to know it. The pytest plugin sets one; without it there is one with these defaults."""

    root: Path = field(default_factory=lambda: Path(project_root()))
    """Shown paths are relative to it, and ``[tool.dbprofile]`` is read from it."""
    test_paths: tuple[str, ...] = TEST_PATHS
    """Patterns: one without a slash is the name of a file anywhere, one with a slash a file or folder below the root."""
    forbids_nplusone: bool = False
    """What a block that does not say ``nplusone=`` expects."""
    count: str = "app"
    """What blocks count that do not say: what the application asked for, or ``all``."""
    verbosity: int = 0
    """1 prints full SQL, 2 parameters and stacks too."""
    verbosity_options: bool = False
    """Whether there are ``-v`` and ``-vv`` to ask for more with."""

    def is_test_file(self, filename: str) -> bool:
        """Whether a source file holds tests or makes their data."""
        return _is_test_file(self, filename)


@lru_cache(maxsize=4096)
def _is_test_file(project: Project, filename: str) -> bool:
    path = Path(filename)
    try:
        inside = path.relative_to(project.root).as_posix()
    except ValueError:
        inside = path.as_posix()
    for pattern in project.test_paths:
        if "/" not in pattern:
            if fnmatchcase(path.name, pattern):
                return True
        elif fnmatchcase(inside, pattern) or inside.startswith(f"{pattern.strip('/')}/"):
            return True
    return False


_project: Project | None = None


def current_project() -> Project:
    """The project that the plugin set, else the one of the working directory."""
    return _project or Project()


def set_project(project: Project | None) -> Project | None:
    """Set the project; ``None`` goes back to the working directory's. Returns what was set before."""
    global _project
    before, _project = _project, project
    return before


def profiler_of_tests() -> Profiler:
    """The Profiler that judges tests: the rules and thresholds of ``[tool.dbprofile]``, no sink, full detail.

    Raises:
        ConfigurationError: if the table holds what no Profiler knows.
    """
    project = current_project()
    return _profiler(project.root, project.verbosity > 1)


@lru_cache(maxsize=8)
def _profiler(root: Path, show_values: bool) -> Profiler:
    # Counters alone, the mode for production, would show no call sites; values are shown if this run asks for them.
    settings: dict[str, Any] = {
        key: value for key, value in project_settings(root).items() if key not in {"detail_limit", "show_values"}
    }
    return Profiler(**settings, show_values=show_values)
