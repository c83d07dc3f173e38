"""A scope for each task: its name, its labels, its statements, however it ends."""

import contextvars
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Task, signals
from celery.app.trace import build_tracer
from celery.exceptions import Ignore, Reject, Retry, WorkerShutdown

import dbprofile_celery
from dbprofile import Profiler, Report, Scope, current_scope, record
from dbprofile_celery import scopes
from tests.integrations.celery.working import App, Worker, profiles
from tests.sources import Connection

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture(autouse=True)
def nothing_is_open_afterwards(installed: None) -> Iterator[None]:
    yield
    assert current_scope() is None
    assert dict(scopes._running) == {}


def told(reports: list[Report]) -> list[tuple[str, object, int]]:
    return [(profile.name, profile.labels.get("celery.state"), profile.query_count) for profile in profiles(reports)]


# --- a task that a worker runs --------------------------------------------------------------------------------------


def test_a_task_is_a_unit_of_work_with_its_name(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    @app.task(name="shop.count")
    def count(times: int) -> int:
        for _ in range(times):
            database.execute("SELECT 1 FROM orders")
        return times

    results = [count.delay(times) for times in (1, 2)]
    assert worker.work() == ["SUCCESS", "SUCCESS"]
    assert [result.get() for result in results] == [1, 2]

    first, second = profiles(reports)
    assert (first.kind, first.name, first.query_count) == ("task", "shop.count", 1)
    assert (second.kind, second.name, second.query_count) == ("task", "shop.count", 2)
    assert first.labels == {
        "messaging.system": "celery",
        "messaging.operation.type": "process",
        "messaging.destination.name": "celery",
        "messaging.message.id": results[0].id,
        "celery.state": "SUCCESS",
    }
    assert (first.parent, first.untracked, first.late) == (None, {}, {})


def test_a_task_that_fails_says_so_with_the_class_of_its_exception(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    class UnlikelyError(Exception):
        """None that can be pickled, because it is made in a function."""

    @app.task(name="shop.fail")
    def fail() -> None:
        database.execute("SELECT 1 FROM orders")
        raise UnlikelyError("with what is nobody's business")

    result = fail.delay()
    assert worker.work() == ["FAILURE"]
    with pytest.raises(Exception, match="nobody's business"):
        result.get()

    (profile,) = profiles(reports)
    assert (profile.query_count, profile.labels["celery.state"]) == (1, "FAILURE")
    assert str(profile.labels["error.type"]).endswith("UnlikelyError")
    assert "nobody" not in str(profile.labels)


def test_each_attempt_is_a_unit_of_its_own(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    @app.task(name="shop.flaky", bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
    def flaky(self: Any) -> str:
        database.execute("SELECT 1 FROM orders")
        if self.request.retries < 2:
            raise ConnectionResetError
        return "done"

    result = flaky.delay()
    assert worker.work() == ["RETRY", "RETRY", "SUCCESS"]
    assert result.get() == "done"

    assert told(reports) == [("shop.flaky", "RETRY", 1), ("shop.flaky", "RETRY", 1), ("shop.flaky", "SUCCESS", 1)]
    assert [profile.labels.get("celery.retries") for profile in profiles(reports)] == [None, 1, 2]
    assert [profile.labels.get("error.type") for profile in profiles(reports)] == ["ConnectionResetError"] * 2 + [None]
    assert {profile.labels["messaging.message.id"] for profile in profiles(reports)} == {result.id}


def test_a_retry_without_an_exception_names_none(app: App, worker: Worker, reports: list[Report]) -> None:
    @app.task(name="shop.again", bind=True, max_retries=1)
    def again(self: Any) -> None:
        raise self.retry(countdown=0)

    again.delay()
    assert worker.work() == ["RETRY", "FAILURE"]

    assert [profile.labels.get("error.type") for profile in profiles(reports)] == [None, "MaxRetriesExceededError"]


@pytest.mark.parametrize(("error", "state"), [(Ignore(), "IGNORED"), (Reject(requeue=False), "REJECTED")])
def test_what_is_ignored_or_rejected_is_told(
    app: App, worker: Worker, reports: list[Report], database: Connection, error: Exception, state: str
) -> None:
    @app.task(name="shop.refuse")
    def refuse() -> None:
        database.execute("SELECT 1 FROM orders")
        raise error

    refuse.delay()
    assert worker.work() == [state]

    assert told(reports) == [("shop.refuse", state, 1)]


@pytest.mark.parametrize("error", [SystemExit(1), WorkerShutdown(), KeyboardInterrupt()])
def test_what_ends_the_worker_passes_and_ends_its_task(
    app: App, worker: Worker, reports: list[Report], database: Connection, error: BaseException
) -> None:
    @app.task(name="shop.leave")
    def leave() -> None:
        database.execute("SELECT 1 FROM orders")
        raise error

    leave.delay()
    with pytest.raises(type(error)) as caught:
        worker.work()

    assert caught.value is error
    assert told(reports) == [("shop.leave", None, 1)]
    assert profiles(reports)[0].labels["error.type"] == type(error).__name__


def test_a_task_that_fails_before_it_begins_opens_nothing(app: App, reports: list[Report]) -> None:
    @app.task(name="shop.none")
    def none() -> None:
        raise AssertionError("it ran")

    with pytest.warns(RuntimeWarning, match="Exception raised outside body"):
        build_tracer(none.name, none, app=app)("1", (), "no mapping", {})

    assert reports == []


def test_what_runs_when_the_task_has_returned_is_still_of_it(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    class Audited(Task):  # type: ignore[misc]  # Celery has no types
        def before_start(self, *_: object) -> None:
            database.execute("SELECT 'before' FROM orders")

        def after_return(self, *_: object) -> None:
            database.execute("SELECT 'after' FROM orders")

    @app.task(name="shop.audited", base=Audited)
    def audited() -> None:
        database.execute("SELECT 'task' FROM orders")

    audited.delay()
    worker.work()

    assert [query.sql.split("'")[1] for query in profiles(reports)[0].queries] == ["before", "task", "after"]


def test_a_task_that_is_called_like_a_function_belongs_to_its_caller(
    app: App, reports: list[Report], database: Connection
) -> None:
    @app.task(name="shop.called")
    def called() -> None:
        database.execute("SELECT 1 FROM orders")

    with record("block", profiler=Profiler()) as recording:
        called()

    assert recording.query_count == 1
    assert reports == []


def test_a_message_that_is_delivered_twice_may_run_twice_at_once(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    together = threading.Barrier(2, timeout=30)
    times = iter((1, 2))

    @app.task(name="shop.twice")
    def twice() -> None:
        mine = next(times)
        together.wait()
        for _ in range(mine):
            database.execute(f"SELECT {mine} FROM orders")
        together.wait()

    twice.delay()
    with app.connection_for_read() as connection, connection.SimpleQueue("celery") as queue:
        message = worker.take(queue)
    assert message is not None
    threads = [threading.Thread(target=worker.run, args=message) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    texts = sorted([query.sql for query in profile.queries] for profile in profiles(reports))
    assert texts == [["SELECT 1 FROM orders"], ["SELECT 2 FROM orders"] * 2]


def test_the_lines_of_a_task_end_where_the_worker_begins(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    @app.task(name="shop.deep")
    def deep() -> None:
        database.execute("SELECT 1 FROM orders")

    deep.delay()
    worker.work()
    for _ in range(2):
        deep.apply()

    for profile in profiles(reports):
        (query,) = profile.queries
        assert query.provenance is not None
        assert [step.function.rpartition(".")[2] for step in query.provenance.path] == ["deep"]


def test_nothing_is_kept_of_a_task_that_is_over(
    app: App, worker: Worker, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    kept: list[weakref.ref[Scope]] = []
    dbprofile_celery.install(app, profiler=Profiler(sinks=[lambda report: None]))

    @app.task(name="shop.short")
    def short(fails: bool) -> None:
        kept.append(weakref.ref(current_scope()))  # type: ignore[arg-type]  # a name for it would live on in the logged traceback
        database.execute("SELECT 1 FROM orders")
        if fails:
            raise LookupError

    for fails in (False, True):
        short.delay(fails)
    worker.work()
    caplog.clear()  # the log of the failure has its traceback
    gc.collect()

    assert [scope() for scope in kept] == [None, None]


# --- when it settles ------------------------------------------------------------------------------------------------


class Course:
    """A sink that writes down what it is told, and when."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, report: Report) -> None:
        self.told.append(f"told {report.profile.query_count}")

    def unit_done(self, scope: Scope) -> None:
        self.told.append(f"settled with {scope.profile().query_count}")


@pytest.mark.parametrize("error", [None, LookupError(), Retry()])
def test_a_task_settles_before_its_span_ends(
    app: App, worker: Worker, database: Connection, error: Exception | None
) -> None:
    course = Course()
    dbprofile_celery.install(app, profiler=Profiler(sinks=[course]))

    class Audited(Task):  # type: ignore[misc]  # Celery has no types
        def after_return(self, *_: object) -> None:
            database.execute("SELECT 'after' FROM orders")
            course.told.append("returned")

    @app.task(name="shop.settle", base=Audited)
    def settle() -> None:
        database.execute("SELECT 1 FROM orders")
        if error is not None:
            raise error

    settle.delay()
    worker.work()

    returned = [] if isinstance(error, Retry) else ["returned"]
    assert course.told == ["settled with 1", *returned, f"told {1 + len(returned)}"]


# --- a task that is applied here and now ----------------------------------------------------------------------------


def test_an_eager_task_is_a_child_of_its_request(
    app: App, profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    app.conf.task_always_eager = True

    @app.task(name="shop.eager")
    def eager() -> None:
        for _ in range(2):
            database.execute("SELECT 'task' FROM orders")

    with profiler.scope("request", "GET /"):
        database.execute("SELECT 'request' FROM orders")
        with profiler.scope("block", "import"):
            eager.delay()

    task, request = profiles(reports)
    assert (task.name, task.query_count, task.parent) == ("shop.eager", 2, request.number)
    assert task.labels == {"celery.state": "SUCCESS"}
    assert (request.query_count, request.parent) == (3, None)
    assert len({query.unit for query in request.queries}) == 2


def test_an_eager_task_in_a_test_is_counted_by_the_test(app: App, database: Connection) -> None:
    @app.task(name="shop.eager")
    def eager() -> None:
        database.execute("SELECT 1 FROM orders")

    with Profiler().scope("test", "test_it", reach="process") as scope:
        eager.apply()
        assert scope.profile().query_count == 1


@pytest.mark.parametrize(
    ("error", "state"), [(LookupError(), "FAILURE"), (Retry(exc=LookupError()), "RETRY"), (SystemExit(), None)]
)
def test_what_an_eager_task_raises_reaches_its_caller(
    app: App, reports: list[Report], database: Connection, error: BaseException, state: str | None
) -> None:
    @app.task(name="shop.raising")
    def raising() -> None:
        database.execute("SELECT 1 FROM orders")
        raise error

    with pytest.raises(type(error)) as caught:
        raising.apply(throw=True)

    assert caught.value is error
    assert told(reports) == [("shop.raising", state, 1)]
    assert profiles(reports)[0].labels["error.type"] in {"LookupError", "SystemExit"}


def test_an_eager_task_is_retried_in_place(app: App, reports: list[Report], database: Connection) -> None:
    @app.task(name="shop.flaky", bind=True)
    def flaky(self: Any) -> int:
        database.execute("SELECT 1 FROM orders")
        if self.request.retries < 2:
            raise self.retry(countdown=0)
        return int(self.request.retries)

    assert flaky.apply().get() == 2

    assert [state for _, state, _ in told(reports)] == ["RETRY", "RETRY", "SUCCESS"]
    assert [count for _, _, count in told(reports)] == [1, 1, 1]


def test_a_task_may_be_applied_in_place_under_its_own_id(
    app: App, worker: Worker, reports: list[Report], database: Connection
) -> None:
    @app.task(name="shop.nested", bind=True)
    def nested(self: Any, depth: int) -> None:
        database.execute("SELECT 1 FROM orders")
        if depth:
            self.apply((depth - 1,), task_id=self.request.id)
        database.execute("SELECT 2 FROM orders")

    nested.delay(2)
    worker.work()

    inner, middle, outer = profiles(reports)
    assert [profile.query_count for profile in (inner, middle, outer)] == [2, 4, 6]
    assert (inner.parent, middle.parent, outer.parent) == (middle.number, outer.number, None)


def test_without_anybody_who_listens_nothing_is_opened(app: App, worker: Worker) -> None:
    found: list[Scope | None] = []
    dbprofile_celery.install(app, profiler=Profiler())

    @app.task(name="shop.unheard")
    def unheard() -> None:
        found.append(current_scope())

    unheard.delay()
    worker.work()
    unheard.apply()

    assert found == [None, None]


# --- traps ----------------------------------------------------------------------------------------------------------


def test_inherited_stale_scopes(
    app: App, worker: Worker, profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    @app.task(name="shop.later")
    def later() -> None:
        database.execute("SELECT 1 FROM orders")

    with profiler.scope("request", "GET /"):
        stale = contextvars.copy_context()
    later.delay()
    stale.run(worker.work)

    request, task = profiles(reports)
    assert (request.query_count, task.query_count) == (0, 1)
    assert (task.parent, task.late) == (None, {})


def test_context_reset_elsewhere(app: App, worker: Worker, reports: list[Report], database: Connection) -> None:
    outside = contextvars.copy_context()

    @app.task(name="shop.moved")
    def moved() -> None:
        database.execute("SELECT 1 FROM orders")

    def begin_elsewhere(sender: Any, **more: Any) -> None:
        outside.run(scopes._begun, sender=sender, **more)

    signals.task_prerun.disconnect(dispatch_uid=scopes._UID)
    signals.task_prerun.connect(begin_elsewhere, weak=False, dispatch_uid=scopes._UID)
    moved.delay()
    assert worker.work() == ["SUCCESS"]

    (profile,) = profiles(reports)
    assert (profile.name, profile.query_count) == ("shop.moved", 0)


def test_nested_profilers(app: App, worker: Worker, reports: list[Report], database: Connection) -> None:
    counts: list[int] = []

    @app.task(name="shop.recorded")
    def recorded() -> None:
        with record("block") as recording:
            database.execute("SELECT 1 FROM orders")
        counts.append(recording.query_count)

    recorded.delay()
    worker.work()

    assert counts == [1]
    assert [(profile.kind, profile.query_count) for profile in profiles(reports)] == [("task", 1)]


def test_exceptions_in_another_receiver(app: App, worker: Worker, reports: list[Report], database: Connection) -> None:
    def raising(**_: object) -> None:
        raise LookupError

    @app.task(name="shop.received")
    def received() -> None:
        database.execute("SELECT 1 FROM orders")

    for signal in (signals.task_prerun, signals.task_postrun, signals.task_success):
        signal.connect(raising)
    try:
        received.delay()
        assert worker.work() == ["SUCCESS"]
    finally:
        for signal in (signals.task_prerun, signals.task_postrun, signals.task_success):
            signal.disconnect(raising)

    assert told(reports) == [("shop.received", "SUCCESS", 1)]
