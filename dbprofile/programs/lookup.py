"""Which program the words of a command line name: a file, a folder, a module, or a command of this environment."""

from __future__ import annotations

import os
import re
import shutil
import sysconfig
from collections.abc import Sequence
from typing import Final

from dbprofile.errors import ConfigurationError
from dbprofile.programs.program import Archive, Command, Module, Program, Script, main_in

__all__ = ["find_program"]

_PYTHON: Final = re.compile(r"python(\d+(\.\d+)*)?(\.exe)?", re.IGNORECASE)
_USAGE: Final = "write `dbprofile run script.py`, `dbprofile run -m module` or `dbprofile run command`"


def find_program(words: Sequence[str]) -> Program:
    """The program that a command line names, with its arguments. It is entered and loaded later.

    Args:
        words: a program and its arguments, or ``-m``, a module and its arguments; ``python`` before either stands for this Python.

    Raises:
        ConfigurationError: where there is no such program, or it is none that Python runs.
    """
    if words and _PYTHON.fullmatch(words[0]):
        words = words[1:]
    if not words:
        raise ConfigurationError(f"dbprofile: no program given; {_USAGE}")
    name, *rest = words
    if name == "-m":
        return _module(rest)
    if name.startswith("-"):
        raise ConfigurationError(
            f"dbprofile: {name} is an option of Python's, which runs already; {_USAGE}, and options before our own name:"
            f" `python {name} -m dbprofile run …`"
        )
    # A folder without a `__main__` may be named like a command all the same: `alembic`, `celery`.
    if os.path.exists(name) and main_in(name) is not None:
        return Archive(name, words)
    if os.path.exists(name) and not os.path.isdir(name):
        if not os.access(name, os.R_OK):
            raise ConfigurationError(f"dbprofile: {name} cannot be read; {_USAGE}")
        return Script(name, words)
    return _command(name, words)


def _module(words: Sequence[str]) -> Module:
    if not words:
        raise ConfigurationError(f"dbprofile: -m without a module; {_USAGE}")
    return Module(words[0], words)


# --- commands that packages install ---------------------------------------------------------------------------------


def _command(name: str, words: Sequence[str]) -> Program:
    """A command of this environment; else one on the path, if it is written in Python."""
    # That of this environment first: it may not be the one that the shell has activated.
    folders = (sysconfig.get_path("scripts"), None)
    found = [path for folder in folders if (path := shutil.which(name, path=folder))]
    for path in found:
        if _is_python(path):
            return Script(path, (path, *words[1:]))
    from importlib.metadata import entry_points  # noqa: PLC0415 - 15 ms that only such a command pays

    for entry_point in entry_points(group="console_scripts", name=name):
        return Command(entry_point.module, entry_point.attr, words)
    if found:
        raise ConfigurationError(
            f"dbprofile: {found[0]} is no program of Python's, and no other can be watched; {_USAGE}"
        )
    if os.path.isdir(name):
        raise ConfigurationError(f"dbprofile: the folder {name} holds no __main__.py; {_USAGE}")
    raise ConfigurationError(f"dbprofile: there is no file and no command {name!r}; {_USAGE}")


def _is_python(path: str) -> bool:
    """Whether a file compiles. The first line of a command says little: it may be a shell's that starts Python on the same file."""
    try:
        with open(path, "rb") as file:
            compile(file.read(), path, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return False
    return True
