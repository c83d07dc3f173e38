"""The door for the shell, ``dbprofile VERB …``, and for adapters that bring commands of their framework's."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, Protocol

from dbprofile.errors import ConfigurationError
from dbprofile.programs.commandline import shown_command
from dbprofile.programs.profiled import ProfiledCommand
from dbprofile.verbs import compare, demo, findings, fingerprint, report, run
from dbprofile.verbs.run import add_options, asked_for

__all__ = ["SAVED", "VERBS", "ProfiledCommand", "add_options", "asked_for", "main", "shown_command"]


class Verb(Protocol):
    """A module of ``dbprofile.verbs``."""

    HELP: str
    """One line for the list of verbs."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the verb takes."""

    def perform(self, arguments: argparse.Namespace) -> int | Callable[[], int]:
        """Do it.

        Returns:
            The exit code: 0 fine, 1 findings or a worse comparison, 2 wrong usage; or a function that returns it, for what is not
            ours: whatever that raises is raised on.
        """


VERBS: Final[dict[str, Verb]] = {
    "demo": demo,
    "run": run,
    "report": report,
    "compare": compare,
    "findings": findings,
    "fingerprint": fingerprint,
}


#: Verbs about saved reports, which the command lines of frameworks have too.
SAVED: Final = ("report", "compare", "findings")


def main(
    arguments: Sequence[str] | None = None, *, program: str = "dbprofile", verbs: Sequence[str] = tuple(VERBS)
) -> int:
    """Run one verb and return its exit code.

    Args:
        arguments: those of the process if ``None``.
        program: what was typed before them.
        verbs: those that can be run.
    """
    given = _parser(program, verbs).parse_args(arguments)
    try:
        outcome = VERBS[given.verb].perform(given)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except BrokenPipeError:
        # The reader has seen enough (`| head`). Closing the stream anew would raise again at exit.
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130
    return outcome if isinstance(outcome, int) else outcome()


def _parser(program: str, names: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        program, description="How many queries each request makes, why, and how to fix it."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in names:
        verb = VERBS[name]
        verb.add_arguments(verbs.add_parser(name, help=verb.HELP, description=verb.HELP))
    return parser


class _Version(argparse.Action):
    """Reads the version only when asked: importlib.metadata costs 24 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_arguments: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - see above

        sys.stdout.write(f"dbprofile {version('dbprofile')}\n")
        parser.exit(0)
