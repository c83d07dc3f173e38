"""Source: the text of a file and its syntax tree, read when a report is made, and kept until the file changes."""

from __future__ import annotations

import ast
import os
import stat
from functools import cached_property, lru_cache
from typing import Final

__all__ = ["Source", "one_line", "source_of"]

#: Larger files (bytes) are no source that somebody wrote.
LARGEST: Final = 2_000_000
KEPT: Final = 128


class Source:
    """One file as it is now."""

    def __init__(self, file: str, content: bytes) -> None:
        self.file = file
        self._content = content

    @cached_property
    def text(self) -> str:
        """The text; what is not UTF-8 in it is replaced."""
        return self._content.decode("utf-8-sig", "replace")

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines."""
        return self.text.splitlines()

    @cached_property
    def tree(self) -> ast.Module | None:
        """The syntax tree; ``None`` of what is no Python, or nested too deep. Columns are bytes, as code objects count them."""
        try:
            return ast.parse(self._content, self.file)
        except (SyntaxError, ValueError, RecursionError):
            return None


def source_of(file: str) -> Source | None:
    """The source of a file; ``None`` where there is no such regular file (a prompt, a template by its bare name)."""
    if not os.path.isabs(file):
        return None
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
        return None
    return _read(file, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=KEPT)
def _read(file: str, _changed: int, _size: int) -> Source | None:
    try:
        with open(file, "rb") as opened:
            return Source(file, opened.read())
    except OSError:
        return None  # it went away, or may not be read


def one_line(text: str, node: ast.AST) -> str:
    """The code of a node of ``text`` on one line: as it is written, or anew where it stands on several, for their comments."""
    written = ast.get_source_segment(text, node) or ""
    return written if written and "\n" not in written else ast.unparse(node)
