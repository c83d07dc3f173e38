"""What stands at a place in the source: the path as shown, and the text of the line, read when a report is rendered."""

from __future__ import annotations

import os
from typing import Final

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.source import source_of

__all__ = ["Root", "shown_path", "source_text"]

#: The folder that shown paths are relative to.
Root = str | os.PathLike[str]

LONGEST_LINE: Final = 500

_TAGS: Final = (("{{", "}}"), ("{%", "%}"))


def shown_path(file: str, root: Root | None = None) -> str:
    """A path as people read it: relative to the project's root where it lies below, with ``/`` on every system.

    Args:
        file: as a CallSite has it.
        root: the project's root; the working directory if ``None``.
    """
    folder = os.fspath(root) if root is not None else os.getcwd()
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
    source = source_of(file)
    if source is None or not 1 <= line <= len(source.lines):
        return ""
    return " ".join(source.lines[line - 1].split())[:LONGEST_LINE]


def _tag_in(line: str, tag: str) -> str:
    at = line.find(" ".join(tag.split()))
    if at < 0:
        return ""
    for opening, closing in _TAGS:
        start, end = line.rfind(opening, 0, at), line.find(closing, at)
        if start >= 0 and end >= 0 and closing not in line[start:at]:
            return line[start : end + 2]
    return ""
