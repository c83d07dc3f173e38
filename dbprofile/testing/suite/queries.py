"""The contract of adapters that turn a library's statements into Queries: what each of them must do, as tests to inherit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context
from time import perf_counter_ns
from types import ModuleType
from typing import Any, Final, Protocol

from dbprofile import guard, hooks
from dbprofile.capture.query import Query
from dbprofile.capture.scope import Scope
from dbprofile.capture.stack import Walk
from dbprofile.findings.report import Report
from dbprofile.profiler import Profiler
from dbprofile.testing.suite.sabotage import named_faults
from dbprofile.testing.suite.surroundings import Outcome, alone, faults_swallowed, outcome_of

__all__ = ["Connection", "QueriesContract"]

#: Functions of the core that run for each statement, called by guarded ones.
UNGUARDED: Final[list[tuple[Any, str]]] = [
    (Scope, "lane"),
    (Scope, "record"),
    (hooks, "Query"),
    (hooks, "Stopwatch"),
    (hooks, "Walk"),
    (hooks, "digest"),
    (Walk, "path"),
]
_ONE: Final = "SELECT 1 AS one"
_CREATE: Final = "CREATE TEMPORARY TABLE contract (n INTEGER PRIMARY KEY, word VARCHAR(20))"


class Connection(Protocol):
    """What the tests do with a connection of the library; one session with the database."""

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Sequence[Sequence[object]]:
        """Send one statement through the library, and return all of its rows; none for a write."""

    def executemany(self, sql: str, sets: Iterable[Sequence[object]], /) -> object:
        """Send a batch through the library; one parameter set for each time that the statement runs."""

    def sent(self) -> Sequence[str]:
        """All that the driver was sent since it was connected, by its own account, but for what it sends by itself."""


class QueriesContract:
    """Tests of an adapter with statements, for a class that says how it is installed and how its library is used.

    ::

        class TestLedger(QueriesContract):
            modules = (dbprofile_ledger.queries,)

            def install(self):
                dbprofile_ledger.install()

            def uninstall(self):
                dbprofile_ledger.uninstall()

            @contextmanager
            def connect(self): ...

    What a library cannot do is said by one of the attributes, with the reason beside it.
    """

    modules: Sequence[ModuleType] = ()
    """The adapter's modules: faults are put into their guarded functions."""
    percent: str = "%"
    """How a percent sign is written in a statement without parameters."""
    sees_open_connections: bool = True
    """Whether connections are seen that were open before the adapter was installed."""
    leaves_open_connections: bool = True
    """Whether connections that are open are let go when the adapter is taken out."""
    knows_rows: bool = True
    """Whether fetches pass through the adapter."""
    takes_iterators: bool = True
    """Whether the library takes an iterator of parameter sets."""
    keeps_to_one_task: bool = True
    """Whether calls of one thread run in one task; those of different tasks are no loop."""

    def install(self) -> None:
        """Install the adapter."""
        raise NotImplementedError

    def uninstall(self) -> None:
        """Take the adapter out again."""
        raise NotImplementedError

    def connect(self) -> AbstractContextManager[Connection]:
        """A new connection, open and ready, also on another thread; it is closed at the end of the block."""
        raise NotImplementedError

    def mark(self, position: int) -> str:
        """A placeholder: ``?``, ``%s``, or by its position, which begins at 1."""
        del position
        return "?"

    def footprint(self) -> object:
        """What ``install`` changes in the library, in a form that compares: its listeners, the methods of its classes."""
        return None

    # --- what is recorded ---------------------------------------------------------------------------------------------

    def test_a_statement_is_one_query_with_its_text_and_the_line_that_sent_it(self) -> None:
        with self._installed() as connection, _scoped() as scope:
            connection.execute(_ONE)
        (query,) = scope.profile().queries
        assert query.sql == _ONE
        assert (query.error, query.batch_size, query.round_trips) == (None, None, 1)
        assert isinstance(query.database, hooks.Database)
        assert query.database.name
        assert query.database.system
        assert query.call_site is not None, "no line of the application was found"
        assert query.call_site.file == _function(connection.execute).__code__.co_filename

    def test_the_time_is_that_of_the_driver_call(self) -> None:
        with self._installed() as connection, _scoped() as scope:
            before = perf_counter_ns()
            connection.execute(_ONE)
            after = perf_counter_ns()
        (query,) = scope.profile().queries
        assert before <= query.started <= after
        assert 0 < query.total_seconds <= (after - before) * 1e-9

    def test_rows_are_counted_where_they_are_fetched(self) -> None:
        with self._installed() as connection, _scoped() as scope:
            rows = connection.execute("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3")
            connection.execute("SELECT 1 AS one WHERE 1 = 0")
        assert len(rows) == 3
        found, empty = scope.profile().queries
        assert (found.rows, empty.rows) == ((3, 0) if self.knows_rows else (None, None))
        assert (found.fetches > 0, found.fetch_seconds > 0) == (self.knows_rows, self.knows_rows)

    def test_the_statements_recorded_are_those_that_the_driver_was_sent(self) -> None:
        with self._installed() as connection, _scoped() as scope:
            before = len(connection.sent())
            connection.execute(_CREATE)
            connection.execute(self._insert, (1, "one"))
            connection.execute("SELECT word FROM contract")
            outcome_of(connection.execute, self._insert, (1, "again"))
            sent = list(connection.sent())[before:]
        recorded = [query.sql for query in scope.profile().queries]
        assert recorded == [_CREATE, self._insert, "SELECT word FROM contract", self._insert]
        assert [text.split()[0] for text in sent] == [text.split()[0] for text in recorded]

    def test_text_is_sent_and_recorded_as_it_was_written(self) -> None:
        text = f"SELECT '{self.percent}', '{{}}', '{{0}}', '{self.percent}s', '{self.percent}(n)s'"
        with self._installed() as connection, _scoped() as scope:
            rows = connection.execute(text)
        assert [tuple(row) for row in rows] == [("%", "{}", "{0}", "%s", "%(n)s")]
        assert [query.sql for query in scope.profile().queries] == [text]

    def test_values_are_told_apart_but_kept_only_where_a_setting_asks_for_them(self) -> None:
        def ask(profiler: Profiler) -> Sequence[Query]:
            with self._installed() as connection, profiler.scope("block", "values") as scope:
                connection.execute(_CREATE)
                for value in ("secret", "secret", "another"):
                    connection.execute(f"SELECT n FROM contract WHERE word = {self.mark(1)}", (value,))
            return scope.profile().queries[1:]

        first, again, other = ask(Profiler())
        assert first.parameters == again.parameters != other.parameters
        assert not [name for name in Query.__slots__ if "secret" in repr(getattr(first, name))]
        kept = ask(Profiler(show_values=True))
        assert ["secret" in repr(query.values) for query in kept] == [True, True, False]

    def test_a_batch_is_one_query(self) -> None:
        with self._installed() as connection, _scoped() as scope:
            connection.execute(_CREATE)
            connection.executemany(self._insert, [(1, "one"), (2, "two"), (3, "three")])
            assert len(connection.execute("SELECT n FROM contract")) == 3
        _, batch, _ = scope.profile().queries
        assert (batch.sql, batch.batch_size, batch.parameters) == (self._insert, 3, None)

    def test_an_iterator_of_parameter_sets_is_left_to_the_driver(self) -> None:
        if not self.takes_iterators:
            return
        taken: list[int] = []

        def sets() -> Iterator[tuple[int, str]]:
            for number in range(3):
                taken.append(number)
                yield number, "word"

        with self._installed() as connection, _scoped() as scope:
            connection.execute(_CREATE)
            connection.executemany(self._insert, sets())
            assert len(connection.execute("SELECT n FROM contract")) == 3
        _, batch, _ = scope.profile().queries
        assert taken == [0, 1, 2]
        assert (batch.batch_size, batch.parameters) == (None, None)

    def test_a_statement_that_fails_is_recorded_by_the_class_of_its_error_which_passes_unchanged(self) -> None:
        def fail(connection: Connection) -> Outcome:
            connection.execute(_CREATE)
            connection.execute(self._insert, (1, "one"))
            return outcome_of(connection.execute, self._insert, (1, "again"))

        with alone(), self.connect() as bare:
            expected = fail(bare)
        with self._installed() as connection, _scoped() as scope:
            outcome = fail(connection)
        assert expected.error is not None
        assert outcome.seen == expected.seen
        _, first, failed = scope.profile().queries
        assert first.error is None
        assert failed.error in {type(error).__name__ for error in _chain(outcome.error)}
        assert failed.call_site is not None

    def test_a_statement_that_is_sent_again_and_again_is_found(self) -> None:
        if not self.keeps_to_one_task:
            return
        with self._installed() as connection, Profiler() as profiler:
            with profiler.scope("block", "loop") as scope:
                connection.execute(_CREATE)
                for number in range(5):
                    connection.execute(f"SELECT word FROM contract WHERE n = {self.mark(1)}", (number,))
            report = profiler.report(scope.profile())
        assert ("query_loop", 5) in [(finding.kind, finding.count) for finding in report.findings]

    def test_beyond_the_detail_limit_statements_are_counted(self) -> None:
        with self._installed() as connection, Profiler(detail_limit=0, slow_ms=60_000) as profiler:
            with profiler.scope("block", "counted") as scope:
                for _ in range(12):
                    assert len(connection.execute("SELECT 1 UNION ALL SELECT 2")) == 2
            profile = scope.profile()
        assert profile.query_count == 12
        assert profile.rows == (24 if self.knows_rows else 0)

    # --- where it is recorded -----------------------------------------------------------------------------------------

    def test_outside_any_scope_nothing_is_recorded_and_its_thread_is_counted(self) -> None:
        with self._installed() as connection, Profiler() as profiler:
            scope = profiler.scope("block", "open, but not current")
            connection.execute(_ONE)
            profile = scope.profile()
        assert profile.queries == ()
        assert profile.untracked == {threading.current_thread().name: 1}

    def test_what_is_muted_is_neither_recorded_nor_counted(self) -> None:
        with self._installed() as connection:
            with _scoped() as scope, hooks.muted():
                connection.execute(_ONE)
            profile = scope.profile()
        assert (profile.queries, profile.untracked, profile.late) == ((), {}, {})

    def test_scopes_round_the_current_one_hear_of_a_statement_too(self) -> None:
        with self._installed() as connection, Profiler() as profiler, profiler.scope("test", "outer") as outer:
            with profiler.scope("request", "inner") as inner:
                connection.execute(_ONE)
            connection.execute("SELECT 2 AS two")
        assert [query.sql for query in inner.profile().queries] == [_ONE]
        assert [query.sql for query in outer.profile().queries] == [_ONE, "SELECT 2 AS two"]

    def test_a_scope_of_the_process_hears_of_what_is_in_no_scope(self) -> None:
        with self._installed() as connection, Profiler() as profiler:
            with profiler.scope("test", "process", reach="process") as scope:
                Context().run(connection.execute, _ONE)
            assert [query.sql for query in scope.profile().queries] == [_ONE]

    def test_a_statement_of_a_scope_that_is_over_is_late(self) -> None:
        with self._installed() as connection, Profiler() as profiler:
            watching = profiler.scope("block", "watching, but not current")
            scope = profiler.scope("request", "over")
            with scope.entered():
                scope.close()
                connection.execute(_ONE)
            profile = watching.profile()
        assert scope.profile().queries == ()
        assert (sum(profile.late.values()), profile.untracked) == (1, {})

    def test_threads_have_their_own_statements(self) -> None:
        together = threading.Barrier(4, timeout=60)

        def run(number: int) -> tuple[list[str], list[str]]:
            texts = [f"SELECT {number}, {time}" for time in range(5)]
            with self.connect() as connection, _scoped() as scope:
                for text in texts:
                    together.wait()
                    connection.execute(text)
            return texts, [query.sql for query in scope.profile().queries]

        with self._installed(), ThreadPoolExecutor(4) as pool:
            for expected, seen in pool.map(run, range(4)):
                assert seen == expected

    def test_a_listener_hears_of_statements_in_a_scope_and_outside(self) -> None:
        listener = _Listener()
        with self._installed() as connection:
            connection.execute(_CREATE)
            connection.execute(self._insert, (1, "one"))
            with Profiler(sinks=[listener]) as profiler:
                connection.execute(_ONE)
                with profiler.scope("block", "heard"):
                    connection.execute("SELECT 2 AS two")
                failure = outcome_of(connection.execute, self._insert, (1, "again"))
        assert [sql for sql, _ in listener.heard] == [_ONE, "SELECT 2 AS two", self._insert]
        assert [error for _, error in listener.heard[:2]] == [None, None]
        assert listener.heard[2][1] in {type(error) for error in _chain(failure.error)}

    def test_a_listener_hears_nothing_more_once_its_profiler_is_closed(self) -> None:
        listener = _Listener()
        with self._installed() as connection:
            with Profiler(sinks=[listener]):
                connection.execute(_ONE)
            connection.execute(_ONE)
        assert len(listener.heard) == 1

    # --- coming and going ---------------------------------------------------------------------------------------------

    def test_installing_twice_records_once_and_uninstalling_once_is_enough(self) -> None:
        with self._installed() as connection:
            self.install()
            assert _seen(connection) == 1
            self.uninstall()
            self._assert_let_go(connection)

    def test_uninstalling_twice_or_what_was_never_installed_changes_nothing(self) -> None:
        with alone(), self.connect() as connection:
            self.uninstall()
            assert _seen(connection) == 0
            self.install()
            self.uninstall()
            self.uninstall()
            self._assert_let_go(connection)

    def test_a_connection_is_seen_whenever_it_was_opened(self) -> None:
        with alone(), self.connect() as before:
            self.install()
            try:
                with self.connect() as after:
                    assert _seen(after) == 1
                    assert _seen(before) == (1 if self.sees_open_connections else 0)
            finally:
                self.uninstall()

    def test_what_is_installed_again_records_again(self) -> None:
        with alone():
            for _ in range(2):
                self.install()
                with self.connect() as connection:
                    assert _seen(connection) == 1
                    self.uninstall()
                    self._assert_let_go(connection)

    def test_nothing_is_left_in_the_library(self) -> None:
        with alone():
            with self.connect() as connection:  # what the library itself makes when it is first used
                connection.execute(_ONE)
            before = self.footprint()
            with self.connect() as connection:
                self.install()
                _seen(connection)
                self.uninstall()
                assert self.footprint() == before

    def test_installing_sends_nothing(self) -> None:
        with alone(), self.connect() as connection:
            before = list(connection.sent())
            self.install()
            self.uninstall()
            assert list(connection.sent()) == before

    # --- faults of ours -----------------------------------------------------------------------------------------------

    def test_the_adapter_changes_no_result(self) -> None:
        with alone(), self.connect() as bare:
            expected = self._work(bare), list(bare.sent())
        with self._installed() as connection:
            assert (self._work(connection), list(connection.sent())) == expected, "outside any scope"
        with self._installed() as connection, _scoped():
            assert (self._work(connection), list(connection.sent())) == expected, "in a scope"

    def test_a_fault_of_ours_changes_no_result(self) -> None:
        with alone(), self.connect() as bare:
            expected = self._work(bare), list(bare.sent())
        footprint = self.footprint()
        noticed: list[str] = []
        for name, fault in named_faults((hooks, Scope, Profiler, *self.modules), UNGUARDED).items():
            with alone(), faults_swallowed(), Profiler(sinks=[_Listener()]).scope("block", name):
                try:
                    with fault():
                        self.install()
                        with self.connect() as connection:
                            got = self._work(connection), list(connection.sent())
                finally:
                    self.uninstall()
                noticed += [name] if guard.faults() else []
            assert got == expected, f"a fault in {name}"
            assert self.footprint() == footprint, f"left behind after a fault in {name}"
        assert {"dbprofile.hooks.Query", "Scope.record"} <= set(noticed), (
            "the adapter does not record through hooks.start and stop"
        )

    # --- what the tests are made of -----------------------------------------------------------------------------------

    @property
    def _insert(self) -> str:
        return f"INSERT INTO contract (n, word) VALUES ({self.mark(1)}, {self.mark(2)})"

    @contextmanager
    def _installed(self) -> Iterator[Connection]:
        with alone():
            self.install()
            try:
                with self.connect() as connection:
                    yield connection
            finally:
                self.uninstall()

    def _assert_let_go(self, connection: Connection) -> None:
        with self.connect() as new:
            assert _seen(new) == 0, "a connection is seen that was opened when the adapter was out"
        if self.leaves_open_connections:
            assert _seen(connection) == 0, "a connection is still seen that was open when the adapter was taken out"

    def _work(self, connection: Connection) -> list[object]:
        """What an application does, and all that it gets back; last what fails, because a transaction may fail with it."""
        read = f"SELECT word FROM contract WHERE n > {self.mark(1)} ORDER BY n"
        connection.execute(_CREATE)
        connection.execute(self._insert, (1, "one"))
        connection.executemany(self._insert, [(2, "two"), (3, "three")])
        rows = [[tuple(row) for row in connection.execute(read, (number,))] for number in range(4)]
        return [*rows, outcome_of(connection.execute, self._insert, (1, "again")).seen]


class _Listener:
    """A sink that writes down of which statements it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, type[BaseException] | None]] = []

    def __call__(self, report: Report) -> None:
        """Take a report."""

    def query_done(self, query: Query, _handle: object, exception: BaseException | None) -> None:
        self.heard.append((query.sql, None if exception is None else type(exception)))


def _scoped() -> Scope:
    return Profiler().scope("block", "contract")


def _seen(connection: Connection) -> int:
    with _scoped() as scope:
        connection.execute(_ONE)
    return len(scope.profile().queries)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that it was raised from: a library has its own round the driver's."""
    while error is not None:
        yield error
        error = error.__cause__


def _function(method: Callable[..., object]) -> Any:
    return getattr(method, "__func__", method)
