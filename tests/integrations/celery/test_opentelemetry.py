"""Beside OpenTelemetry's own instrumentation of Celery: what is known of a task is on its span."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.instrumentation.celery import CeleryInstrumentor

import dbprofile_celery
from dbprofile import Profiler
from tests.integrations.celery.working import App, Worker
from tests.sources import Connection
from tests.telemetry import Backend

TOTAL = "dbprofile.request.query_count"


@contextmanager
def instrumented(backend: Backend) -> Iterator[None]:
    instrumentor = CeleryInstrumentor()  # type: ignore[no-untyped-call]
    instrumentor.instrument(tracer_provider=backend.tracer_provider, meter_provider=backend.meter_provider)
    yield
    instrumentor.uninstrument()


@pytest.fixture(params=["before us", "after us"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    """It is installed on either side: receivers are called in the order in which they were connected."""
    backend = Backend()
    profiler = Profiler(sinks=[backend.sink()])
    if request.param == "before us":
        with instrumented(backend):
            dbprofile_celery.install(profiler=profiler)
            yield backend
    else:
        dbprofile_celery.install(profiler=profiler)
        with instrumented(backend):
            yield backend
    dbprofile_celery.uninstall()


@pytest.fixture
def task(app: App, database: Connection) -> Any:
    @app.task(name="shop.count", bind=True, max_retries=1)
    def count(self: Any, times: int, outcome: str) -> None:
        for _ in range(times):
            database.execute("SELECT 1 FROM orders")
        if outcome == "FAILURE":
            raise LookupError
        if outcome == "RETRY" and not self.request.retries:
            raise self.retry(countdown=0)

    return count


@pytest.mark.parametrize("outcome", ["SUCCESS", "FAILURE", "RETRY"])
def test_totals_of_a_task_are_on_its_span(backend: Backend, task: Any, worker: Worker, outcome: str) -> None:
    task.delay(3, outcome)
    assert worker.work()[0] == outcome

    span = backend.spans()["run/shop.count"]
    assert (span[TOTAL], span["celery.action"]) == (3, "run")
    assert TOTAL not in backend.spans()["apply_async/shop.count"]


def test_totals_of_an_eager_task_are_not_on_the_span_of_its_request(
    backend: Backend, task: Any, database: Connection
) -> None:
    profiler = Profiler(sinks=[backend.sink()])
    with backend.tracer.start_as_current_span("GET /"), profiler.scope("request", "GET /"):
        database.execute("SELECT 1 FROM orders")
        task.apply((3, "SUCCESS"))

    assert backend.spans()["run/shop.count"][TOTAL] == 3
    assert backend.spans()["GET /"][TOTAL] == 4


def test_histograms_tell_tasks_apart_by_their_names(backend: Backend, task: Any, worker: Worker) -> None:
    task.delay(3, "SUCCESS")
    worker.work()

    (point,) = backend.points("dbprofile.request.queries")
    assert point.sum == 3
    assert dict(point.attributes) == {"dbprofile.scope.kind": "task", "dbprofile.scope.name": "shop.count"}
