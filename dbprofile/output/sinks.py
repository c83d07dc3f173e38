"""LogSink: reports to the log, one record each; and to standard error where no logging is set up."""

from __future__ import annotations

import importlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dbprofile.findings.finding import Severity
from dbprofile.findings.report import Report
from dbprofile.output.renderers import text
from dbprofile.output.terminal import PLAIN, Terminal

__all__ = ["LogSink"]

_log: Final = logging.getLogger("dbprofile")
_findings_log: Final = logging.getLogger("dbprofile.findings")


class _Console(logging.StreamHandler["TextIO"]):
    """Writes to what standard error is at that moment, each record in one piece."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr


class LogSink:
    """Logs each report: INFO on ``dbprofile`` if all is well, else WARNING on ``dbprofile.findings``."""

    def __init__(self, console: str = "text", *, root: Path | None = None) -> None:
        self.console = console
        self.root = root

    def __call__(self, report: Report) -> None:
        """Log one report."""
        wrong = (report.worst or 0) >= Severity.WARNING
        log, level = (_findings_log, logging.WARNING) if wrong else (_log, logging.INFO)
        if log.isEnabledFor(level):
            log.log(level, "%s", text.render([report], root=self.root))
