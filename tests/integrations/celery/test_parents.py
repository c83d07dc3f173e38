"""What a task is told of the unit of work that published it."""

import os
import socket
from typing import Any

import pytest
from celery import chain, chord, group

from dbprofile import Profile, Profiler, Report
from dbprofile_celery import parents
from dbprofile_celery.parents import HEADER
from tests.integrations.celery.working import App, Worker, profiles

pytestmark = pytest.mark.usefixtures("installed")

PARENT = ("dbprofile.parent.number", "dbprofile.parent.process")


@pytest.fixture
def add(app: App) -> Any:
    @app.task(name="shop.add")
    def add(one: int, other: int = 0) -> int:
        return one + other

    return add


@pytest.fixture
def total(app: App) -> Any:
    @app.task(name="shop.total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    return total


def by_name(reports: list[Report]) -> dict[str, Profile]:
    return {profile.name: profile for profile in profiles(reports)}


def elsewhere(profile: Profile) -> tuple[object, ...]:
    """What is said of a parent in another process."""
    return tuple(profile.labels.get(name) for name in PARENT)


# --- of this process ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [1, 2])
def test_a_task_is_of_the_request_that_published_it(
    app: App, worker: Worker, profiler: Profiler, reports: list[Report], add: Any, protocol: int
) -> None:
    app.conf.task_protocol = protocol
    with profiler.scope("request", "GET /") as scope:
        add.delay(1)
    worker.work()

    assert by_name(reports)["shop.add"].parent == scope.number
    assert elsewhere(by_name(reports)["shop.add"]) == (None, None)


def test_a_block_in_a_request_publishes_for_the_request(
    worker: Worker, profiler: Profiler, reports: list[Report], add: Any
) -> None:
    with (
        profiler.scope("request", "GET /") as scope,
        profiler.scope("block", "import"),
        profiler.scope("block", "rows"),
    ):
        add.delay(1)
    worker.work()

    assert by_name(reports)["shop.add"].parent == scope.number


def test_a_background_task_publishes_for_itself(
    worker: Worker, profiler: Profiler, reports: list[Report], add: Any
) -> None:
    with profiler.scope("request", "GET /") as scope:
        scope.cut("background", "GET /")
        add.delay(1)
    worker.work()

    request, background, task = profiles(reports)
    assert task.parent == background.number != request.number


def test_a_task_published_by_nobody_has_no_parent(worker: Worker, reports: list[Report], add: Any) -> None:
    add.delay(1)
    worker.work()

    assert profiles(reports)[0].parent is None
    assert HEADER not in worker.headers[0]


def test_a_task_is_of_the_task_before_it_in_a_chain(
    worker: Worker, profiler: Profiler, reports: list[Report], add: Any
) -> None:
    with profiler.scope("request", "GET /") as scope:
        result = chain(add.s(1), add.s(10), add.s(100))()
    assert worker.work() == ["SUCCESS"] * 3
    assert result.get() == 111

    tasks = [profile for profile in profiles(reports) if profile.kind == "task"]
    assert [task.parent for task in tasks] == [scope.number, tasks[0].number, tasks[1].number]


def test_members_of_a_group_are_of_the_request(
    worker: Worker, profiler: Profiler, reports: list[Report], add: Any
) -> None:
    with profiler.scope("request", "GET /") as scope:
        group(add.s(number) for number in range(3))()
    worker.work()

    assert [profile.parent for profile in profiles(reports) if profile.kind == "task"] == [scope.number] * 3


def test_the_body_of_a_chord_is_of_the_task_that_completed_it(
    worker: Worker, profiler: Profiler, reports: list[Report], add: Any, total: Any
) -> None:
    with profiler.scope("request", "GET /") as scope:
        chord((add.s(number) for number in range(3)), total.s())()
    worker.work()

    tasks = [profile for profile in profiles(reports) if profile.kind == "task"]
    assert [task.name for task in tasks] == ["shop.add"] * 3 + ["shop.total"]
    assert [task.parent for task in tasks] == [scope.number] * 3 + [tasks[2].number]


@pytest.mark.parametrize("how", ["retry", "replace"])
def test_what_takes_the_place_of_a_task_is_of_the_same_request(
    app: App, worker: Worker, profiler: Profiler, reports: list[Report], add: Any, how: str
) -> None:
    @app.task(name="shop.first", bind=True)
    def first(self: Any) -> None:
        if how == "replace":
            raise self.replace(add.si(1))
        if self.request.retries < 2:
            raise self.retry(countdown=0)

    with profiler.scope("request", "GET /") as scope:
        first.delay()
    worker.work()

    tasks = [profile for profile in profiles(reports) if profile.kind == "task"]
    assert len(tasks) == (3 if how == "retry" else 2)
    assert {task.parent for task in tasks} == {scope.number}


def test_a_retry_of_a_task_that_nobody_published_is_of_nobody(app: App, worker: Worker, reports: list[Report]) -> None:
    @app.task(name="shop.first", bind=True)
    def first(self: Any) -> None:
        if not self.request.retries:
            raise self.retry(countdown=0)

    first.delay()
    worker.work()

    assert [profile.parent for profile in profiles(reports)] == [None, None]


# --- of another process, or of none ---------------------------------------------------------------------------------


def deliver(worker: Worker, add: Any, header: object) -> None:
    """As if it had been published elsewhere, where anything may be in the header."""
    worker.run(
        {"id": "1", "task": add.name, HEADER: header, "delivery_info": {"routing_key": "celery"}}, ((1,), {}, {})
    )


def header(*, number: object = 44, process: str = "4711", host: str = parents._host, token: str = "0" * 32) -> str:
    return f"{number};{process}@{host};{token}"


def test_a_number_of_another_process_is_none_of_ours(
    worker: Worker, profiler: Profiler, reports: list[Report], add: Any
) -> None:
    with profiler.scope("request", "GET /") as scope:
        pass
    deliver(worker, add, header(number=scope.number))

    task = by_name(reports)["shop.add"]
    assert task.parent is None
    assert elsewhere(task) == (scope.number, "4711")


def test_a_process_of_the_same_id_that_is_gone_is_another(worker: Worker, reports: list[Report], add: Any) -> None:
    deliver(worker, add, header(process=str(os.getpid())))

    assert profiles(reports)[0].parent is None
    assert elsewhere(profiles(reports)[0]) == (44, str(os.getpid()))


def test_a_process_on_another_host_is_named_with_it(worker: Worker, reports: list[Report], add: Any) -> None:
    assert socket.gethostname() != "web-1"
    deliver(worker, add, header(host="web-1"))

    assert elsewhere(profiles(reports)[0]) == (44, "4711@web-1")


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        "",
        "44",
        44,
        ["44"],
        {"number": 44},
        header(number=-1),
        header(number="x"),
        header(number="4" * 19),
        header(number="\u0664"),  # a digit, in Arabic
        header(process=""),
        header(host="web 1"),
        header(host="\x1b[31m"),
        header(token="0" * 31),
        header() + "\n",
        f" {header()}",
    ],
)
def test_a_header_that_is_not_ours_says_nothing(worker: Worker, reports: list[Report], add: Any, wrong: object) -> None:
    deliver(worker, add, wrong)

    (profile,) = profiles(reports)
    assert profile.parent is None
    assert elsewhere(profile) == (None, None)
    assert profile.labels["celery.state"] == "SUCCESS"


