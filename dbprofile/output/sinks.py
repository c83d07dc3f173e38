"""LogSink: each report as one record in the log; on standard error where nobody has set up logging."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Final

from dbprofile.errors import ConfigurationError
from dbprofile.findings.finding import Severity
from dbprofile.findings.report import Report
from dbprofile.output.renderers import text
from dbprofile.output.source import Root
from dbprofile.output.terminal import LOG, Terminal
from dbprofile.output.told import Again, Fixed, Told

__all__ = ["LogSink"]

_log: Final = logging.getLogger("dbprofile")
_findings_log: Final = logging.getLogger("dbprofile.findings")


class LogSink:
    """Logs a report as one record: INFO on ``dbprofile`` where all is well, else WARNING on ``dbprofile.findings``.

    Where no logging is set up, neither for the root nor for these loggers, the records go to standard error; they stop doing
    so as soon as it is. The facts are also fields of the record, ``dbprofile_query_count`` and so on.

    Args:
        console: ``text``, ``findings`` (nothing where all is well), or ``json`` (one object a line).
        root: the folder that paths are shown relative to; the working directory if ``None``.
        told: what was told already: findings that it knows are one line, and their end is told once. ``None`` tells all each time.
        colour: what a person chose; ``NO_COLOR``, ``FORCE_COLOR`` and the terminal decide if ``None``.

    Raises:
        ConfigurationError: for another ``console``.
    """

    def __init__(
        self, console: str = "text", *, root: Root | None = None, told: Told | None = None, colour: bool | None = None
    ) -> None:
        if console not in {"text", "findings", "json"}:
            raise ConfigurationError(f"dbprofile: console={console!r} is not one of 'text', 'findings', 'json'")
        self._quiet = console == "findings"
        self._root = root
        self._told = told
        self._colour = colour
        self._render: Callable[[Report, Terminal], str] = self._json() if console == "json" else self._text

    def __call__(self, report: Report) -> None:
        """Log one report."""
        wrong = report.worst is not None and report.worst >= Severity.WARNING
        known = self._told.of(report) if self._told is not None else None
        if self._quiet and not wrong and known is None:
            return
        ours = _use_console()
        log, level = (_findings_log, logging.WARNING) if wrong else (_log, logging.INFO)
        if log.isEnabledFor(level):
            terminal = Terminal.of(sys.stderr, colour=self._colour) if ours and sys.stderr is not None else LOG
            shown = self._known(report, known, terminal) or self._render(report, terminal)
            # A block ends with a blank line, else the server's own next line looks like a part of it.
            log.log(level, "%s\n" if ours and "\n" in shown else "%s", shown, extra=_facts(report))

    def _known(self, report: Report, known: Again | Fixed | None, terminal: Terminal) -> str:
        if isinstance(known, Again):
            return text.render_again(report, known, terminal)
        return text.render_fixed(report, known, terminal, root=self._root) if known is not None else ""

    def _text(self, report: Report, terminal: Terminal) -> str:
        return text.render([report], terminal, root=self._root)

    def _json(self) -> Callable[[Report, Terminal], str]:
        from dbprofile.output.renderers import json  # noqa: PLC0415 - 5 ms that other consoles need not pay

        def render(report: Report, _: Terminal) -> str:
            return json.render([report], root=self._root, queries=False, beside={"pid": os.getpid()})

        return render


def _facts(report: Report) -> dict[str, object]:
    profile = report.profile
    return {
        "dbprofile_kind": profile.kind,
        "dbprofile_name": profile.name,
        "dbprofile_number": profile.number,
        "dbprofile_query_count": profile.query_count,
        "dbprofile_rows": profile.rows,
        "dbprofile_seconds": profile.seconds,
        "dbprofile_database_seconds": profile.database_seconds,
        "dbprofile_findings": [finding.code for finding in report.findings],
    }


class _Console(logging.Handler):
    """Writes each record in one piece to what is standard error at that moment."""

    level_before = logging.NOTSET

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except (AttributeError, OSError, ValueError):
            pass  # there is no standard error, or nobody reads it any more


_console: Final = _Console()


def _use_console() -> bool:
    """Whether records go to our console, because they would go nowhere else."""
    others = any(handler is not _console for log in (_log, _findings_log, _log.root) for handler in log.handlers)
    ours = _console in _log.handlers
    if others and ours:
        _log.removeHandler(_console)
        _log.setLevel(_console.level_before)
    elif not others and not ours:
        _console.level_before = _log.level
        if _log.level == logging.NOTSET:
            _log.setLevel(logging.INFO)
        _log.addHandler(_console)
    return not others
