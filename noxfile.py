"""The matrix of versions, and the checks that need an environment of their own: ``nox -l`` lists them."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "wheel", "imports"]

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml("pyproject.toml")

MATRIX = {
    # The oldest versions that are supported, all in one cell.
    "3.11": ("django~=5.2.0", "sqlalchemy==2.0.31", "pytest<9", "wrapt~=1.16.0"),
    "3.12": ("django~=6.0.0", "sqlalchemy~=2.1.0"),
    "3.13": ("django~=6.1.0", "sqlalchemy~=2.1.0"),
}
"""What is tested together: by Python version, the libraries pinned in that cell."""

IN_PARALLEL = ("-n", "2", "--dist", "loadfile")
"""The tests of one file stay together: they share databases."""

WITHOUT_SOURCES = (
    "benchmarks",
    "docs",
    "examples",
    "tests",
    "CONTRIBUTING.md",
    "README.md",
    "mkdocs.yml",
    "pyproject.toml",
)
"""What a run against the built wheel needs of the repository: everything but the packages themselves."""


def _group(name: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, name))


@contextmanager
def _built(session: nox.Session) -> Iterator[str]:
    """Builds the wheel; yields the requirement that installs it."""
    # Not the session's own folder: that lies in the repository, whose settings would then reach the tests' temporary folders.
    with tempfile.TemporaryDirectory() as folder:
        session.install("hatchling")
        session.run("hatchling", "build", "-t", "wheel", "-d", folder, silent=True)
        (wheel,) = Path(folder).glob("*.whl")
        yield wheel.as_uri()


VERSIONED = ("tests/integrations", "tests/scenarios")
"""What depends on the versions of a cell; the rest is run by ``make test``."""

ONCE = tuple(f"--ignore=tests/integrations/test_{part}.py" for part in ("every_fault", "leaks", "many_loads", "memory"))
"""Minutes of repetition that depend on no version of a library: ``make test`` is enough for them."""

PACKAGED = (*VERSIONED, "tests/testing", "tests/verbs")
"""What could work in the repository and not in the wheel: it finds its own files, and is run from the outside."""


@nox.session(python=list(MATRIX))
def tests(session: nox.Session) -> None:
    """What depends on versions, on those of one cell of the matrix; other tests as arguments."""
    assert isinstance(session.python, str)
    session.install("-e", ".[all]", *_group("test"), *MATRIX[session.python])
    session.run("python", "-m", "pytest", *IN_PARALLEL, *(session.posargs or (*VERSIONED, *ONCE)))


@nox.session(python="3.12", reuse_venv=False)
def wheel(session: nox.Session) -> None:
    """Tests against the built wheel, with the source folders out of the way, in the cell of its Python; others as arguments."""
    with _built(session) as uri:
        session.install(f"dbprofile[all] @ {uri}", *_group("test"), *MATRIX["3.12"])
    with tempfile.TemporaryDirectory() as name:
        for part in WITHOUT_SOURCES:
            source, copy = ROOT / part, Path(name) / part
            if source.is_dir():
                shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, copy)
        session.chdir(name)
        where = session.run("python", "-c", "import dbprofile; print(dbprofile.__file__)", silent=True)
        if "site-packages" not in str(where):
            session.error(f"dbprofile was imported from {where}: not from the wheel")
        session.run("python", "-m", "pytest", *IN_PARALLEL, *(session.posargs or (*PACKAGED, *ONCE)))


@nox.session(python=list(MATRIX), reuse_venv=False)
def imports(session: nox.Session) -> None:
    """Every module of the core imports where nothing but its own dependencies is installed."""
    with _built(session) as uri:
        session.install(f"dbprofile @ {uri}")
    session.run("python", "-W", "error", "-c", IMPORT_THE_CORE)
    session.run("dbprofile", "--version")


IMPORT_THE_CORE = """
import importlib, pkgutil
import dbprofile

optional = ("dbprofile.web", "dbprofile.output.renderers.html", "dbprofile.__main__")
names = [module.name for module in pkgutil.walk_packages(dbprofile.__path__, "dbprofile.")]
names = [name for name in names if not name.startswith(optional)]
for name in names:
    importlib.import_module(name)
print(len(names), "modules of the core import without any framework")
"""


@nox.session
def lint(session: nox.Session) -> None:
    """Style and format."""
    session.install(*_group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy strict over everything."""
    session.install("-e", ".[all]", *_group("types"))
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site, strictly."""
    session.install(*_group("docs"))
    session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})
