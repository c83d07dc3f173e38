"""``dbprofile demo``: a small shop on a temporary SQLite file, visited through a real framework, first sick, then cured."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Protocol, cast

from dbprofile.errors import ConfigurationError
from dbprofile.findings.report import Report
from dbprofile.profiler import default_profiler

__all__ = ["HELP", "add_arguments", "perform"]

HELP: Final = "show what dbprofile says, on a small shop with planted faults"

#: What each shop needs, in the order in which they are tried.
FRAMEWORKS: Final[Mapping[str, tuple[str, ...]]] = {
    "django": ("django",),
    "flask": ("flask", "sqlalchemy"),
    "fastapi": ("fastapi", "sqlalchemy", "greenlet", "httpx", "aiosqlite"),
}

#: What going on serving needs besides.
_SERVERS: Final[Mapping[str, tuple[str, ...]]] = {"fastapi": ("uvicorn",)}

_NAMES: Final = {"django": "Django", "flask": "Flask", "fastapi": "FastAPI"}

SICK: Final = "/orders/"
CURED: Final = "/orders/cured/"
PAGES: Final = (
    ("/", "A page that is fine costs one line:"),
    (SICK, "A page with a query for each row:"),
    ("/reports/sales/", "A page with one slow statement:"),
    (CURED, "The page with a query for each row, after the fix:"),
)


class Shop(Protocol):
    """The module ``visit`` of an example."""

    def prepare(self) -> None:
        """Create tables and data."""

    def get(self, path: str) -> int:
        """Ask for a page; returns the status."""

    def serve(self, port: int) -> None:
        """Serve the shop until interrupted."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument(
        "--with", dest="framework", choices=FRAMEWORKS, help="the framework (default: the first installed)"
    )
    parser.add_argument("--port", type=_port, help="go on serving the shop at this port of 127.0.0.1")


def _port(given: str) -> int:
    port = int(given) if given.isdecimal() else 0
    if not 0 < port < 65_536:
        raise argparse.ArgumentTypeError(f"{given!r} is no port; a number from 1 to 65535 is")
    return port


def perform(arguments: argparse.Namespace) -> int:
    """Visit the shop and print what the dev server prints.

    Raises:
        ConfigurationError: if the framework asked for, or any at all, is not installed.
    """
    framework = _installed(arguments.framework, serves=arguments.port is not None)
    reports: list[Report] = []
    with _shop(framework) as shop, contextlib.redirect_stderr(sys.stdout):
        shop.prepare()
        default_profiler().add_sink(reports.append)
        sys.stdout.write(f"A shop with {_NAMES[framework]}, on a temporary SQLite file.\n")
        for path, heading in PAGES:
            sys.stdout.write(f"\n{heading}\n\n")
            sys.stdout.flush()
            shop.get(path)
        before, after = _count(reports, SICK), _count(reports, CURED)
        sys.stdout.write(f"\nGET {SICK} -> GET {CURED}: {before} -> {after} queries\n")
        if arguments.port:
            sys.stdout.write(f"\nServing at http://127.0.0.1:{arguments.port}/ until you press Ctrl-C.\n")
            sys.stdout.flush()
            shop.serve(arguments.port)
    return 0


def _count(reports: list[Report], path: str) -> int:
    name = f"GET {path}"
    return next((report.profile.query_count for report in reports if report.profile.name == name), 0)


def _installed(wanted: str | None, *, serves: bool) -> str:
    for framework, needed in FRAMEWORKS.items():
        modules = (*needed, *_SERVERS.get(framework, ())) if serves else needed
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        if wanted in {None, framework} and not missing:
            return framework
        if wanted == framework:
            raise ConfigurationError(
                f"dbprofile: the demo with {wanted} needs {', '.join(missing)}; pip install {' '.join(missing)}"
            )
    raise ConfigurationError(
        "dbprofile: the demo needs a framework; pip install django, or pip install flask sqlalchemy"
    )


@contextlib.contextmanager
def _shop(framework: str) -> Iterator[Shop]:
    """A copy of the example in a temporary folder, which is the working directory meanwhile."""
    with tempfile.TemporaryDirectory(prefix="dbprofile-demo-") as folder:
        # Resolved: where the temporary folder is a link, places would not be shown relative to it.
        root = Path(folder).resolve() / "shop"
        shutil.copytree(_source(framework), root, ignore=shutil.ignore_patterns("__pycache__", "*.sqlite3*"))
        with contextlib.chdir(root):
            sys.path.insert(0, str(root))
            try:
                yield cast("Shop", importlib.import_module("visit"))
            finally:
                sys.path.remove(str(root))


def _source(framework: str) -> Path:
    """The example's folder: in the installed package, or in the checkout that it is installed from."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "examples" / framework, package.parent / "examples" / framework):
        if folder.is_dir():
            return folder
    raise ConfigurationError(f"dbprofile: the example for {framework} is not in {package}; install dbprofile anew")
