"""``dbprofile run``: a script, a module or an installed command in this process, and a report of its queries at the end."""

from __future__ import annotations

import argparse
import atexit
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from dbprofile.findings.gate import Gate
from dbprofile.guard import guarded
from dbprofile.profiler import build_profiler
from dbprofile.programs.commandline import shown_command
from dbprofile.programs.lookup import find_program
from dbprofile.programs.profiled import ProfiledCommand
from dbprofile.programs.program import Program
from dbprofile.programs.running import run_as_main
from dbprofile.programs.wanted import Wanted
from dbprofile.rules import DEFAULT_RULES, OPTIONAL_RULES
from dbprofile.settings import project_settings, switch
from dbprofile.verbs.options import add_colour

__all__ = ["HELP", "add_arguments", "add_options", "asked_for", "perform"]

HELP: Final = "run a program and print what queries it made"

_FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.usage = (
        "dbprofile run [options] [--] PROGRAM [ARGUMENTS]\n       dbprofile run [options] -m MODULE [ARGUMENTS]"
    )
    add_options(parser)
    add_colour(parser)
    parser.add_argument("-m", dest="is_module", action="store_true", help="PROGRAM is a module, as for python -m")
    parser.add_argument(
        "program",
        nargs=argparse.REMAINDER,
        metavar="PROGRAM [ARGUMENTS]",
        help="a script, a folder or archive with a __main__.py, or a command of this environment",
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options that are about the report; the same for each way to name a program."""
    parser.add_argument("--json", dest="json_file", metavar="FILE", help="write the report as JSON to FILE too")
    parser.add_argument(
        "--fail-on",
        dest="gate",
        default="",
        metavar="CODES",
        help="exit with 1 if there are findings of these codes (DBP101,DBP2xx) or of a severity (warning)",
    )
    parser.add_argument("--baseline", dest="baseline_file", metavar="FILE", help="findings of FILE may stay")
    rewrite = parser.add_mutually_exclusive_group()
    rewrite.add_argument(
        "--accept", dest="rewrite", action="store_const", const="accept", help="add what is found to the baseline"
    )
    rewrite.add_argument(
        "--shrink",
        dest="rewrite",
        action="store_const",
        const="shrink",
        help="take what is not found any more out of it",
    )
    parser.add_argument(
        "--stale",
        action="store_true",
        help="list comments and tables of the settings that silenced nothing; for a run of all there is, a test suite",
    )


def asked_for(options: argparse.Namespace, *, colour: bool | None = None) -> Wanted:
    """What the options of ``add_options`` say.

    Raises:
        ConfigurationError: for a code that no rule has.
    """
    rules: tuple[Any, ...] = (*DEFAULT_RULES, *OPTIONAL_RULES)
    return Wanted(
        json_file=options.json_file,
        gate=Gate.of(options.gate, [rule.code for rule in rules]),
        baseline_file=options.baseline_file,
        accepts=options.rewrite == "accept",
        shrinks=options.rewrite == "shrink",
        lists_stale=options.stale,
        colour=colour,
    )


def perform(arguments: argparse.Namespace) -> Callable[[], int]:
    """Find the program, and prepare to report on it.

    Returns:
        What runs it; from there on nothing that is raised is ours.

    Raises:
        ConfigurationError: where there is no such program, for a wrong setting or option.
    """
    words = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    words = ["-m", *words] if arguments.is_module else words
    program = find_program(words)
    profiler = build_profiler(project_settings())
    named = ["python", *words] if words[0] == "-m" else words
    command = ProfiledCommand(
        shown_command(named), asked_for(arguments, colour=arguments.colour), profiler=profiler, stream=sys.stderr
    )
    program.enter()
    if switch() is False or not profiler.settings.enabled:
        sys.stderr.write("dbprofile is switched off: nothing is counted\n")
        return partial(_run, program, None)
    _watch()
    return partial(_run, program, command)


@guarded("run.install", None)
def _watch() -> None:
    from dbprofile.adapters import install  # noqa: PLC0415 - wrapt and importlib.metadata cost `dbprofile --help` 70 ms

    install(drivers=True)


def _run(program: Program, command: ProfiledCommand | None) -> int:
    if command is None:
        run_as_main(program)
        return 0
    # The first to be registered is the last to be called: threads and the program's own exit handlers send queries too.
    atexit.register(_report, command)
    command.begin()
    with command.entered():
        run_as_main(program)
    return 0


def _report(command: ProfiledCommand) -> None:
    """Report when the interpreter exits. There, the exit code can only be changed by leaving at once."""
    refusal = command.end()
    if not refusal:
        return
    logging.shutdown()  # its own handler would come after this one
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{refusal}\n")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(_FAILED)
