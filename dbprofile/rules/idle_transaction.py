"""DBP402: a transaction that stays open while nothing runs in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from dbprofile.analysis.groups import Analysis
from dbprofile.analysis.stretches import Stretch, by_connection, by_place, long_stretches
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.numbers import duration
from dbprofile.findings.statements import about

__all__ = ["IdleTransaction"]

#: Seconds from which it is critical.
LONG: Final = 1.0


@dataclass(frozen=True)
class IdleTransaction:
    """Locks and snapshots that are kept while the application does something else. Severity: critical from 1 s, else warning."""

    code: ClassVar[str] = "DBP402"
    kind: ClassVar[str] = "idle_transaction"
    asks_of: ClassVar[str] = "connections"

    ms: float = 100
    """Milliseconds that a transaction is open, at least half of them without a statement."""

    def __call__(self, analysis: Analysis) -> Iterable[Finding]:
        """One finding for each place behind which nothing ran."""
        found = [
            stretch
            for connection, queries in by_connection(analysis.profile)
            for stretch in long_stretches(connection.transactions, queries, self.ms / 1000)
            if stretch.idle * 2 >= stretch.seconds
        ]
        for same in by_place(found):
            worst = max(same, key=lambda stretch: stretch.seconds)
            yield about(
                self,
                [query for stretch in same for query in stretch.queries],
                worst.idle_after,
                severity=Severity.CRITICAL if worst.seconds >= LONG else Severity.WARNING,
                message=f"{_transactions(same)} open for {duration(worst.seconds)}, {duration(worst.idle)} of them idle",
                threshold=self.ms / 1000,
                fix=Fix("commit before what takes long, or do that before the transaction", certain=False),
            )


def _transactions(same: Sequence[Stretch]) -> str:
    return "a transaction" if len(same) == 1 else f"{len(same):,} transactions, the longest"
