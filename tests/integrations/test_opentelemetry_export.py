import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from dbprofile import Profiler
from dbprofile_opentelemetry import OpenTelemetry
from tests.otlp import Receiver, receiver
from tests.sources import shop
from tests.tree import REPOSITORY

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"


@pytest.fixture(scope="module")
def backend() -> Iterator[Receiver]:
    with receiver() as received:
        yield received


class Application:
    """An application whose exporters send over the network."""

    def __init__(self, backend: Receiver) -> None:
        resource = Resource({"service.name": "shop"})
        self.tracers = TracerProvider(resource=resource)
        self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{backend.endpoint}/v1/traces")))
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{backend.endpoint}/v1/metrics"))
        self.meters = MeterProvider([reader], resource=resource)
        self.loggers = LoggerProvider(resource)
        self.loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{backend.endpoint}/v1/logs")))
        self.trace_id = b""
        self.span_id = b""

    def serve(self) -> None:
        """One request with six slow lookups in a loop, then all is flushed."""
        sink = OpenTelemetry(meter_provider=self.meters, logger_provider=self.loggers)
        labels: dict[str, object] = {"http.request.method": "GET", "http.route": "/orders/"}
        with (
            Profiler(sinks=[sink], slow_query_ms=0) as profiler,
            shop() as database,
            self.tracers.get_tracer("server").start_as_current_span("GET /orders/", kind=SpanKind.SERVER) as span,
            profiler.scope("request", "GET /orders/", labels=labels),
        ):
            for number in range(6):
                database.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,)).fetchall()
        context = span.get_span_context()
        self.trace_id, self.span_id = context.trace_id.to_bytes(16, "big"), context.span_id.to_bytes(8, "big")
        self.loggers.shutdown()
        self.meters.shutdown()
        self.tracers.shutdown()


@pytest.fixture(scope="module")
def application(backend: Receiver) -> Application:
    application = Application(backend)
    application.serve()
    return application


def plain(attributes: Any) -> dict[str, tuple[str, object]]:
    """Attributes of the protocol, each with its type."""
    found: dict[str, tuple[str, object]] = {}
    for attribute in attributes:
        kind = attribute.value.WhichOneof("value")
        found[attribute.key] = (kind, getattr(attribute.value, kind))
    return found


@pytest.fixture(scope="module")
def records(backend: Receiver, application: Application) -> list[Any]:
    """All log records, after a look at what is round them."""
    scopes = [
        scope
        for message in backend.wait_for("/v1/logs")
        for resource in message.resource_logs
        for scope in resource.scope_logs
    ]
    assert {(scope.scope.name, scope.schema_url) for scope in scopes} == {("dbprofile", SCHEMA_URL)}
    assert all(re.fullmatch(r"\d+\.\d+.*", scope.scope.version) for scope in scopes)
    return [record for scope in scopes for record in scope.log_records]


@pytest.fixture(scope="module")
def metrics(backend: Receiver, application: Application) -> dict[str, Any]:
    """The metrics by name."""
    scopes = [
        scope
        for message in backend.wait_for("/v1/metrics")
        for resource in message.resource_metrics
        for scope in resource.scope_metrics
        if scope.scope.name == "dbprofile"
    ]
    assert {scope.schema_url for scope in scopes} == {SCHEMA_URL}
    return {metric.name: metric for scope in scopes for metric in scope.metrics}


def test_the_slow_query_event_arrives(records: list[Any], application: Application) -> None:
    slow = [record for record in records if record.event_name == "dbprofile.slow_query"]
    assert len(slow) == 3  # of one statement in a burst
    for record in slow:
        assert (record.severity_number, record.severity_text) == (13, "WARN")
        assert (record.trace_id, record.span_id) == (application.trace_id, application.span_id)
        assert 0 < record.time_unix_nano <= record.observed_time_unix_nano <= time.time_ns()
        assert re.fullmatch(r"Slow query \(\d\.\d{3} s >= 0\.000 s\): SELECT customer", record.body.string_value)
        attributes = plain(record.attributes)
        assert attributes["db.system.name"] == ("string_value", "sqlite")
        assert attributes["db.query.summary"] == ("string_value", "SELECT customer")
        assert attributes["db.query.text"] == ("string_value", "SELECT name FROM customer WHERE id = ?")
        assert attributes["http.route"] == ("string_value", "/orders/")
        assert attributes["code.file.path"] == ("string_value", __file__)
        kinds = {name: kind for name, (kind, _) in attributes.items()}
        assert kinds["code.line.number"] == "int_value"
        assert kinds["dbprofile.query.duration"] == kinds["dbprofile.query.threshold"] == "double_value"


