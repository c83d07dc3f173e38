"""The application of the real workers, which test_workers.py starts. Its tasks ask SQLite, each statement with its task's mark.

Beside what dbprofile tells of each task it writes down what others know: SQLite of each statement, and Celery of each task.
"""

import gc
import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from celery import Celery, Task, current_task, signals
from celery.exceptions import Ignore, Reject, WorkerShutdown
from django.db import connection
from django.db.backends.signals import connection_created
from sqlalchemy import NullPool, create_engine, event

import dbprofile_celery
import dbprofile_sqlalchemy
from dbprofile import Profiler, Report, Scope, current_scope

URL = os.environ["DBPROFILE_TEST_BROKER"]
FOLDER = Path(os.environ["DBPROFILE_TEST_FOLDER"])
POOL = os.environ["DBPROFILE_TEST_POOL"]

app = Celery("tasks", broker=URL, backend=URL)
app.conf.task_default_queue = POOL


# --- what is written down -------------------------------------------------------------------------------------------


def write(kind: str, **facts: object) -> None:
    """Append a line, in one piece: threads write too."""
    line = json.dumps({"kind": kind, "pid": os.getpid(), **facts})
    with (FOLDER / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def running() -> dict[str, object]:
    """By Celery's account: which task runs in this thread, and which attempt."""
    if not current_task:
        return {"task": None, "attempt": 0, "name": None}
    return {"task": current_task.request.id, "attempt": current_task.request.retries, "name": current_task.name}


def sent(text: str) -> None:
    write("sent", text=text, **running())


def told(report: Report) -> None:
    profile = report.profile
    write(
        "told",
        **running(),
        scope=profile.name,
        number=profile.number,
        parent=profile.parent,
        labels=dict(profile.labels),
        query_count=profile.query_count,
        texts=[query.sql for query in profile.queries],
        untracked=sum(profile.untracked.values()),
        late=sum(profile.late.values()),
    )


def published(headers: dict[str, Any], **_: object) -> None:
    write("published", id=headers["id"], by=running()["task"])


def ended(state: str | None = None, **_: object) -> None:
    scope = current_scope()
    write("ended", **running(), state=state, current=scope and scope.name)


def left(**_: object) -> None:
    still_open = [found.name for found in gc.get_objects() if isinstance(found, Scope) and found.open]
    write("left", open=still_open)


def fork_in_a_scope(**_: object) -> None:
    """What a worker's parent is in the middle of is nothing that its children do."""
    if POOL == "prefork":
        Profiler(sinks=[told]).scope("command", "worker", reach="process").__enter__()


dbprofile_sqlalchemy.install()
dbprofile_celery.install(profiler=Profiler(sinks=[told]))
signals.before_task_publish.connect(published)
signals.task_postrun.connect(ended)  # after ours
signals.worker_init.connect(fork_in_a_scope)
signals.worker_process_shutdown.connect(left)
signals.worker_shutdown.connect(left)

engine = create_engine(f"sqlite:///{os.environ['DBPROFILE_TEST_DATABASE']}", poolclass=NullPool)


@event.listens_for(engine, "connect")
def _watch(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    dbapi_connection.set_trace_callback(sent)


def _watch_django(connection: Any, **_: object) -> None:
    connection.connection.set_trace_callback(sent)


connection_created.connect(_watch_django, dispatch_uid="tests")


# --- the tasks ------------------------------------------------------------------------------------------------------


def ask(mark: str, times: int = 1) -> None:
    with engine.connect() as connected:
        for _ in range(times):
            assert connected.exec_driver_sql(f"SELECT '{mark}'").scalar_one() == mark


@app.task
def count(mark: str, times: int) -> int:
    ask(mark, times)
    return times


@app.task(acks_late=True)
def store(mark: str) -> None:
    with engine.begin() as connected:
        connected.exec_driver_sql(f"INSERT INTO marks VALUES ('{mark}')")
    ask(mark)


@app.task
def count_with_django(mark: str, times: int) -> int:
    with connection.cursor() as cursor:
        for _ in range(times):
            cursor.execute(f"SELECT '{mark}'")
            assert cursor.fetchone() == (mark,)
    return times


@app.task
def fail(mark: str) -> None:
    ask(mark, 2)
    raise LookupError(mark)


@app.task(bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
def flaky(self: Task, mark: str) -> int:
    ask(mark, 1 + self.request.retries)
    if self.request.retries < 2:
        raise ConnectionResetError
    return int(self.request.retries)


@app.task(bind=True, max_retries=1)
def give_up(self: Task, mark: str) -> None:
    ask(mark)
    raise self.retry(exc=LookupError(mark), countdown=0)


@app.task
def ignore(mark: str) -> None:
    ask(mark)
    raise Ignore


@app.task
def reject(mark: str) -> None:
    ask(mark)
    raise Reject(requeue=False)


@app.task
def total(numbers: list[int], mark: str) -> int:
    ask(mark)
    return sum(numbers)


@app.task
def add_to(one: int, mark: str, other: int) -> int:
    ask(mark, other)
    return one + other


@app.task(bind=True)
def replaced(self: Task, mark: str) -> None:
    ask(mark)
    raise self.replace(count.si(mark, 3))


@app.task(soft_time_limit=1)
def limited(mark: str) -> None:
    ask(mark, 3)
    time.sleep(30)


@app.task
def leave(mark: str) -> None:
    ask(mark)
    raise WorkerShutdown
