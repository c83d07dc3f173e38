import asyncio
import contextvars
import copy
import os
import pickle
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dbprofile import Profiler, Report, Scope, current_scope, hooks
from dbprofile.capture import unseen
from dbprofile.capture.counters import COUNTER_LIMIT
from dbprofile.capture.scope import muted, recorded_since
from dbprofile.capture.unseen import NAME_LIMIT
from tests.building import SQLITE, read
from tests.sources import shop


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def profiler(reports: list[Report]) -> Profiler:
    return Profiler(sinks=[reports.append])


def in_thread(function: Callable[[], object], name: str | None = None) -> None:
    thread = threading.Thread(target=function, name=name)
    thread.start()
    thread.join()


def test_a_query_goes_to_the_current_scope_and_each_scope_round_it(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("test", "outer") as outer:
        database.execute("SELECT 1 FROM orders")
        with profiler.scope("request", "inner") as inner:
            database.execute("SELECT 2 FROM orders")

    assert [scope.profile().query_count for scope in (outer, inner)] == [2, 1]


def test_no_scope_is_current_after_the_block(profiler: Profiler) -> None:
    with profiler.scope("block", "b") as scope:
        assert current_scope() is scope
    assert current_scope() is None


def test_a_copied_context_records_into_the_same_scope(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:
        context = contextvars.copy_context()
        in_thread(lambda: context.run(database.execute, "SELECT 1 FROM orders"))

    (query,) = scope.profile().queries
    assert (query.lane, query.thread is not None) == (1, True)


def test_a_bare_thread_is_untracked_and_said_so(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:
        in_thread(lambda: database.execute("SELECT 1 FROM orders"))

    assert scope.profile().query_count == 0
    assert sum(scope.profile().untracked.values()) == 1


def test_threads_beyond_a_number_of_them_are_untracked_under_one_name(
    profiler: Profiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = 3 * NAME_LIMIT
    monkeypatch.setattr(unseen, "outside", Counter())  # the names that are taken stay so for the process

    with profiler.scope("request", "r") as scope:
        for number in range(threads):  # a letter each: names that differ in a number alone share one
            in_thread(hooks.receiver, f"short-lived {chr(ord('A') + number)}")

    untracked = scope.profile().untracked
    assert sum(untracked.values()) == threads
    assert len(untracked) == NAME_LIMIT + 1
    assert untracked["others"] == threads - NAME_LIMIT


def test_threads_that_live_for_one_request_do_not_use_up_the_names(
    profiler: Profiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unseen, "outside", Counter())

    with profiler.scope("request", "r") as scope:
        for number in range(3 * NAME_LIMIT):
            in_thread(hooks.receiver, f"Thread-{number} (send)")
        in_thread(hooks.receiver, "importer")

    untracked = scope.profile().untracked
    assert untracked["importer"] == 1
    assert untracked["Thread-* (send)"] > NAME_LIMIT
    assert "others" not in untracked


def test_a_process_scope_takes_in_bare_threads(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("test", "t", reach="process") as scope:
        in_thread(lambda: database.execute("SELECT 1 FROM orders"))

    (query,) = scope.profile().queries
    assert query.thread is not None
    assert not scope.profile().untracked


def test_a_request_in_another_thread_belongs_to_the_process_scope_once(profiler: Profiler) -> None:
    def serve() -> None:
        with profiler.scope("request", "r"):
            database.execute("SELECT 1 FROM orders")

    with shop() as database, profiler.scope("test", "t", reach="process") as scope:
        in_thread(serve)

    assert scope.profile().query_count == 1


def test_a_statement_after_the_scope_has_closed_is_late_and_revives_nothing(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("test", "t") as outer:
        with profiler.scope("request", "GET /"):
            context = contextvars.copy_context()
        context.run(database.execute, "SELECT 1 FROM orders")

    assert outer.profile().late == {"GET / (MainThread)": 1}
    assert outer.profile().query_count == 1


def test_a_late_statement_is_late_for_its_scope_and_seen_by_that_of_the_process(profiler: Profiler) -> None:
    with profiler.scope("request", "GET /"):
        context = contextvars.copy_context()
    with shop() as database, profiler.scope("command", "c", reach="process") as command:
        in_thread(lambda: context.run(database.execute, "SELECT 1 FROM orders"))

    (query,) = command.profile().queries
    assert (query.thread is not None, sum(command.profile().late.values())) == (True, 1)


def test_muted_statements_are_neither_recorded_nor_counted(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope, muted():
        database.execute("SELECT 1 FROM orders")
        assert current_scope() is None

    assert scope.profile().query_count == 0
    assert not scope.profile().untracked


def test_closing_twice_delivers_once(profiler: Profiler, reports: list[Report]) -> None:
    with profiler.scope("request", "r") as scope:
        scope.close()
        scope.close()

    assert len(reports) == 1


def test_what_carries_a_scope_is_copied_and_pickled_without_it() -> None:
    with Profiler().scope("request", "GET /") as scope:
        carrier = {"path": "/", "scope": scope}
        copies = copy.deepcopy(carrier), pickle.loads(pickle.dumps(carrier))

    assert copies == ({"path": "/", "scope": None},) * 2


def test_a_scope_may_be_closed_in_another_context(profiler: Profiler, reports: list[Report]) -> None:
    scope = profiler.scope("request", "r")
    context = contextvars.copy_context()
    context.run(scope.__enter__)
    scope.close()

    assert current_scope() is None
    assert len(reports) == 1


def test_a_cut_hands_over_the_response_and_goes_on_as_background(profiler: Profiler, reports: list[Report]) -> None:
    with shop() as database, profiler.scope("request", "GET /") as scope:
        database.execute("SELECT 1 FROM orders")
        scope.cut("background", "GET /")
        database.execute("SELECT 2 FROM orders")
        database.execute("SELECT 3 FROM orders")

    request, background = (report.profile for report in reports)
    assert (request.kind, request.query_count) == ("request", 1)
    assert (background.kind, background.query_count, background.parent) == ("background", 2, request.number)
    assert {query.phase for query in background.queries} == {"background"}


def test_a_statement_in_flight_at_a_cut_belongs_to_the_part_that_begins(
    profiler: Profiler, reports: list[Report]
) -> None:
    with profiler.scope("request", "GET /") as scope:
        watch = hooks.start(scope, "SELECT 1 FROM orders", (), SQLITE)
        scope.cut("background", "GET /")
        hooks.stop(watch)

    assert [(report.profile.kind, report.profile.query_count) for report in reports] == [
        ("request", 0),
        ("background", 1),
    ]
    (query,) = reports[1].profile.queries
    assert query.unit == reports[1].profile.unit


def test_nothing_is_kept_of_statements_that_nobody_collects() -> None:
    scope = Profiler().scope("request", "GET /")
    scope.close()

    assert scope.lane() is not scope.lane()
    with scope.entered():
        assert scope.root is None


def test_a_program_without_a_name_is_recorded_too(profiler: Profiler) -> None:
    names: dict[str, object] = {"__name__": None, "profiler": profiler}
    exec("with profiler.scope('block', 'b') as scope: open = scope.open", names)

    assert names["open"] is True


def test_tasks_of_one_scope_have_lanes_of_their_own(profiler: Profiler) -> None:
    async def ask(database: object) -> None:
        await asyncio.sleep(0)
        database.execute("SELECT 1 FROM orders")  # type: ignore[attr-defined]

    async def gather() -> None:
        with profiler.scope("request", "r") as scope:
            await asyncio.gather(*(ask(database) for _ in range(3)))
        assert len({query.lane for query in scope.profile().queries}) == 3

    with shop() as database:
        asyncio.run(gather())


def test_blocks_that_run_at_once_overlap_in_the_unit_round_them(profiler: Profiler) -> None:
    async def ask(started: int) -> None:
        with profiler.scope("block", "b") as block:
            await asyncio.sleep(0)
            block.record(read("SELECT 1", at=started, ms=1_000, unit=block.unit))

    async def gather() -> Scope:
        with profiler.scope("request", "r") as scope:
            await asyncio.gather(*(ask(started) for started in (1, 2, 3)))
        return scope

    profile = asyncio.run(gather()).profile()
    assert len({query.lane for query in profile.queries}) == 3
    assert profile.database_seconds == pytest.approx(1.002)


def test_requests_that_run_at_once_overlap_in_the_scope_round_them(profiler: Profiler) -> None:
    def serve(started: int) -> None:
        with profiler.scope("request", "r") as request:
            request.record(read("SELECT 1", at=started, ms=1_000, unit=request.unit))

    with profiler.scope("test", "t", reach="process") as scope:
        for started in (1, 2, 3):
            in_thread(partial(serve, started))

    assert scope.profile().database_seconds == pytest.approx(1.002)


def test_the_thread_that_opened_a_scope_is_lane_0_whoever_queries_first(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:
        context = contextvars.copy_context()
        in_thread(lambda: context.run(database.execute, "SELECT 1 FROM orders"))
        database.execute("SELECT 2 FROM orders")

    assert [query.lane for query in scope.profile().queries] == [1, 0]


def test_beyond_the_detail_limit_counters_keep_the_numbers_exact() -> None:
    profiler = Profiler(detail_limit=10)
    with shop() as database, profiler.scope("request", "r") as scope:
        for number in range(50):
            database.execute("SELECT name FROM customer WHERE id = ?", (number,))

    profile = scope.profile()
    assert len(profile.queries) == 10
    assert profile.query_count == 50
    (counter,) = profile.counters
    assert counter.count == 40
    assert len(counter.digests or ()) == 32


def test_texts_beyond_the_limit_share_one_counter() -> None:
    profiler = Profiler(detail_limit=0)
    with shop() as database, profiler.scope("request", "r") as scope:
        for number in range(1_200):
            database.execute(f"SELECT {number} FROM orders")

    profile = scope.profile()
    assert profile.query_count == 1_200
    assert len(profile.counters) == 1_001


def test_transaction_control_is_listed_but_does_not_count(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:
        for sql in ("SAVEPOINT a", "SELECT 1 FROM orders", "RELEASE SAVEPOINT a"):
            database.execute(sql)

    assert scope.profile().query_count == 1
    assert scope.profile().not_counted == {"tx": 2}


def test_savepoints_beyond_the_limit_are_no_queries_of_the_application() -> None:
    with shop() as database, Profiler(detail_limit=0).scope("request", "GET /") as scope:
        for number in range(3):
            database.execute(f"SAVEPOINT s{number}")
            database.execute("SELECT 1 FROM orders")
            database.execute(f"RELEASE SAVEPOINT s{number}")

    profile = scope.profile()
    assert (profile.query_count, profile.unique_query_count) == (3, 1)


def test_savepoints_share_counters_however_many_there_are() -> None:
    rounds = COUNTER_LIMIT
    with shop() as database, Profiler(detail_limit=0, slow_ms=10**9).scope("request", "GET /") as scope:
        for number in range(rounds):
            database.execute(f"SAVEPOINT s{number}")
            database.execute("SELECT 1 FROM orders")
            database.execute(f"RELEASE SAVEPOINT s{number}")

    profile = scope.profile()
    assert (profile.query_count, profile.unique_query_count, profile.not_counted) == (rounds, 1, {"tx": 2 * rounds})
    assert len(profile.counters) == 3


@pytest.mark.parametrize("texts", [1, COUNTER_LIMIT + 1], ids=["with room", "without room"])
def test_infrastructure_beyond_the_limit_is_listed_but_does_not_count(texts: int) -> None:
    with Profiler(detail_limit=0).scope("request", "GET /") as scope:
        for number in range(texts):
            scope.record(read(f"SELECT {number} FROM orders"))
        query = read("SELECT version()")
        query.provenance = hooks.Provenance("infra", infrastructure="connect")
        scope.record(query)

    assert (scope.profile().query_count, scope.profile().not_counted) == (texts, {"connect": 1})


def test_fifty_threads_record_into_fifty_scopes(profiler: Profiler, reports: list[Report]) -> None:
    barrier = threading.Barrier(50)

    def serve(number: int) -> None:
        with shop() as database, profiler.scope("request", f"r{number}"):
            barrier.wait()
            for turn in range(20):
                database.execute(f"SELECT {number} AS request, {turn} FROM orders")

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(reports) == 50
    for report in reports:
        number = report.profile.name.removeprefix("r")
        assert report.profile.query_count == 20
        assert all(query.sql.startswith(f"SELECT {number} AS") for query in report.profile.queries)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_starts_without_the_scopes_of_its_parent(profiler: Profiler) -> None:
    with profiler.scope("request", "r", reach="process"):
        child = os.fork()
        if child == 0:
            os._exit(0 if current_scope() is None else 1)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_child_of_a_fork_in_the_middle_of_a_scope_hands_nothing_over(tmp_path: Path) -> None:
    delivered = tmp_path / "delivered"

    def deliver(report: Report) -> None:
        with delivered.open("a") as file:
            file.write(f"{os.getpid()} {report.profile.query_count} ")

    with shop() as database, Profiler(sinks=[deliver]).scope("request", "r") as scope:
        database.execute("SELECT 1 FROM orders")
        child = os.fork()
        with scope.entered():  # a streamed body does so for each step
            database.execute("SELECT 2 FROM orders")
        if child == 0:
            scope.__exit__(None, None, None)
            os._exit(0 if sum(unseen.late.values()) == 1 else 1)
        _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert delivered.read_text() == f"{os.getpid()} 2 "


def test_findings_of_a_request_are_delivered_once_and_shown_in_the_scope_round_it(
    profiler: Profiler, reports: list[Report]
) -> None:
    with shop() as database, profiler.scope("command", "c") as command, profiler.scope("request", "r"):
        for number in range(3):
            database.execute("SELECT name FROM customer WHERE id = ?", (number,))

    delivered = {report.profile.kind: [finding.code for finding in report.findings] for report in reports}
    assert delivered == {"request": ["DBP102"], "command": []}
    assert [finding.code for finding in profiler.report(command.profile()).findings] == ["DBP102"]


def test_slow_statements_beyond_the_limit_are_kept_up_to_a_limit_of_their_own() -> None:
    profiler = Profiler(detail_limit=0, slow_ms=0)
    with shop() as database, profiler.scope("request", "r") as scope:
        for _ in range(1_100):
            database.execute("SELECT 1 FROM orders")

    profile = scope.profile()
    assert len(profile.queries) == 1_000
    assert profile.query_count == 1_100


# --- what else is told of a scope -----------------------------------------------------------------------------------


async def test_the_lanes_of_tasks_and_callbacks_stand_on_an_event_loop_and_those_of_threads_do_not(
    profiler: Profiler,
) -> None:
    marks: dict[str, bool] = {}
    with profiler.scope("request", "r") as scope:
        called = asyncio.Event()

        def mark(name: str) -> None:
            marks[name] = scope.lane().on_loop

        def callback() -> None:
            mark("callback")
            called.set()

        mark("task")
        asyncio.get_running_loop().call_soon(callback)
        await called.wait()
        await asyncio.to_thread(mark, "thread")
    assert marks == {"task": True, "callback": True, "thread": False}


def test_a_scope_that_stopped_before_it_is_closed_took_no_longer(profiler: Profiler) -> None:
    scope = profiler.scope("request", "r")
    scope.stopped = scope.began + 2_000_000_000
    scope.close()
    assert scope.profile().seconds == 2.0


def test_a_part_that_was_cut_off_has_not_stopped(profiler: Profiler, reports: list[Report]) -> None:
    with profiler.scope("request", "r") as scope:
        scope.stopped = scope.began + 2_000_000_000
        scope.cut("background", "r")
    assert [report.profile.seconds < 2 for report in reports] == [False, True]


def test_the_time_of_objects_reaches_the_scopes_round_it(profiler: Profiler, reports: list[Report]) -> None:
    with profiler.scope("test", "outer") as outer:
        with profiler.scope("request", "inner") as inner:
            inner.add_object_seconds(1.0)
            in_thread(lambda: inner.add_object_seconds(2.0))
            inner.cut("background", "inner")
            inner.add_object_seconds(4.0)
        outer.add_object_seconds(8.0)
    assert [report.profile.object_seconds for report in reports] == [3.0, 4.0, 15.0]
    assert outer.profile().object_seconds == 15.0


def test_where_nobody_tells_of_objects_their_time_is_unknown(profiler: Profiler) -> None:
    with profiler.scope("test", "t", reach="process") as test, profiler.scope("request", "r") as request:
        pass
    assert (test.profile().object_seconds, request.profile().object_seconds) == (None, None)


# --- what may still change, and what nobody told the end of ---------------------------------------------------------


def test_queries_since_a_moment_are_those_of_this_scope_and_those_round_it(profiler: Profiler) -> None:
    def marked(moment: int) -> list[str]:
        return sorted({query.sql for query in recorded_since(moment)})

    with shop() as database, profiler.scope("test", "outer") as outer:
        database.execute("SELECT 1 FROM orders")
        database.execute("SELECT 2 FROM orders")
        second = outer.profile().queries[1].started
        with profiler.scope("request", "inner") as inner:
            in_thread(partial(contextvars.copy_context().run, database.execute, "SELECT 3 FROM orders"))
            database.execute("SELECT 4 FROM orders")
            third = inner.profile().queries[0].started
            assert marked(second) == [f"SELECT {number} FROM orders" for number in (2, 3, 4)]
            assert marked(third) == [f"SELECT {number} FROM orders" for number in (3, 4)]
            inner.cut("background", "of it")
            database.execute("SELECT 5 FROM orders")
            assert [query.sql for query in inner.recorded_since(0)] == ["SELECT 5 FROM orders"]
        assert marked(third) == [f"SELECT {number} FROM orders" for number in (3, 4, 5)]
    assert marked(0) == []


def test_what_is_unfinished_is_said_once_by_a_scope_and_by_those_round_it(
    profiler: Profiler, reports: list[Report]
) -> None:
    with (
        profiler.scope("test", "outer") as outer,
        profiler.scope("block", "middle") as middle,
        profiler.scope("request", "inner") as inner,
    ):
        inner.lane().unfinished += 1
        inner.cut("background", "of it")
        inner.lane().unfinished += 2
    assert [report.profile.unfinished for report in reports[:2]] == [1, 2]
    assert [scope.profile().unfinished for scope in (middle, outer)] == [3, 3]


def test_tests_inside_a_command_are_units_of_their_own_and_a_block_is_not() -> None:
    with Profiler().scope("command", "pytest", reach="process") as command:
        with Profiler().scope("test", "test_one") as one:
            assert one.unit == ("test", one.number)
            with Profiler().scope("block", "inside") as block:
                assert block.unit == one.unit
        with Profiler().scope("block", "beside") as block:
            assert block.unit == command.unit
