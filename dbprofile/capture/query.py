"""Query: one execution of one statement. Digest: what is kept of its parameters, which is not their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from dbprofile.guard import guarded
from dbprofile.sql.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from dbprofile.capture.callsite import CallSite
    from dbprofile.capture.database import Database
    from dbprofile.capture.provenance import Provenance

__all__ = ["UNHASHABLE", "Digest", "Query", "digest", "is_write", "text_of"]

#: Of how many values at each end of a parameter set the hashes are kept.
ENDS: Final = 8
_WRITES: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE")
#: What hashing a value may raise: a list or a document, a writable memoryview, and whatever a class of the application's does.
UNHASHABLE: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Digest:
    """What is kept of one parameter set. Good within this process only, because Python salts its hashes.

    Attributes:
        hash: of all values and their types: 1, 1.0 and True are three parameters.
        count: number of values.
        head, tail: hashes of the first and last eight values; the tail is empty where the head holds all.
        names: the keys of a mapping's first and last values, in the same order; empty for a sequence.
    """

    __slots__ = ("count", "hash", "head", "names", "tail")

    def __init__(
        self, hash_: int, count: int, head: tuple[int, ...], tail: tuple[int, ...] = (), names: tuple[str, ...] = ()
    ) -> None:
        self.hash = hash_
        self.count = count
        self.head = head
        self.tail = tail
        self.names = names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self.hash == other.hash and self.count == other.count

    def __hash__(self) -> int:
        return self.hash


_NOTHING: Final = Digest(0, 0, ())
_new: Final = object.__new__


def digest(parameters: object) -> Digest | None:
    """The digest of one parameter set; ``None`` for what cannot be hashed or must not be touched (an iterator).

    Nothing is asked of the set itself but what it holds: whether it is true is a question that an array refuses to answer.
    """
    names: tuple[str, ...] = ()
    values: tuple[Any, ...]
    if type(parameters) is tuple:
        values = parameters
    elif parameters is None:
        return _NOTHING
    elif isinstance(parameters, (list, tuple)):
        values = tuple(parameters)
    elif isinstance(parameters, Mapping):
        names = tuple(parameters)
        values = tuple(parameters.values())
    else:
        return None
    if not values:
        return _NOTHING
    count = len(values)
    try:
        whole = hash((values, tuple(map(type, values))))
        if count <= ENDS:
            # Without the call of an __init__: one is made for each statement.
            made: Digest = _new(Digest)
            made.hash, made.count, made.head, made.tail, made.names = whole, count, tuple(map(hash, values)), (), names
            return made
        ends = names[:ENDS] + names[-ENDS:] if names else ()
        return Digest(whole, count, tuple(map(hash, values[:ENDS])), tuple(map(hash, values[-ENDS:])), ends)
    except UNHASHABLE:
        # A list, an array, a JSON document or a writable memoryview among the values.
        return _digest_of_lists(values, names)


def _digest_of_lists(values: tuple[Any, ...], names: tuple[str, ...]) -> Digest | None:
    if not any(isinstance(value, list) for value in values):
        return None
    if any(isinstance(value, list) and len(value) > 100 for value in values):
        return None
    hashable = tuple(tuple(value) if isinstance(value, list) else value for value in values)
    try:
        whole = hash((hashable, tuple(map(type, values))))
        head = tuple(map(hash, hashable[:ENDS]))
        tail = tuple(map(hash, hashable[-ENDS:])) if len(hashable) > ENDS else ()
    except UNHASHABLE:
        return None
    return Digest(whole, len(values), head, tail, names[:ENDS] + names[-ENDS:] if tail else names)


def text_of(sql: object) -> str:
    """SQL as text: ``bytes`` and the drivers' own SQL objects (psycopg's ``Composed``) are converted, anything by ``str``."""
    if isinstance(sql, str):
        return sql
    if isinstance(sql, (bytes, bytearray, memoryview)):
        return bytes(sql).decode("utf-8", "replace")
    compose = getattr(sql, "as_string", None)
    text = _composed(compose) if compose is not None else None
    return text if text is not None else str(sql)


@guarded("query.text", None)
def _composed(compose: Callable[[object], object]) -> str | None:
    try:
        return str(compose(None))
    except (TypeError, ValueError, AttributeError):
        return None  # psycopg2 wants a connection: its repr is all there is


def is_write(text: str) -> bool:
    """Whether a text writes, told from its first word: as a library makes it, or as somebody wrote it by hand."""
    # An S first: nearly every other statement is a SELECT of a library's, and is told by that alone.
    return text.startswith(_WRITES) or (text[:1] != "S" and text[:64].lstrip().upper().startswith(_WRITES))


class Fetched(Protocol):
    """What hears of a query's fetches: the counters of scopes that keep no more of it."""

    def fetched(self, seconds: float, rows: int) -> None:
        """So long it took to fetch so many rows."""


