"""Real workers with Redis between: a scope per task in each pool, compared with what SQLite and Celery know of it."""

import gc
import json
import os
import sqlite3
import subprocess
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from celery import Celery, chain, chord
from celery.exceptions import TaskRevokedError

import dbprofile_celery
from dbprofile import Profiler
from tests.ledger import Sent
from tests.services import empty_redis
from tests.tree import REPOSITORY

pytestmark = [
    pytest.mark.service("redis"),
    # Celery 5.4 with a client of 2026.
    pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning"),
]

POOLS: Final = ("solo", "threads", "prefork", "gevent")
HERE: Final = Path(__file__).parent
#: Seconds after which a worker is given up.
PATIENCE: Final = 60

Fact = dict[str, Any]
Attempt = tuple[str, int, str]


class Pool:
    """A worker, the tasks that were published for it, and what it wrote down."""

    def __init__(self, name: str, client: Celery, folder: Path, url: str) -> None:
        self.name = name
        self.client = client
        self.folder = folder
        self.results: dict[str, Any] = {}
        self.revoked = str(uuid4())
        self.request = 0
        """The number of the request that published them."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "DJANGO_SETTINGS_MODULE": "django_settings",
            "DBPROFILE_TEST_BROKER": url,
            "DBPROFILE_TEST_DATABASE": str(folder.parent / "marks.sqlite3"),
            "DBPROFILE_TEST_FOLDER": str(folder),
            "DBPROFILE_TEST_POOL": name,
        }
        quick = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        with (folder / "output").open("wb") as output:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tasks", "worker", "-P", name, "-c", "2", "-n", name, *quick],
                cwd=HERE,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    # --- publishing ---------------------------------------------------------------------------------------------

    def task(self, name: str, *arguments: object) -> Any:
        """A signature with a mark of its own."""
        mark = f"{self.name} {name} {uuid4()}"
        return self.client.signature(f"tasks.{name}", args=(mark, *arguments), queue=self.name)

    def step(self, name: str, *arguments: object) -> Any:
        """The same for one that gets the result of another as its first argument."""
        return self.task(name, *arguments)

    def send(self, name: str, *arguments: object, **options: object) -> Any:
        return self.task(name, *arguments).apply_async(**options)

    def publish(self) -> None:
        """Everything, but for what ends the worker."""
        for times in range(1, 6):
            self.results[f"count {times}"] = self.send("count", times)
            self.results[f"django {times}"] = self.send("count_with_django", times)
        for name in ("store", "fail", "flaky", "give_up", "replaced"):
            self.results[name] = self.send(name)
        for name in ("ignore", "reject"):
            self.send(name)
        self.send("count", 1, task_id=self.revoked)
        self.results["chain"] = chain(self.task("count", 1), self.step("add_to", 2), self.step("add_to", 3))()
        self.results["chord"] = chord((self.task("count", times) for times in (1, 2, 3)), self.step("total"))()
        if self.name == "prefork":
            self.results["limited"] = self.send("limited")

    def stop(self) -> None:
        if self.name == "solo":
            self.send("leave")
        else:
            self.worker.terminate()
        self.worker.wait(PATIENCE)

    # --- what was written down ----------------------------------------------------------------------------------

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")

    def facts(self, kind: str) -> list[Fact]:
        lines = [line for file in self.folder.glob("*.jsonl") for line in file.read_text("utf-8").splitlines()]
        return [fact for fact in map(json.loads, lines) if fact["kind"] == kind]

    def by_attempt(self, kind: str) -> dict[Attempt, list[Fact]]:
        found = defaultdict(list)
        for fact in self.facts(kind):
            found[fact["task"], fact["attempt"], fact["name"]].append(fact)
        return found


def _disconnect(client: Celery) -> None:
    """Close what Celery leaves to the garbage collector, and collect what its older versions have lost, without a warning of it."""
    client.backend.result_consumer.stop()
    client.backend.client.connection_pool.disconnect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def _running(folder: Path) -> Iterator[dict[str, Pool]]:
    with closing(sqlite3.connect(folder / "marks.sqlite3")) as database:
        database.execute("CREATE TABLE marks (mark TEXT)")
        database.commit()
    with (
        empty_redis() as url,
        Celery("client", broker=url, backend=url, set_as_current=False) as client,
        ExitStack() as stack,
    ):
        pools = {}
        for name in POOLS:
            (folder / name).mkdir()
            pools[name] = Pool(name, client, folder / name, url)
            stack.callback(pools[name].worker.kill)
        stack.callback(_disconnect, client)
        yield pools


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pool]]:
    """All of them at once, each with everything to do, and each at its end."""
    profiler = Profiler(sinks=[lambda report: None])
    with _running(tmp_path_factory.mktemp("workers")) as pools:
        for pool in pools.values():
            assert pool.send("count", 0).get(timeout=PATIENCE) == 0, pool.output
        revoked = [pool.revoked for pool in pools.values()]
        client = next(iter(pools.values())).client
        assert len(client.control.revoke(revoked, reply=True, limit=len(pools), timeout=PATIENCE)) == len(pools)
        dbprofile_celery.install(profiler=profiler)
        try:
            for pool in pools.values():
                with profiler.scope("request", f"GET /{pool.name}") as scope:
                    pool.request = scope.number
                    pool.publish()
        finally:
            dbprofile_celery.uninstall()
        for pool in pools.values():
            for result in pool.results.values():
                result.get(timeout=PATIENCE, propagate=False)
        for pool in pools.values():
            pool.stop()
        yield pools


@pytest.fixture(params=POOLS)
def pool(request: pytest.FixtureRequest, pools: dict[str, Pool]) -> Pool:
    return pools[request.param]


def test_results_are_what_they_are_without_us(pool: Pool) -> None:
    results = {name: result.result for name, result in pool.results.items()}

    assert [results[f"count {times}"] for times in range(1, 6)] == [1, 2, 3, 4, 5]
    assert [results[f"django {times}"] for times in range(1, 6)] == [1, 2, 3, 4, 5]
    assert (results["store"], results["flaky"], results["replaced"]) == (None, 2, 3)
    assert (results["chain"], results["chord"]) == (6, 6)
    assert [type(results[name]) for name in ("fail", "give_up")] == [LookupError, LookupError]


def test_each_attempt_has_a_scope_and_only_one(pool: Pool) -> None:
    told, ended = pool.by_attempt("told"), pool.by_attempt("ended")

    assert told.keys() == ended.keys()
    assert {len(facts) for facts in (*told.values(), *ended.values())} == {1}
    for attempt, (fact,) in told.items():
        task, number, name = attempt
        assert (fact["scope"], fact["labels"]["messaging.message.id"]) == (name, task)
        assert fact["labels"].get("celery.retries", 0) == number
        assert fact["labels"].get("celery.state") == ended[attempt][0]["state"]
        assert fact["labels"]["messaging.destination.name"] == pool.name


def test_each_scope_has_the_statements_of_its_task(pool: Pool) -> None:
    sent = pool.by_attempt("sent")
    told = pool.by_attempt("told")

    assert sum(map(len, sent.values())) > 50
    assert sent.keys() <= told.keys()  # nothing was sent outside a task
    for attempt, (fact,) in told.items():
        texts = [entry["text"] for entry in sent[attempt] if not Sent(entry["text"], "").by_driver]
        assert (fact["texts"], fact["query_count"]) == (texts, len(texts))
        assert len({text.split("'")[1] for text in texts}) <= 1  # the mark
        assert fact["late"] == 0


def test_retries_and_failures_are_counted_right(pool: Pool) -> None:
    ends = Counter(
        (fact["scope"], fact["attempt"], fact["labels"].get("celery.state"), fact["labels"].get("error.type"))
        for fact in pool.facts("told")
    )

    expected: set[tuple[str, int, str | None, str | None]] = {
        ("tasks.fail", 0, "FAILURE", "LookupError"),
        ("tasks.flaky", 0, "RETRY", "ConnectionResetError"),
        ("tasks.flaky", 1, "RETRY", "ConnectionResetError"),
        ("tasks.give_up", 0, "RETRY", "LookupError"),
        ("tasks.give_up", 1, "FAILURE", "LookupError"),
        ("tasks.ignore", 0, "IGNORED", None),
        ("tasks.reject", 0, "REJECTED", None),
        ("tasks.replaced", 0, "IGNORED", None),
    }
    if pool.name == "solo":
        expected.add(("tasks.leave", 0, None, "WorkerShutdown"))
    if pool.name == "prefork":
        expected.add(("tasks.limited", 0, "FAILURE", "SoftTimeLimitExceeded"))
    assert {end: number for end, number in ends.items() if end[2] != "SUCCESS"} == dict.fromkeys(expected, 1)
    assert ends["tasks.flaky", 2, "SUCCESS", None] == 1


def test_nothing_is_open_afterwards(pool: Pool) -> None:
    assert {fact["current"] for fact in pool.facts("ended")} == {None}

    left = {fact["pid"]: fact["open"] for fact in pool.facts("left")}
    workers = {fact["pid"] for fact in pool.facts("ended")}
    inherited = ["worker"] if pool.name == "prefork" else []  # what the parent of a child is in the middle of
    assert [left[worker] for worker in workers] == [inherited] * len(workers)


def test_a_task_that_was_revoked_has_no_scope(pool: Pool) -> None:
    with pytest.raises(TaskRevokedError):
        pool.client.AsyncResult(pool.revoked).get(timeout=PATIENCE)

    assert pool.revoked not in {fact["task"] for kind in ("told", "ended", "sent") for fact in pool.facts(kind)}


def test_each_task_is_of_what_published_it(pool: Pool) -> None:
    by = {fact["id"]: fact["by"] for fact in reversed(pool.facts("published")) if fact["by"] != fact["id"]}
    numbers = {(fact["task"], fact["pid"], fact["number"]) for fact in pool.facts("told")}
    parents = Counter[str]()
    for fact in pool.facts("told"):
        number, process = fact["labels"].get("dbprofile.parent.number"), fact["labels"].get("dbprofile.parent.process")
        publisher = by.get(fact["task"])
        if publisher is not None:
            # A task before it: here, or in a sibling of this process.
            assert (number is None) == (fact["parent"] is not None)
            here = (publisher, fact["pid"], fact["parent"])
            assert (here if number is None else (publisher, int(process), number)) in numbers
            parents["task"] += 1
        elif number is not None:
            assert (number, process, fact["parent"]) == (pool.request, str(os.getpid()), None)
            parents["request"] += 1
        else:
            # The first and the last, published where nobody is profiled. What is open in the parent of a child is nobody's.
            assert (fact["scope"], fact["parent"]) in {("tasks.count", None), ("tasks.leave", None)}

    assert parents["task"] == 3  # two in the chain, and the body of the chord
    assert parents["request"] >= 20


def test_fork_after_import(pools: dict[str, Pool]) -> None:
    facts = pools["prefork"].facts("told")

    children = {fact["pid"] for fact in facts if fact["task"] is not None}
    assert pools["prefork"].worker.pid not in children
    assert children
    assert {fact["scope"] for fact in facts if not fact["scope"].startswith("tasks.")} == set()
    assert {fact["untracked"] for fact in facts} == {0}


def test_celery_has_nothing_to_complain_of(pool: Pool) -> None:
    assert "Signal handler" not in pool.output
    assert "dbprofile: " not in pool.output
