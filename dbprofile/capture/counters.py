"""Counter: what is kept of statements beyond the detail limit, summed by text; and which statements count at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbprofile.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dbprofile.capture.database import Database
    from dbprofile.capture.query import Digest, Query

__all__ = ["COUNTER_LIMIT", "Counter", "CounterRoom", "Counters", "counting_class", "is_transaction_control"]

#: Texts that a scope keeps a counter of its own for; all others share one.
COUNTER_LIMIT: Final = 1_000
#: Distinct parameter sets that a counter tells apart.
DIGEST_LIMIT: Final = 32

_CONTROL: Final = frozenset({"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE"})
#: How nearly all other statements begin: SELECT and SET, INSERT, UPDATE, DELETE, WITH.
_ORDINARY: Final = frozenset({"SE", "IN", "UP", "DE", "WI"})
_CONTROL_VERBS: Final = _CONTROL - {"START", "END", "ABORT"}
#: Infrastructure that is recorded and listed, but not counted.
_UNCOUNTED: Final = frozenset({"connect", "schema", "cachefill", "tool"})


class Counter:
    """Sums over the executions of one text on one database within one unit of work."""

    __slots__ = (
        "count", "database", "digests", "errors", "fetch_seconds", "first_started", "infrastructure", "last_started", "longest",
        "rows", "seconds", "sql", "unit",
    )  # fmt: skip

    def __init__(self, sql: str, database: Database | None, unit: Hashable = None, *, infrastructure: str = "") -> None:
        self.sql = sql
        self.database = database
        self.unit = unit
        self.infrastructure = infrastructure
        self.count = 0
        self.seconds = 0.0
        self.fetch_seconds = 0.0
        self.longest = 0.0
        self.rows = 0
        self.errors = 0
        self.first_started = 0
        self.last_started = 0
        self.digests: set[int] | None = None

    def add(self, started: int, seconds: float, parameters: Digest | None, failed: bool) -> None:
        """Count one execution."""
        self.count += 1
        self.seconds += seconds
        if seconds > self.longest:  # noqa: PLR1730 - max() is a call for each statement
            self.longest = seconds
        if failed:
            self.errors += 1
        self.first_started = self.first_started or started
        self.last_started = started
        if parameters is not None:
            if self.digests is None:
                self.digests = set()
            if len(self.digests) < DIGEST_LIMIT:
                self.digests.add(parameters.hash)

    def fetched(self, seconds: float, rows: int) -> None:
        """Add one fetch."""
        self.fetch_seconds += seconds
        self.rows += rows

    @property
    def statement(self) -> Statement:
        """The shape of the SQL."""
        if self.database is None:
            return Statement.of(self.sql)
        return Statement.of(self.sql, self.database.dialect, self.database.paramstyle)

    def __repr__(self) -> str:
        return f"Counter({self.statement.text[:80]!r}, {self.count}x)"


class CounterRoom:
    """How many texts the lanes of one scope may still make counters for."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = COUNTER_LIMIT


class Counters(dict[tuple[str, str], Counter]):
    """The counters of one lane by text and database; where the scope has no room for more, one counter, ``other``, takes the rest."""

    def __init__(self, room: CounterRoom) -> None:
        super().__init__()
        self._room = room

    def count(self, query: Query) -> None:
        """Count a query, and let it add its fetches, which are still to come."""
        sql = query.raw_sql
        text = sql if type(sql) is str else query.sql
        counter = self.get((text, query.database.name)) or self._new(text, query)
        counter.add(query.started, query.seconds, query.parameters, query.error is not None)
        query.counters = (*query.counters, counter)

    def _new(self, text: str, query: Query) -> Counter:
        word = _control_word(text)  # each savepoint has a name of its own
        if word and word != text:
            return self.get((word, query.database.name)) or self._new(word, query)
        why = query.provenance
        infrastructure = why.infrastructure if why is not None and why.infrastructure in _UNCOUNTED else ""
        if self._room.left > 0:
            self._room.left -= 1
            counter = Counter(text, query.database, query.unit, infrastructure=infrastructure)
            self[text, query.database.name] = counter
            return counter
        return self.setdefault(("", infrastructure), Counter("", None, query.unit, infrastructure=infrastructure))


def _control_word(sql: str) -> str:
    """The first word of a text, in capitals, if it begins, ends or marks a transaction by it; else empty."""
    start = sql[:64].lstrip()
    word = start.split(None, 1)[0].rstrip(";").upper() if start else ""
    # `END` and `START` begin other statements in some dialects, but none that a web application sends.
    return word if word in _CONTROL else ""


def is_transaction_control(sql: str) -> bool:
    """Whether a text begins, ends or marks a transaction; told from its first word, without scanning the rest."""
    if sql[:2].upper() in _ORDINARY:
        return False
    if _control_word(sql):
        return True
    # A comment or a parenthesis may stand before the word.
    return not sql[:64].lstrip()[:1].isalpha() and Statement.of(sql).verb in _CONTROL_VERBS


def counting_class(counted: Query | Counter) -> str:
    """The class a query is counted in: ``app`` counts; ``tx``, ``schema``, ``connect``, ``cachefill`` and ``tool`` do not."""
    if isinstance(counted, Counter):
        return counted.infrastructure or ("tx" if is_transaction_control(counted.sql) else "app")
    why = counted.provenance
    if why is not None and why.infrastructure in _UNCOUNTED:
        return why.infrastructure
    sql = counted.raw_sql
    return "tx" if is_transaction_control(sql if type(sql) is str else counted.sql) else "app"
