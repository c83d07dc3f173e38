import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbprofile import Profiler, hooks
from dbprofile.guard import FAULT_LIMIT
from tests.sources import DATABASE, shop


def test_without_scope_and_listener_nobody_wants_to_know() -> None:
    assert hooks.receiver() is None


def test_a_batch_knows_its_size_and_an_iterator_is_left_alone() -> None:
    with Profiler().scope("block", "b") as scope:
        for parameters in ([(1,), (2,)], iter([(1,)])):
            hooks.stop(hooks.start(scope, "INSERT INTO t VALUES (?)", parameters, DATABASE, batch=True))

    assert [query.batch_size for query in scope.profile().queries] == [2, None]
    assert [query.parameters for query in scope.profile().queries] == [None, None]


def test_fetches_grow_the_query_after_it_was_recorded() -> None:
    with shop() as database, Profiler().scope("block", "b") as scope:
        cursor = database.execute("SELECT id FROM orders")
        (query,) = scope.profile().queries
        assert (query.rows, query.fetches) == (None, 0)
        cursor.fetchall()

    assert (query.rows, query.fetches) == (5, 1)
    assert query.fetch_seconds > 0


def test_rows_that_cannot_be_hashed_are_counted_without_an_answer() -> None:
    with shop() as database, Profiler().scope("block", "b") as scope:
        database.execute("SELECT id FROM orders")
        (query,) = scope.profile().queries
        hooks.fetched(query, 0, [(memoryview(bytearray(b"document")),)])
        hooks.fetched(query, 0, [([1],)])

    assert (query.rows, query.fetches, query.answer) == (2, 2, None)


def test_a_row_that_fails_to_be_hashed_is_counted_without_an_answer() -> None:
    class Value:
        def __hash__(self) -> int:
            raise AttributeError

    with shop() as database, Profiler().scope("block", "b") as scope:
        database.execute("SELECT id FROM orders")
        (query,) = scope.profile().queries
        hooks.fetched(query, 0, [(Value(),)])

    assert (query.rows, query.fetches, query.answer) == (1, 1, None)


def test_the_class_of_an_error_is_kept_and_its_message_is_not() -> None:
    with shop() as database, Profiler().scope("block", "b") as scope, pytest.raises(sqlite3.OperationalError):
        database.execute("SELECT secret FROM nowhere")

    (query,) = scope.profile().queries
    assert query.error == "OperationalError"
    assert all("no such table" not in str(getattr(query, name)) for name in query.__slots__)


@pytest.mark.usefixtures("failing_open")
def test_an_exception_that_cannot_be_asked_for_its_code_costs_the_code() -> None:
    class Odd(Exception):  # noqa: N818 - the application's own
        @property
        def sqlstate(self) -> str:
            raise RuntimeError

    with Profiler().scope("block", "b") as scope:
        for _ in range(FAULT_LIMIT + 1):
            hooks.stop(hooks.start(scope, "SELECT 1", (), DATABASE), error=Odd())

    queries = scope.profile().queries
    assert len(queries) == FAULT_LIMIT + 1
    assert {(query.error, query.error_code) for query in queries} == {("Odd", None)}


def test_values_are_kept_only_on_purpose() -> None:
    def values(profiler: Profiler) -> list[object]:
        with shop() as database, profiler.scope("block", "b") as scope:
            database.execute("SELECT name FROM customer WHERE id = ?", (4,))
        return [query.values for query in scope.profile().queries]

    assert values(Profiler()) == [None]
    assert values(Profiler(show_values=True)) == [(4,)]


def test_beyond_the_detail_limit_only_the_slow_have_a_call_site() -> None:
    with Profiler(detail_limit=0, slow_ms=0).scope("block", "slow") as slow, shop() as database:
        database.execute("SELECT 1 FROM orders")
    with Profiler(detail_limit=0).scope("block", "quick") as quick, shop() as database:
        database.execute("SELECT 1 FROM orders")

    (query,) = slow.profile().queries
    assert query.call_site is not None
    assert quick.profile().queries == ()
    assert quick.profile().query_count == 1


def test_a_new_lineage_is_the_same_for_the_same_place_in_a_lane() -> None:
    with Profiler().scope("block", "b") as scope:
        lane = scope.lane()
        one = hooks.root_lineage(lane, "Q", "SELECT 1", (), DATABASE)

        assert hooks.root_lineage(lane, "Q", "SELECT 1", (), DATABASE) is one
        assert hooks.root_lineage(lane, "Q", "SELECT 2", (), DATABASE) is not one


@pytest.mark.usefixtures("failing_open")
def test_a_fault_in_recording_leaves_the_application_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("dbprofile.capture.scope.Scope.record", fail)
    with shop() as database, Profiler().scope("block", "b"):
        assert len(database.execute("SELECT id FROM orders").fetchall()) == 5


def test_statements_of_a_pool_thread_are_named_by_their_thread() -> None:
    with (
        shop() as database,
        Profiler().scope("test", "t", reach="process") as scope,
        ThreadPoolExecutor(1, thread_name_prefix="pool") as pool,
    ):
        pool.submit(database.execute, "SELECT 1 FROM orders").result()

    assert [query.thread for query in scope.profile().queries] == ["pool_0"]


def test_fetches_beyond_the_detail_limit_are_counted_too() -> None:
    with shop() as database, Profiler(detail_limit=0).scope("block", "b") as scope:
        database.execute("SELECT id FROM orders").fetchall()

    profile = scope.profile()
    assert profile.queries == ()
    assert profile.rows == 5
    assert profile.fetch_seconds > 0


def test_a_statement_is_located_once_and_lets_go_of_the_stack() -> None:
    with Profiler().scope("block", "b") as scope:
        watch = hooks.start(scope, "SELECT 1", (), DATABASE)
        hooks.locate(watch)
        assert watch is not None
        assert watch.walk is None
        found = watch.query.provenance
        hooks.locate(watch)
        hooks.stop(watch)

    assert found is not None
    assert watch.query.provenance is found
    assert watch.query.call_site == found.path[0]
    assert watch.query.call_site.file == __file__


def test_beyond_the_detail_limit_a_statement_is_not_located() -> None:
    with Profiler(detail_limit=0).scope("block", "b") as scope:
        watch = hooks.start(scope, "SELECT 1", (), DATABASE)
        hooks.locate(watch)
        hooks.stop(watch)

    assert watch is not None
    assert (watch.query.provenance, watch.query.call_site) == (None, None)
