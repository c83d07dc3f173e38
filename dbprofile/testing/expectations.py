"""What a block expects of its queries, and where they differ from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from dbprofile.errors import ConfigurationError
from dbprofile.testing.counted import Sent, matches_table, table_name
from dbprofile.testing.counts import Bound, Count, bound_of

if TYPE_CHECKING:
    from dbprofile.findings.finding import Finding
    from dbprofile.testing.log import QueryLog

__all__ = ["NOTHING", "Expectations", "Outcome", "Part", "not_ignored"]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of the queries with a number of its own: a table, a kind, a shape."""

    sort: str
    """``table``, ``kind`` or ``statement``."""
    name: str
    bound: Bound
    sent: tuple[Sent, ...]

    @property
    def count(self) -> int:
        """How many queries belong to it."""
        return sum(sent.count for sent in self.sent)

    @property
    def holds(self) -> bool:
        """Whether there are as many as expected."""
        return self.bound.allows(self.count)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of the expectations of one block."""

    bound: Bound | None = None
    """The number expected, where there is another number."""
    nplusone: Sequence[Finding] = ()
    """Those that are not allowed."""
    duplicates: Sequence[Finding] = ()
    parts: Sequence[Part] = ()
    """All parts that were asked about, those that hold too."""
    too_slow: float | None = None
    """Seconds that one query may take, where one took longer."""
    too_long: float | None = None
    """Seconds that all queries together may take, where they took longer."""

    @property
    def holds(self) -> bool:
        """Whether all is as expected."""
        failed = self.bound is not None or self.nplusone or self.duplicates or self.failed_parts
        return not failed and self.too_slow is None and self.too_long is None

    @property
    def failed_parts(self) -> list[Part]:
        """The parts whose numbers differ."""
        return [part for part in self.parts if not part.holds]


@dataclass(frozen=True)
class Expectations:
    """What is expected of the queries of a block; all of it is checked."""

    number: Bound | None = None
    kinds: Mapping[str, Bound] | None = None
    tables: Mapping[str, Bound] | None = None
    statements: Mapping[str, Bound] | None = None
    nplusone: bool | None = None
    """``False``: none is allowed. ``True``: any is. ``None``: as the project has it."""
    duplicates: bool | None = None
    slow: float | None = None
    db_time: float | None = None
    ignore: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        n: Count | None,
        *,
        most: int | None,
        least: int | None,
        kinds: Mapping[str, Count | None],
        tables: Mapping[str | type, Count],
        statements: Mapping[str, Count],
        nplusone: bool | None,
        duplicates: bool | None,
        slow: float | None,
        db_time: float | None,
        ignore: Sequence[str],
    ) -> Expectations:
        """The expectations that the keywords of ``assert_queries`` mean.

        Raises:
            ConfigurationError: for a value that no count of queries or seconds can be, and for ``n`` beside ``max`` or ``min``.
        """
        return cls(
            number=_number(n, most, least),
            kinds={kind: bound_of(count) for kind, count in kinds.items() if count is not None},
            tables={table_name(table): bound_of(count) for table, count in tables.items()},
            statements={pattern: bound_of(count) for pattern, count in statements.items()},
            nplusone=_switch("nplusone", nplusone),
            duplicates=_switch("duplicates", duplicates),
            slow=_seconds("slow", slow),
            db_time=_seconds("db_time", db_time),
            ignore=(ignore,) if isinstance(ignore, str) else tuple(ignore),
        )

    def check(self, log: QueryLog, *, forbids_nplusone: bool = False, tolerated: Sequence[str] = ()) -> Outcome:
        """Compare them with what was sent.

        Args:
            log: of the block, which is over.
            forbids_nplusone: what the project has where the block does not say.
            tolerated: codes or subjects of findings that the project's setting lets pass.
        """
        count = log.count
        allowed = not forbids_nplusone if self.nplusone is None else self.nplusone
        ignored = (*self.ignore, *tolerated) if self.nplusone is None else self.ignore
        slowest = log.slowest(1)
        return Outcome(
            bound=self.number if self.number is not None and not self.number.allows(count) else None,
            nplusone=() if allowed else not_ignored(log.nplusone(), ignored),
            duplicates=not_ignored(log.duplicates(), self.ignore) if self.duplicates is False else (),
            parts=tuple(self._parts(log)),
            too_slow=self.slow if slowest and self.slow is not None and slowest[0].total_seconds > self.slow else None,
            too_long=self.db_time if self.db_time is not None and log.profile.database_seconds > self.db_time else None,
        )

    def _parts(self, log: QueryLog) -> Iterator[Part]:
        if not (self.tables or self.kinds or self.statements):
            return
        sent = log.sent
        for sort, bounds in (("table", self.tables), ("kind", self.kinds), ("statement", self.statements)):
            for name, bound in (bounds or {}).items():
                belongs = _BELONGS[sort]
                yield Part(sort, name, bound, tuple(one for one in sent if belongs(one, name)))


#: A block that expects nothing.
NOTHING: Final = Expectations()


def _is_kind(sent: Sent, kind: str) -> bool:
    return sent.kind == kind


def _is_of_table(sent: Sent, table: str) -> bool:
    return matches_table(sent.statement, table)


def _has_shape(sent: Sent, pattern: str) -> bool:
    # Only the star is special: brackets and question marks are part of shapes.
    expression = re.escape(pattern).replace(r"\*", ".*")
    return re.fullmatch(expression, sent.statement.shape, re.DOTALL | re.IGNORECASE) is not None


_BELONGS: Final[Mapping[str, Callable[[Sent, str], bool]]] = {
    "table": _is_of_table,
    "kind": _is_kind,
    "statement": _has_shape,
}


def not_ignored(findings: Iterable[Finding], ignored: Sequence[str]) -> list[Finding]:
    """The findings that no pattern of codes or subjects lets pass."""
    return [finding for finding in findings if not any(_is_meant(finding, pattern) for pattern in ignored)]


def _is_meant(finding: Finding, pattern: str) -> bool:
    return fnmatchcase(finding.code, pattern) or fnmatchcase(finding.subject, pattern)


def _number(n: Count | None, most: int | None, least: int | None) -> Bound | None:
    if n is not None and (most is not None or least is not None):
        raise ConfigurationError("n is the exact number: leave out max and min, or write assert_queries(max=...)")
    if n is not None:
        return bound_of(n)
    if most is None and least is None:
        return None
    low = bound_of(least).low if least is not None else None
    high = bound_of(most).high if most is not None else None
    if low is not None and high is not None and low > high:
        raise ConfigurationError(f"min={low} is more than max={high}: no number of queries is both")
    return Bound(low, high)


def _switch(name: str, value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise ConfigurationError(f"{name}={value!r} is none of False (none allowed), True (allowed) and None")


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        raise ConfigurationError(f"{name}={value!r} is no number of seconds; write {name}=0.1 for 100 ms")
    return float(value)
