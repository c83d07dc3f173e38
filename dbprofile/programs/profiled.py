"""ProfiledCommand: one scope round a whole command, and what is said of it at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from dbprofile.findings.finding import Severity
from dbprofile.findings.merging import worst_of_each
from dbprofile.findings.numbers import quantity
from dbprofile.findings.report import Report
from dbprofile.guard import guarded
from dbprofile.output.renderers import json, text
from dbprofile.output.terminal import Terminal
from dbprofile.profiler import Profiler
from dbprofile.programs.wanted import Wanted, listed
from dbprofile.settings import project_root, switch

if TYPE_CHECKING:
    from dbprofile.capture.scope import Scope

__all__ = ["ProfiledCommand"]


class ProfiledCommand:
    """One unit of work that takes in every statement of the process, from ``begin()`` to ``end()``.

    Args:
        name: the command line as people may read it.
        wanted: what is made of it at the end.
        profiler: whose rules and thresholds; it needs no sink.
        stream: where the report is printed.

    Raises:
        ConfigurationError: for a baseline that cannot be read, or a file that cannot be written.
    """

    def __init__(self, name: str, wanted: Wanted, *, profiler: Profiler, stream: TextIO | None) -> None:
        # Now: the command may go to another folder.
        self._root = project_root()
        self._wanted = wanted.located()
        self._name = name
        self._profiler = profiler
        self._stream = stream
        self._baseline = self._wanted.baseline(self._root)
        if self._baseline is not None:
            profiler.silence = profiler.silence.with_baseline(self._baseline)
        self._scope: Scope | None = None
        self._failed = False
        self._process = os.getpid()
        self._forks_before = _forks

    @guarded("command.begin", None)
    def begin(self) -> None:
        """Open the scope."""
        self._scope = self._profiler.scope("command", self._name, reach="process")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """For the command itself: how it ends is noted, an exception by its class."""
        try:
            yield
        except SystemExit as chosen:
            self._failed = bool(chosen.code)
            raise
        except BaseException as error:
            self._failed = True
            if self._scope is not None:
                self._scope.labels["error.type"] = type(error).__qualname__
            raise

    def end(self) -> str:
        """Close the scope and tell of it, once.

        Returns:
            Why the run fails although the command did not, in one line; nothing where it does not, or in the child of a fork.
        """
        report = self._closed()
        if report is None:
            return ""
        self._print(report)
        self._save(report)
        if self._failed:
            return ""  # it has failed by itself, and is no complete run to learn from
        self._update_baseline()
        self._list_stale()
        return self._refusal(report) or ""

    @guarded("command.close", None)
    def _closed(self) -> Report | None:
        scope, self._scope = self._scope, None
        if scope is None or os.getpid() != self._process:
            return None
        scope.close()
        report = self._profiler.report(scope.profile())
        # A server answers many requests alike, a test suite asks for the same page again: each finding is told once.
        return Report(report.profile, worst_of_each(report.findings), report.silenced)

    @guarded("command.print", None)
    def _print(self, report: Report) -> None:
        if self._stream is None:
            return
        if switch() == "findings" and (report.worst is None or report.worst < Severity.WARNING):
            return
        shown = text.render([report], Terminal.of(self._stream, colour=self._wanted.colour), root=self._root)
        if forks := _forks - self._forks_before:
            shown += f"\n  without what {quantity(forks, 'forked process', 'forked processes')} sent"
        self._say(shown)

    @guarded("command.save", None)
    def _save(self, report: Report) -> None:
        if self._wanted.json_file is None:
            return
        try:
            with open(self._wanted.json_file, "w", encoding="utf-8") as file:
                file.write(json.render([report], root=self._root) + "\n")
        except OSError as error:
            self._say(f"dbprofile: cannot write {self._wanted.json_file}: {error.strerror}")

    @guarded("command.baseline", None)
    def _update_baseline(self) -> None:
        if self._baseline is None:
            return
        try:
            line = self._wanted.updated(self._baseline, self._root)
        except OSError as error:
            line = f"cannot write {self._wanted.baseline_file}: {error.strerror}"
        if line:
            self._say(f"dbprofile: {line}")

    @guarded("command.stale", None)
    def _list_stale(self) -> None:
        if not self._wanted.lists_stale:
            return
        stale = self._profiler.silence.stale()
        if stale:
            self._say(
                listed(f"dbprofile: silenced nothing in this run, {quantity(len(stale), 'entry', 'entries')}:", stale)
            )
        else:
            self._say("dbprofile: everything that silences has silenced something")

    @guarded("command.gate", None)
    def _refusal(self, report: Report) -> str:
        stopped = self._wanted.gate.stopped(report.findings)
        if not stopped or self._wanted.accepts:
            return ""
        codes = ", ".join(sorted({finding.code for finding in stopped}))
        return (
            f"dbprofile: failed by --fail-on {self._wanted.gate.wanted}: {quantity(len(stopped), 'finding')} ({codes})"
        )

    def _say(self, text: str) -> None:
        try:
            # What the program printed comes first, where both are read in one place.
            if sys.stdout is not None and sys.stdout.isatty():
                sys.stdout.flush()
            if self._stream is not None:
                self._stream.write(f"{text}\n")
                self._stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more


_forks = 0


def _forked() -> None:
    global _forks
    _forks += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_forked)
