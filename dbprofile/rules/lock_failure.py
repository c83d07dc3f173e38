"""DBP406: the database gave up on a statement because of a lock: a deadlock, a time-out, a serialization failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import duration
from dbprofile.findings.statements import about, alike

__all__ = ["LockFailure"]

_DEADLOCK: Final = "a deadlock"
_TIMEOUT: Final = "a lock that was not to be had in time"
_SERIALIZATION: Final = "a serialization failure"
#: Codes of PostgreSQL (SQLSTATE), of MySQL and MariaDB, and of SQLite.
_WORDS: Final = {
    "40P01": _DEADLOCK,
    "55P03": _TIMEOUT,
    "40001": _SERIALIZATION,
    "1213": _DEADLOCK,
    "1205": _TIMEOUT,
    "1020": _SERIALIZATION,
    "SQLITE_BUSY": _TIMEOUT,
    "SQLITE_BUSY_SNAPSHOT": _SERIALIZATION,
    "SQLITE_LOCKED": _TIMEOUT,
    "SQLITE_LOCKED_SHAREDCACHE": _TIMEOUT,
}


@dataclass(frozen=True)
class LockFailure:
    """Statements that the database refused because of another transaction. Severity: warning."""

    code: ClassVar[str] = "DBP406"
    kind: ClassVar[str] = "lock_failure"

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each statement and place."""
        for queries in alike(query for query in analysis.profile.queries if query.error_code in _WORDS):
            first = queries[0]
            yield about(
                self,
                queries,
                first,
                severity=Severity.WARNING,
                message=f"{_WORDS[first.error_code or '']}, after {duration(first.seconds)}",
                fix=Fix("take locks in one order, keep transactions short, and try again", certain=False),
            )
