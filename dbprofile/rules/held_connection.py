"""DBP403: a connection that is kept out of its pool far longer than its statements take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.analysis.stretches import Stretch, by_connection, by_place, long_stretches
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import duration
from dbprofile.findings.statements import about

__all__ = ["HeldConnection"]

#: Seconds from which it is a warning.
LONG: Final = 1.0
#: How many times as long as its statements ran.
TIMES: Final = 5


@dataclass(frozen=True)
class HeldConnection:
    """A connection that others wait for while nothing runs on it. Severity: warning from 1 s, else info."""

    code: ClassVar[str] = "DBP403"
    kind: ClassVar[str] = "held_connection"
    asks_of: ClassVar[str] = "connections"

    ms: float = 100
    """Milliseconds that a connection is held."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each place behind which nothing ran."""
        found = [
            stretch
            for connection, queries in by_connection(analysis.profile)
            for stretch in long_stretches(connection.held, queries, self.ms / 1000)
            if stretch.seconds > TIMES * stretch.busy
        ]
        for same in by_place(found):
            worst = max(same, key=lambda stretch: stretch.seconds)
            yield about(
                self,
                [query for stretch in same for query in stretch.queries],
                worst.idle_after,
                severity=Severity.WARNING if worst.seconds >= LONG else Severity.INFO,
                message=f"{_connections(same)} held for {duration(worst.seconds)}, for {duration(worst.busy)} of statements",
                threshold=self.ms / 1000,
                fix=Fix("give it back before what takes long: close the session, leave the block", certain=False),
            )


def _connections(same: Sequence[Stretch]) -> str:
    return "a connection" if len(same) == 1 else f"a connection {len(same):,} times, the longest"
