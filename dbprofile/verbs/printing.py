"""How a verb hands over its text: to standard output in the characters that it takes, or to a file."""

from __future__ import annotations

import sys
from contextlib import suppress

from dbprofile.errors import ConfigurationError
from dbprofile.output.terminal import Terminal

__all__ = ["print_text", "terminal_of", "write_text"]


def terminal_of(file: str | None, colour: bool | None) -> Terminal:
    """What is known of the place that the text goes to: no colour in a file unless it is asked for."""
    if file is not None:
        return Terminal(colour=bool(colour))
    return Terminal.of(sys.stdout, colour=colour)


def write_text(text: str, file: str | None) -> None:
    """Write a text to a file, or to standard output without one.

    Raises:
        ConfigurationError: for a file that cannot be written.
    """
    if file is None or file == "-":
        print_text(text)
        return
    try:
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(f"{text}\n")
    except OSError as error:
        raise ConfigurationError(f"dbprofile: cannot write {file}: {error.strerror}") from error


def print_text(text: str) -> None:
    """Write a text to standard output. What that has no sign for is replaced, not refused.

    Raises:
        BrokenPipeError: if nobody reads on.
        ConfigurationError: if it cannot be written for another reason.
    """
    if sys.stdout is None:  # closed by the shell: `>&-`
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        with suppress(OSError):
            sys.stdout.close()  # else the interpreter tries again when it ends
        raise ConfigurationError(f"dbprofile: cannot write to standard output: {error.strerror}") from error
