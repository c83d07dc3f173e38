"""``manage.py dbprofile``: ``run COMMAND`` profiles any management command; ``report``, ``compare`` and ``findings`` read what it saved."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management import ManagementUtility, call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

import dbprofile
from dbprofile.cli import SAVED, VERBS, ProfiledCommand, add_options, asked_for, shown_command
from dbprofile_django.configuration import project_profiler

__all__ = ["Command"]


class Command(BaseCommand):
    """The command ``dbprofile``."""

    help = "Run a management command and print what queries it made; show, compare and list what such runs have saved."
    # The command that is run asks for its own checks.
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """``run``, options about the report, and a command with arguments of its own; and the verbs about saved reports."""
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        run = verbs.add_parser("run", help="run a management command and print what queries it made")
        add_options(run)
        run.add_argument(
            "command_line",
            nargs=argparse.REMAINDER,
            metavar="COMMAND [ARGUMENTS]",
            help="the management command, with its options",
        )

        for name in SAVED:
            VERBS[name].add_arguments(verbs.add_parser(name, help=VERBS[name].HELP))

    def handle(self, **options: Any) -> None:
        """Run the command, or perform another verb.

        Raises:
            CommandError: for a mistake in our options or settings, where findings fail the run, and for whatever else has an exit
                code that is not 0.
        """
        if options["verb"] in SAVED:
            self._perform(options)
        else:
            self._run(options)

    def _perform(self, options: dict[str, Any]) -> None:
        if options["colour"] is None:
            options["colour"] = self._colour(options)
        out: Any = self.stdout._out  # below the wrapper, which would end each write with a line break
        try:
            with contextlib.redirect_stdout(out):
                code = VERBS[options["verb"]].perform(argparse.Namespace(**options))
        except dbprofile.ConfigurationError as error:
            raise CommandError(str(error), returncode=2) from error
        except BrokenPipeError:
            out.close()  # the reader has seen enough, and closing it at exit would raise again
            return
        assert isinstance(code, int)
        if code and self._is_a_process():
            sys.exit(code)  # the list says why
        elif code:
            raise CommandError(f"dbprofile {options['verb']}: exit code {code}", returncode=code)

    @staticmethod
    def _colour(options: dict[str, Any]) -> bool | None:
        return False if options["no_color"] else True if options["force_color"] else None

    def _run(self, options: dict[str, Any]) -> None:
        words = options["command_line"]
        words = words[1:] if words[:1] == ["--"] else words
        if not words:
            raise CommandError("dbprofile: no command given; write manage.py dbprofile run migrate")
        try:
            command = self._profiled(words, options)
        except dbprofile.ConfigurationError as error:
            raise CommandError(str(error)) from error
        if command is None:
            self.stderr.write("dbprofile is switched off: nothing is counted")
            self._call(words)
            return
        refusal = ""
        command.begin()
        try:
            with command.entered():
                self._call(words)
        finally:
            refusal = command.end()
        if refusal:
            raise CommandError(refusal)

    def _profiled(self, words: Sequence[str], options: dict[str, Any]) -> ProfiledCommand | None:
        profiler = project_profiler()
        if profiler is None:
            return None
        colour = self._colour(options)
        named = [Path(sys.argv[0]).name, *words] if self._is_a_process() else words
        # Below the wrapper: that would print the report in the colour of errors.
        stream: Any = self.stderr._out
        command = ProfiledCommand(
            shown_command(named),
            asked_for(argparse.Namespace(**options), colour=colour),
            profiler=profiler.without_sinks(),
            stream=stream,
        )
        if self._is_a_process():
            dbprofile.install(drivers=True)
        return command

    def _is_a_process(self) -> bool:
        """Whether the process was started for this: not by ``call_command``, which raises errors where this prints and exits."""
        return bool(getattr(self, "_called_from_command_line", False))

    def _call(self, words: Sequence[str]) -> None:
        if self._is_a_process():
            program = sys.argv[0]
            ManagementUtility([program, *words]).fetch_command(words[0]).run_from_argv([program, *words])
        else:
            # Below our own wrappers, which would end each write with a line break.
            call_command(words[0], *words[1:], stdout=self.stdout._out, stderr=self.stderr._out)
