"""Told: what a person was told already, so that each problem is told once, and its end once. Survives a reload in one small file."""

from __future__ import annotations

import json
import os
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from dbprofile.capture.scope import muted
from dbprofile.findings.finding import Severity
from dbprofile.guard import guarded

if TYPE_CHECKING:
    from sqlite3 import Connection

    from dbprofile.findings.report import Report

__all__ = ["FOLDER", "Again", "Fixed", "Told"]

#: Folder of the project that holds what is ours; it keeps itself out of version control.
FOLDER: Final = ".dbprofile"
_FILE: Final = "history.sqlite3"
#: Units of work that are remembered; the oldest are forgotten.
NAME_LIMIT: Final = 1_000
#: Seconds that a worker waits for another one's write.
_PATIENCE: Final = 0.2

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS told (name TEXT PRIMARY KEY, entry TEXT NOT NULL, at INTEGER NOT NULL)"


class Again(NamedTuple):
    """The findings are those of an earlier unit of work."""

    number: int
    """Of the unit in which they were told in full."""
    times: int
    """How often they were met since."""


class Fixed(NamedTuple):
    """The findings of an earlier unit are gone, and the code has changed since."""

    number: int
    before: int
    """Queries of the unit in which they were told."""
    after: int


@dataclass
class _Entry:
    """What was told of one kind of unit: of one route, one task."""

    number: int
    queries: int
    times: int
    findings: list[str]
    files: dict[str, int]
    """Files that the findings lie in, with when they were changed last (nanoseconds)."""


class Told:
    """Remembers what was told.

    Args:
        root: folder of the project, for the file that outlives the process; ``None`` remembers within the process alone.
    """

    def __init__(self, root: str | None = None) -> None:
        self._folder = os.path.join(root, FOLDER) if root is not None else None
        self._entries: dict[str, _Entry] = {}
        self._connection: Connection | None = None
        self._process = os.getpid()

    def of(self, report: Report) -> Again | Fixed | None:
        """What is known of a report; ``None`` if it has to be told in full, or has nothing to tell."""
        name = f"{report.profile.kind} {report.profile.name}"
        known = self._read(name)
        if report.worst is None or report.worst < Severity.WARNING:
            if known is None or not _changed(known):
                return None  # this time the code took another branch
            self._forget(name)
            return Fixed(known.number, known.queries, report.profile.query_count)
        findings = sorted({json.dumps(finding.identity) for finding in report.findings})
        if known is not None and set(findings) <= set(known.findings) and not _changed(known):
            known.times += 1
            self._write(name, known)
            return Again(known.number, known.times)
        files = {file: _changed_at(file) for finding in report.findings for file in finding.files}
        self._write(name, _Entry(report.profile.number, report.profile.query_count, 1, findings, files))
        return None

    # --- memory -------------------------------------------------------------------------------------------------------

    def _read(self, name: str) -> _Entry | None:
        stored = self._stored(name)
        return stored if stored is not None else self._entries.get(name)

    def _write(self, name: str, entry: _Entry) -> None:
        self._entries.pop(name, None)
        self._entries[name] = entry
        while len(self._entries) > NAME_LIMIT:
            del self._entries[next(iter(self._entries))]
        self._store(name, entry)

    def _forget(self, name: str) -> None:
        self._entries.pop(name, None)
        self._store(name, None)

    # --- the file, which may fail: then the process remembers alone ------------------------------------------------------

    @guarded("told.read", None)
    def _stored(self, name: str) -> _Entry | None:
        with muted():
            connection = self._opened()
            if connection is None:
                return None
            row = connection.execute("SELECT entry FROM told WHERE name = ?", (name,)).fetchone()
        return _Entry(**json.loads(row[0])) if row is not None else None

    @guarded("told.write", None)
    def _store(self, name: str, entry: _Entry | None) -> None:
        with muted():
            connection = self._opened()
            if connection is None:
                return
            with connection:
                if entry is None:
                    connection.execute("DELETE FROM told WHERE name = ?", (name,))
                    return
                text = json.dumps(vars(entry))
                connection.execute(
                    "INSERT OR REPLACE INTO told VALUES (?, ?, (SELECT coalesce(max(at), 0) + 1 FROM told))",
                    (name, text),
                )
                connection.execute("DELETE FROM told WHERE at <= (SELECT max(at) FROM told) - ?", (NAME_LIMIT,))

    def _opened(self) -> Connection | None:
        """The file, opened by this process; ``None`` where there is to be none."""
        if self._connection is not None and self._process == os.getpid():
            return self._connection
        if self._folder is None:
            return None
        folder, self._folder = self._folder, None  # one that cannot be opened is not tried again
        import sqlite3  # noqa: PLC0415 - 3 ms that only a report with findings pays

        os.makedirs(folder, exist_ok=True)
        ignore = os.path.join(folder, ".gitignore")
        if not os.path.exists(ignore):
            with open(ignore, "w", encoding="utf-8") as opened:
                opened.write("*\n")
        # The class, not connect(): that is what tools that watch drivers replace, and this is none of the application's.
        connection = sqlite3.Connection(os.path.join(folder, _FILE), timeout=_PATIENCE, check_same_thread=False)
        weakref.finalize(self, connection.close)  # Python 3.13 warns of one that is left to the garbage collector
        connection.execute(_SCHEMA)
        self._connection, self._process, self._folder = connection, os.getpid(), folder
        return self._connection


def _changed(entry: _Entry) -> bool:
    return any(_changed_at(file) != at for file, at in entry.files.items())


def _changed_at(file: str) -> int:
    try:
        return os.stat(file).st_mtime_ns
    except (OSError, ValueError):
        return 0