def test_a_header_copied_from_another_message_is_stale(
    app: App, worker: Worker, profiler: Profiler, reports: list[Report], add: Any
) -> None:
    with profiler.scope("request", "GET /"):
        add.delay(1)
    worker.work()
    copied = {HEADER: worker.headers[0][HEADER], "tenant": "7"}
    add.apply_async((1,), headers=copied)
    with profiler.scope("request", "GET /other/") as scope:
        add.apply_async((1,), headers=copied)
    worker.work()

    assert HEADER not in worker.headers[1]
    assert [headers.get("tenant") for headers in worker.headers] == [None, "7", "7"]
    assert [profile.parent for profile in profiles(reports) if profile.kind == "task"][1:] == [None, scope.number]


def test_headers_given_to_an_eager_task_say_nothing(profiler: Profiler, reports: list[Report], add: Any) -> None:
    with profiler.scope("request", "GET /"):
        copied = {HEADER: parents.written(profiler.scope("request", "GET /other/"))}
    add.apply((1,), headers=copied)

    assert by_name(reports)["shop.add"].parent is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_after_import(profiler: Profiler) -> None:
    """Siblings count from where their parent stood: what one calls #44 is not what the other does."""
    with profiler.scope("request", "GET /") as scope:
        mine = parents.written(scope)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        known = parents.parent_of(mine)
        own = parents.parent_of(parents.written(Profiler().scope("request", "GET /")))
        os.write(write, repr((known and known.process, own and own.process)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)

    assert answer == repr((str(os.getpid()), ""))
    assert parents.parent_of(mine) == (scope.number, "")
