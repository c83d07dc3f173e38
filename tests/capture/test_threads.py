import asyncio
import contextvars
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dbprofile import Profiler, Report, guard
from dbprofile.capture.scope import muted
from tests.sources import shop

START, SUBMIT = threading.Thread.start, ThreadPoolExecutor.submit


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def profiler(reports: list[Report]) -> Iterator[Profiler]:
    with Profiler(sinks=[reports.append], follow_threads=True) as following:
        yield following
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == (START, SUBMIT)


def run(thread: threading.Thread) -> None:
    thread.start()
    thread.join()


def test_a_thread_belongs_to_the_scope_that_starts_it(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:
        run(threading.Thread(target=database.execute, args=("SELECT 1 FROM orders",), name="worker"))

    (query,) = scope.profile().queries
    assert (query.lane, query.thread) == (1, "worker")
    assert not scope.profile().untracked


def test_a_thread_of_a_class_of_its_own_is_followed_too(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:

        class Worker(threading.Thread):
            def run(self) -> None:
                database.execute("SELECT 1 FROM orders")

        run(Worker())
        run(threading.Timer(0, database.execute, ("SELECT 2 FROM orders",)))

    assert scope.profile().query_count == 2


def test_what_is_submitted_belongs_to_the_scope_that_submits_and_the_pools_thread_to_none(
    profiler: Profiler, reports: list[Report]
) -> None:
    with shop() as database, ThreadPoolExecutor(1) as pool:
        for number in range(2):
            with profiler.scope("request", f"r{number}"):
                pool.submit(database.execute, "SELECT 1 FROM orders").result()
        with profiler.scope("command", "c", reach="process") as command:
            with profiler.scope("request", "bystander"):
                pass
            pool.submit(lambda: None).result()

    assert [report.profile.query_count for report in reports[:2]] == [1, 1]
    assert not command.profile().late


def test_an_executor_of_the_event_loop_is_followed(profiler: Profiler) -> None:
    async def ask() -> int:
        with profiler.scope("request", "r") as scope:
            await asyncio.get_running_loop().run_in_executor(None, database.execute, "SELECT 1 FROM orders")
        return scope.profile().query_count

    with shop() as database:
        assert asyncio.run(ask()) == 1


def test_only_our_variable_travels(profiler: Profiler) -> None:
    variable = contextvars.ContextVar("theirs", default="default")
    seen: list[str] = []
    variable.set("request")
    with profiler.scope("request", "r"):
        run(threading.Thread(target=lambda: seen.append(variable.get())))

    assert seen == ["default"]


def test_a_muted_thread_stays_muted(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope, muted():
        run(threading.Thread(target=database.execute, args=("SELECT 1 FROM orders",)))

    assert (scope.profile().query_count, dict(scope.profile().untracked)) == (0, {})


def test_a_thread_started_in_a_closed_scope_is_untracked(profiler: Profiler) -> None:
    with shop() as database, profiler.scope("request", "r") as scope:
        scope.close()
        run(threading.Thread(target=database.execute, args=("SELECT 1 FROM orders",)))

    assert not scope.profile().queries


def test_a_thread_that_is_over_is_collected(profiler: Profiler) -> None:
    with profiler.scope("request", "r"):
        thread = threading.Thread(target=lambda: None)
        run(thread)
    gone = weakref.ref(thread)
    del thread

    assert gone() is None


def test_results_and_exceptions_pass_unchanged(profiler: Profiler) -> None:
    with profiler.scope("request", "r"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(divmod, 7, 2).result() == (3, 1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 7, 0).result()
        assert pool.submit(dict, function=1, self=2, scope=3).result() == {"function": 1, "self": 2, "scope": 3}
        thread = threading.Thread(target=lambda: None)
        run(thread)
        with pytest.raises(RuntimeError, match="once"):
            thread.start()


def test_a_fault_of_ours_starts_the_thread_all_the_same(profiler: Profiler, monkeypatch: pytest.MonkeyPatch) -> None:
    guard.reraising(False)
    monkeypatch.setattr("dbprofile.capture.threads.partial", None)
    done = threading.Event()
    with profiler.scope("request", "r"):
        run(threading.Thread(target=done.set))

    assert done.is_set()


def test_two_profilers_follow_until_the_last_has_closed() -> None:
    first, second = Profiler(follow_threads=True), Profiler(follow_threads=True)
    first.close()
    first.close()
    assert threading.Thread.start is not START
    second.close()
    assert threading.Thread.start is START


def test_a_wrapper_that_came_after_ours_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", START)  # what is there again when the test is over
    with Profiler(follow_threads=True) as profiler:
        ours = threading.Thread.start

        def theirs(self: threading.Thread) -> None:
            ours(self)

        monkeypatch.setattr(threading.Thread, "start", theirs)
    assert threading.Thread.start is theirs

    with shop() as database, profiler.scope("request", "r") as scope:
        run(threading.Thread(target=database.execute, args=("SELECT 1 FROM orders",)))
    assert scope.profile().query_count == 0