def test_the_n_plus_one_event_arrives(records: list[Any], application: Application) -> None:
    (record,) = [record for record in records if record.event_name == "dbprofile.n_plus_one"]
    assert record.severity_number == 13
    assert (record.trace_id, record.span_id) == (application.trace_id, application.span_id)
    attributes = plain(record.attributes)
    assert attributes["dbprofile.n_plus_one.kind"] == ("string_value", "query_loop")
    assert attributes["dbprofile.n_plus_one.query_count"] == ("int_value", 6)
    assert attributes["dbprofile.n_plus_one.distinct_parameter_count"] == ("int_value", 6)
    assert attributes["dbprofile.finding.code"] == ("string_value", "DBP102")


def test_the_totals_arrive_on_the_span_of_the_server(backend: Receiver, application: Application) -> None:
    (message,) = backend.wait_for("/v1/traces")
    (span,) = message.resource_spans[0].scope_spans[0].spans
    attributes = plain(span.attributes)

    assert span.span_id == application.span_id
    assert attributes["dbprofile.request.query_count"] == ("int_value", 6)
    assert attributes["dbprofile.request.unique_query_count"] == ("int_value", 1)
    assert attributes["dbprofile.request.slow_query_count"] == ("int_value", 6)
    assert attributes["dbprofile.request.query_duration"][0] == "double_value"


def test_the_histograms_arrive_with_their_buckets_and_units(metrics: dict[str, Any]) -> None:
    queries, duration = metrics["dbprofile.request.queries"], metrics["dbprofile.request.db.duration"]
    assert (queries.unit, duration.unit) == ("{query}", "s")
    (count,), (seconds,) = queries.histogram.data_points, duration.histogram.data_points
    assert list(count.explicit_bounds) == [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    assert list(count.bucket_counts) == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert list(seconds.explicit_bounds) == [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10]
    assert seconds.count == 1
    assert plain(count.attributes) == {
        "http.request.method": ("string_value", "GET"),
        "http.route": ("string_value", "/orders/"),
        "dbprofile.scope.kind": ("string_value", "request"),
    }


def test_the_counters_arrive(metrics: dict[str, Any]) -> None:
    def total(name: str) -> int:
        assert metrics[name].sum.is_monotonic
        return sum(point.as_int for point in metrics[name].sum.data_points)

    assert total("dbprofile.slow_queries") == 6
    assert total("dbprofile.n_plus_one.findings") == 1
    assert total("dbprofile.events.dropped") == 3
    assert [metrics[name].unit for name in ("dbprofile.slow_queries", "dbprofile.events.dropped")] == [
        "{query}",
        "{event}",
    ]


def run(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=120)


WITHOUT_SDK = """
import sys
sys.modules["opentelemetry.sdk"] = None  # as where it is not installed
from dbprofile import Profiler
from dbprofile_opentelemetry import OpenTelemetry
from tests.sources import shop

with Profiler(sinks=[OpenTelemetry()], slow_query_ms=0) as profiler, shop() as database:
    with profiler.scope("request", "GET /orders/"):
        database.execute("SELECT id FROM orders WHERE id = 7").fetchall()
"""


def test_without_an_sdk_a_slow_statement_is_one_line_on_standard_error() -> None:
    ran = run(WITHOUT_SDK)

    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert re.fullmatch(r"Slow query \(\d\.\d{3} s >= 0\.000 s\): SELECT orders\n", ran.stderr)


UNREACHABLE = """
import logging
logging.disable()  # the exporter says what it thinks of it
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from dbprofile import Profiler
from dbprofile_opentelemetry import EventRate, OpenTelemetry
from tests.sources import shop
import os

loggers = LoggerProvider()
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter("http://127.0.0.1:9/v1/logs")))
sink = OpenTelemetry(logger_provider=loggers, event_rate=EventRate(0.000001, 10000, 1000000.0))
with Profiler(sinks=[sink], slow_query_ms=0), shop() as database:
    rows = sum(len(database.execute("SELECT id FROM orders").fetchall()) for _ in range(5000))
print(rows, flush=True)
os._exit(0)  # the SDK would wait for its collector
"""


def test_a_collector_that_is_down_costs_no_statement() -> None:
    ran = run(UNREACHABLE)

    assert (ran.stdout, ran.stderr) == ("25000\n", "")
