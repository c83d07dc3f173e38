"""Program: a script, a folder or archive with a ``__main__``, or a module; and what Python sets up for it before it runs."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import BYTECODE_SUFFIXES, ModuleSpec, SourceFileLoader, SourcelessFileLoader
from importlib.util import find_spec
from pkgutil import get_importer
from types import CodeType
from typing import Protocol

from dbprofile.errors import ConfigurationError

__all__ = ["Archive", "Command", "Module", "Program", "Script", "main_in"]


class Program(Protocol):
    """What can be run as ``__main__``."""

    def enter(self) -> None:
        """Set ``sys.argv`` and the first entry of ``sys.path`` to what the program finds when Python runs it.

        Raises:
            ConfigurationError: where it shows already that there is no such program.
        """

    def load(self) -> tuple[CodeType, Mapping[str, object]]:
        """The code, and the names that Python puts into ``__main__`` before it runs.

        Raises:
            SystemExit: where there is no such module, as Python says it.
            BaseException: what the code of a package does that is imported on the way; a SyntaxError of the program.
        """


@dataclass(frozen=True)
class Script:
    """A file: ``python script.py``."""

    path: str
    words: Sequence[str]
    """``sys.argv``: the script as it was named, and its arguments."""

    def enter(self) -> None:
        """Its folder comes first; of a link that of the file it leads to."""
        sys.argv[:] = self.words
        _come_first(os.path.dirname(os.path.realpath(self.path)))

    def load(self) -> tuple[CodeType, Mapping[str, object]]:
        """Compile the file."""
        path = _whole(self.path)
        loader: SourceFileLoader | SourcelessFileLoader
        if path.endswith(tuple(BYTECODE_SUFFIXES)):
            loader = SourcelessFileLoader("__main__", path)
            code = loader.get_code("__main__")
        else:
            loader = SourceFileLoader("__main__", path)
            # Not get_code(): that would leave a compiled copy beside the script, which Python does not.
            code = loader.source_to_code(loader.get_data(path), path)
        assert code is not None
        return code, {"__file__": path, "__cached__": None, "__loader__": loader, "__package__": None, "__spec__": None}


@dataclass(frozen=True)
class Archive:
    """A folder or a zip file with a ``__main__.py``: ``python folder``."""

    path: str
    words: Sequence[str]

    def enter(self) -> None:
        """It comes first itself, also where Python was told not to search the folder of a script."""
        sys.argv[:] = self.words
        _come_first(_whole(self.path), always=True)

    def load(self) -> tuple[CodeType, Mapping[str, object]]:
        """Load its ``__main__``."""
        found = main_in(self.path)
        if found is None:
            raise SystemExit(f"dbprofile: can't find '__main__' module in {self.path!r}")
        return _loaded(found)


@dataclass(frozen=True)
class Module:
    """A module by its name: ``python -m package.module``."""

    name: str
    words: Sequence[str]

    def enter(self) -> None:
        """The working directory comes first."""
        sys.argv[:] = ["-m", *self.words[1:]]
        _come_first(os.getcwd())
        outermost = self.name.partition(".")[0]
        if not outermost or find_spec(outermost) is None:
            raise ConfigurationError(f"dbprofile: there is no module {self.name!r} here")

    def load(self) -> tuple[CodeType, Mapping[str, object]]:
        """Import the packages that it lies in; of a package take its ``__main__``."""
        found = self._spec(self.name)
        if found.submodule_search_locations is not None:
            found = self._spec(f"{self.name}.__main__")
        code, names = _loaded(found)
        sys.argv[0] = str(found.origin)
        return code, names

    def _spec(self, name: str) -> ModuleSpec:
        try:
            found = find_spec(name)
        except ModuleNotFoundError as error:
            # Of the packages that it lies in; any other is missed by the code of one of them.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            found = None
        except ValueError:
            found = None  # something stands in sys.modules under this name that was not imported
        if found is None:
            raise SystemExit(f"dbprofile: No module named {name}")
        return found


@dataclass(frozen=True)
class Command:
    """A function that a package declares as a command, where its script is not written in Python."""

    module: str
    function: str
    words: Sequence[str]

    def enter(self) -> None:
        """The folder of commands comes first, as for a script that lies there."""
        sys.argv[:] = self.words
        _come_first(sysconfig.get_path("scripts"))

    def load(self) -> tuple[CodeType, Mapping[str, object]]:
        """What an installer writes into a script."""
        outermost = self.function.partition(".")[0]
        source = f"import sys\nfrom {self.module} import {outermost}\nsys.exit({self.function}())\n"
        return compile(source, f"<command {self.words[0]}>", "exec", dont_inherit=True), {}


def main_in(path: str) -> ModuleSpec | None:
    """The ``__main__`` of a folder or a zip file; ``None`` where it has none, or is neither."""
    importer = get_importer(_whole(path))
    return importer.find_spec("__main__") if importer is not None else None


def _whole(path: str) -> str:
    """The path from the root, otherwise as it was written: not without its dots."""
    return os.path.join(os.getcwd(), path)


def _loaded(found: ModuleSpec) -> tuple[CodeType, Mapping[str, object]]:
    loader = found.loader
    get_code = getattr(loader, "get_code", None)
    code = get_code(found.name) if get_code is not None else None
    if code is None:
        raise SystemExit(f"dbprofile: No code object available for {found.name}")
    return code, {
        "__file__": found.origin,
        "__cached__": found.cached,
        "__loader__": loader,
        "__package__": found.parent,
        "__spec__": found,
    }


def _come_first(folder: str, *, always: bool = False) -> None:
    """Put a folder where the one of the command ``dbprofile`` stands: Python puts one there, unless it was told not to (``-P``)."""
    if not sys.flags.safe_path:
        sys.path[0] = folder
    elif always:
        sys.path.insert(0, folder)
