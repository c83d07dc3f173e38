"""What stands at a place in the source: the path as shown, and the text of the line, read when a report is rendered."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dbprofile.capture.callsite import CallSite

if TYPE_CHECKING:
    from pathlib import Path  # which loads urllib where it runs

__all__ = ["shown_path", "source_text"]

#: Larger files are no source that somebody wrote.
LARGEST_FILE: Final = 2_000_000
LONGEST_LINE: Final = 500
LINES_KEPT: Final = 1_000

_TAGS: Final = (("{{", "}}"), ("{%", "%}"))


def shown_path(file: str, root: Path | None = None) -> str:
    """A path as people read it: relative to the project's root where it lies below, with ``/`` on every system.

    Args:
        file: as a CallSite has it.
        root: the project's root; the working directory if ``None``.
    """
    folder = str(root) if root is not None else os.getcwd()  # noqa: PTH109 - text is compared with text
    if file.startswith(folder.rstrip(os.sep) + os.sep):
        file = file[len(folder.rstrip(os.sep)) + 1 :]
    return file.replace(os.sep, "/")


def source_text(site: CallSite) -> str:
    """The source at a place, without indentation; of a template its tag with the braces. Empty where it cannot be read."""
    line = _line_at(site.file, site.line)
    if site.tag is None:
        return line
    return _tag_in(line, site.tag) or line or site.tag


def _line_at(file: str, line: int) -> str:
    if line < 1 or not os.path.isabs(file):  # noqa: PTH117 - `<stdin>`, or the bare name of a template
        return ""
    try:
        found = os.stat(file)  # noqa: PTH116 - as above: no Path object for a question
    except (OSError, ValueError):
        return ""
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE:
        return ""
    return _read_line(file, line, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=LINES_KEPT)
def _read_line(file: str, line: int, _changed: int, _size: int) -> str:
    """The line, kept until the file changes: templates are edited while the server runs."""
    try:
        with open(file, encoding="utf-8-sig", errors="replace") as lines:  # noqa: PTH123 - as above
            for number, text in enumerate(lines, 1):
                if number == line:
                    return " ".join(text.split())[:LONGEST_LINE]
    except OSError:
        pass  # it went away, or may not be read: the place alone is shown
    return ""


def _tag_in(line: str, tag: str) -> str:
    at = line.find(" ".join(tag.split()))
    if at < 0:
        return ""
    for opening, closing in _TAGS:
        start, end = line.rfind(opening, 0, at), line.find(closing, at)
        if start >= 0 and end >= 0 and closing not in line[start:at]:
            return line[start : end + 2]
    return ""
