"""Wanted: what a person asks of a run: files, a gate, a baseline and what becomes of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dbprofile.errors import ConfigurationError
from dbprofile.findings.baseline import Baseline
from dbprofile.findings.gate import Gate
from dbprofile.findings.numbers import quantity
from dbprofile.output.source import shown_path
from dbprofile.output.terminal import escaped

__all__ = ["Wanted", "listed"]

#: Entries that are named.
_MOST_ENTRIES: Final = 10


@dataclass(frozen=True)
class Wanted:
    """What is made of a run at its end."""

    json_file: str | None = None
    """Where the report goes as JSON too."""
    gate: Gate = field(default_factory=Gate)
    """What findings make it fail."""
    baseline_file: str | None = None
    """Findings that may stay, beside those of the settings' own file."""
    accepts: bool = False
    """Whether what was found goes into that file."""
    shrinks: bool = False
    """Whether what was not found goes out of it."""
    lists_stale: bool = False
    """Whether to list what silenced nothing: the run asks all that is there to be asked."""
    colour: bool | None = None
    """What was chosen on the command line; the terminal and the environment decide if ``None``."""

    def located(self) -> Wanted:
        """The same with files that mean the same from any folder, and that can be written.

        Raises:
            ConfigurationError: for options that need another, and a file that cannot be written.
        """
        if (self.accepts or self.shrinks) and self.baseline_file is None:
            raise ConfigurationError(
                "dbprofile: --accept and --shrink rewrite a baseline; name it with --baseline FILE"
            )
        located = replace(self, json_file=_absolute(self.json_file), baseline_file=_absolute(self.baseline_file))
        for file in (located.json_file, located.baseline_file if self.accepts or self.shrinks else None):
            if file is not None and not os.access(file if os.path.exists(file) else os.path.dirname(file), os.W_OK):
                raise ConfigurationError(f"dbprofile: cannot write {file}")
        return located

    def baseline(self, root: str) -> Baseline | None:
        """What may stay, by ``baseline_file``.

        Args:
            root: the folder of the project.

        Raises:
            ConfigurationError: for a file that is no baseline; one that is not there is an error unless it is to be made.
        """
        file = self.baseline_file
        if file is None:
            return None
        if not self.accepts and not os.path.exists(file):
            raise ConfigurationError(f"dbprofile: there is no baseline {file}; --accept makes one of what is found")
        return Baseline.read(file, root)

    def updated(self, baseline: Baseline, root: str) -> str:
        """Rewrite the file as was asked, after a complete run.

        Args:
            baseline: what ``baseline()`` returned, with what the run has seen.
            root: the folder that its path is shown relative to.

        Returns:
            What there is to say of it; entries that matched nothing by name.

        Raises:
            OSError: if it cannot be written.
        """
        file = self.baseline_file
        assert file is not None
        named = shown_path(file, root)
        stale = baseline.stale()
        if not self.accepts and not self.shrinks:
            if not stale:
                return ""
            told = f"{quantity(len(stale), 'entry', 'entries')} of {named} matched nothing; --shrink takes them out"
            return listed(told, [f"{key.code} {key.subject}, {key.trigger}" for key in stale])
        kept = baseline.accepted() if self.accepts else baseline
        kept = kept.shrunk() if self.shrinks else kept
        kept.write(file)
        return f"{quantity(len(kept), 'finding')} in {named}"


def listed(told: str, entries: Sequence[str]) -> str:
    """A line, and below it what it is about, each on a line of its own."""
    more = len(entries) - _MOST_ENTRIES
    lines = [told, *(f"  {escaped(entry)}" for entry in entries[:_MOST_ENTRIES])]
    return "\n".join([*lines, f"  and {more:,} more"] if more > 0 else lines)


def _absolute(file: str | None) -> str | None:
    return os.path.abspath(file) if file is not None else None