class Query:
    """One execution of one statement; grows by its fetches until its outermost scope closes, then it stays as it is.

    Attributes:
        sql: the text as the driver got it.
        database: the engine or alias.
        parameters: digest of the parameter set; ``None`` for a batch, an iterator, or what cannot be hashed.
        values: the parameters themselves, only where the profiler was told to keep them.
        batch_size: parameter sets of an ``executemany`` or ORM batch; ``None`` if it is none, or of unknown size.
        round_trips: driver calls it took; 1 unless batched.
        started: ``perf_counter_ns`` at the driver call.
        seconds: execute time.
        fetch_seconds, fetches: time in fetch calls, and their number.
        fetch_started: ``perf_counter_ns`` at the first fetch; 0 without one.
        rows: rows handed over by the driver; ``None`` where they cannot be seen.
        affected_rows: of a write, as the driver says it; ``None`` for reads.
        error: class name of the exception; never its message, which may hold data.
        call_site: the innermost line of the application; ``None`` where there is none.
        provenance: why it ran.
        unit: the unit of work within which it is judged.
        counters: the sums it went into, of scopes that keep no more than that of it.
        connection, transaction: serial numbers; ``transaction`` is ``None`` in autocommit or where it is unknown.
        undone: a rollback took it back.
        autocommit: it was a transaction of its own.
        locks: a locking read, also where the text does not show it.
        answer: hash of the first row handed over, never exported.
        lane: number of the thread and task in its scope; 0 opened the scope.
        thread: name of the thread, where it is not the one that opened the scope.
        phase: ``handling``, ``streaming`` or ``background``.
        on_loop: a blocking driver call on a thread that runs an event loop.
        ignored: the entry of the ``dbprofile.ignore`` block it started in.
        siblings: collections that are joined into its rows side by side, so that they multiply each other.
    """

    # What nearly every query has are slots; the rest are values of the class until somebody sets one, which makes a dictionary.
    __slots__ = (
        "__dict__",
        "_statement",
        "answer",
        "autocommit",
        "call_site",
        "connection",
        "database",
        "fetch_seconds",
        "fetch_started",
        "fetches",
        "lane",
        "parameters",
        "provenance",
        "raw_sql",
        "rows",
        "seconds",
        "started",
        "transaction",
        "unit",
    )

    values: object = None
    counters: tuple[Fetched, ...] = ()
    batch_size: int | None = None
    round_trips: int = 1
    affected_rows: int | None = None
    error: str | None = None
    error_code: str | None = None
    undone: bool = False
    locks: bool = False
    thread: str | None = None
    phase: str = "handling"
    on_loop: bool = False
    ignored: object = None
    siblings: tuple[str, ...] = ()

    def __init__(
        self,
        sql: object,
        database: Database,
        *,
        parameters: Digest | None = None,
        started: int = 0,
        seconds: float = 0.0,
        rows: int | None = None,
        provenance: Provenance | None = None,
        call_site: CallSite | None = None,
        unit: Hashable = None,
    ) -> None:
        self.raw_sql = sql
        self.database = database
        self.parameters = parameters
        self.started = started
        self.seconds = seconds
        self.fetch_seconds = 0.0
        self.fetch_started = 0
        self.fetches = 0
        self.rows = rows
        self.call_site = call_site
        self.provenance = provenance
        self.unit = unit
        self.connection: int | None = None
        self.transaction: int | None = None
        self.autocommit = False
        self.answer: int | None = None
        self.lane = 0
        self._statement: Statement | None = None

    @property
    def sql(self) -> str:
        """The text as the driver got it. It may hold literals: what people see is ``statement.text``."""
        return text_of(self.raw_sql)

    @property
    def statement(self) -> Statement:
        """The shape of the SQL, computed when first asked and cached by text."""
        statement = self._statement
        if statement is None:
            sql, database = self.raw_sql, self.database
            text = sql if type(sql) is str else self.sql
            statement = self._statement = Statement.of(text, database.dialect, database.paramstyle)
        return statement

    def reads_as(self, statement: Statement) -> None:
        """Of a query that is read back: its text is masked already, and need not read to a dialect as it did."""
        self._statement = statement

    @property
    def total_seconds(self) -> float:
        """Execute and fetch time."""
        return self.seconds + self.fetch_seconds

    def __repr__(self) -> str:
        return f"Query({self.statement.text[:80]!r}, {self.seconds:.6f} s)"
