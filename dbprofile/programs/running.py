"""Running a program as ``__main__`` of this process: its own exit code, its own traceback, its own Ctrl-C."""

from __future__ import annotations

import sys
from types import ModuleType, TracebackType
from typing import Final

from dbprofile.programs.program import Program

__all__ = ["run_as_main"]

#: Packages whose frames stand between us and the program.
_LOADING: Final = frozenset({__package__, "importlib"})
#: The interpreter takes ``__file__`` out of the module it began with when that has failed, and does not hold it until then.
_kept: Final[list[ModuleType]] = []


def run_as_main(program: Program) -> None:
    """Run a program that was entered. What it raises is raised on, and shown as if nothing of ours had been between.

    Raises:
        BaseException: whatever ends the program; ``SystemExit`` where it chose its exit code.
    """
    _kept.append(sys.modules["__main__"])
    # A module of its own that stays: what the program pickles, forks and leaves to threads and exit handlers looks for it there.
    main = sys.modules["__main__"] = ModuleType("__main__")
    if "__annotations__" in vars(_kept[-1]):
        main.__annotations__ = {}
    try:
        code, names = program.load()
        vars(main).update(names)
        exec(code, vars(main))  # noqa: S102 - the user's program is what was asked for
    except SystemExit:
        raise
    except BaseException as error:
        _show_without_us(error)
        raise


def _show_without_us(error: BaseException) -> None:
    """Have the interpreter show an exception as the program's own: it asks ``sys.excepthook`` when everything is left."""
    shown = _of_program(error.__traceback__)
    hook = sys.excepthook

    def show(kind: type[BaseException], value: BaseException, traceback: TracebackType | None) -> None:
        if value is error:
            # For debuggers that look at the last exception, too.
            sys.last_traceback = traceback = shown
            value.__traceback__ = shown
        hook(kind, value, traceback)

    sys.excepthook = show


def _of_program(traceback: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the program; nothing where it could not be compiled."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith("<frozen ") and traceback.tb_frame.f_globals.get("__package__") not in _LOADING:
            return traceback
        traceback = traceback.tb_next
    return None
