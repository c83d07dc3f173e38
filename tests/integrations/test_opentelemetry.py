import gc
import logging
import sqlite3
import time
import weakref
from collections.abc import Iterator

import pytest
from opentelemetry import context as otel_context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, TraceFlags, format_trace_id, get_current_span

from dbprofile import ConfigurationError, Database, Finding, Profiler, Report, Scope, Severity, hooks
from dbprofile.capture.callsite import CallSite
from dbprofile_opentelemetry import EventRate, OpenTelemetry
from dbprofile_opentelemetry.limits import RateLimiter
from tests.building import lazy, origin_of, profile, read
from tests.sources import Connection, shop
from tests.telemetry import Backend

#: Every statement is slow, or none.
EVERY, NONE = 0, 3_600_000
SLOW, LOOP = "dbprofile.slow_query", "dbprofile.n_plus_one"

ORDERS = Database(
    "default",
    system="postgresql",
    dialect="postgresql",
    paramstyle="format",
    namespace="shop|public",
    host="db.example",
    port=6432,
)


@pytest.fixture
def backend() -> Backend:
    return Backend()


@pytest.fixture
def database() -> Iterator[Connection]:
    with shop() as connection:
        yield connection


def send(
    sql: str,
    parameters: object = None,
    *,
    database: Database = ORDERS,
    batch: bool = False,
    affected_rows: int | None = None,
    error: BaseException | None = None,
) -> hooks.Query | None:
    """A statement of a driver that answers at once."""
    scope = hooks.receiver()
    if scope is None:
        return None
    watch = hooks.start(scope, sql, parameters, database, batch=batch)
    hooks.stop(watch, error=error, affected_rows=affected_rows)
    return watch.query if watch is not None else None


def orders_with_customers(number: int) -> list[hooks.Query]:
    """The rows of one query, and a lazy load for each."""
    orders = read(
        "SELECT id, customer_id FROM orders WHERE total > 99", (), path=(CallSite("/app/shop/views.py", 27, "orders"),)
    )
    place = CallSite("/app/shop/views.py", 31, "orders")
    loads = [lazy("Order.customer", ("order", key), origin_of(orders), key=key, path=(place,)) for key in range(number)]
    return [orders, *loads]


def record(scope: Scope, queries: list[hooks.Query]) -> None:
    for query in queries:
        query.unit = scope.unit
        scope.record(query)


# --- the slow-query event -------------------------------------------------------------------------------------------


def test_a_slow_statement_is_an_event_with_the_names_of_the_conventions(backend: Backend) -> None:
    before = time.time_ns()
    labels: dict[str, object] = {"http.request.method": "GET", "http.route": "/orders/{id}"}
    with (
        Profiler(sinks=[backend.sink()], slow_query_ms=EVERY) as profiler,
        backend.tracer.start_as_current_span("GET") as span,
        profiler.scope("request", "GET /orders/7", labels=labels),
    ):
        query = send("SELECT id FROM orders WHERE id = %s AND state = 'paid'", (7,))
    assert query is not None

    (event,) = backend.events(SLOW)
    assert event.severity_number.value == 13
    assert event.severity_text == "WARN"
    assert before <= event.timestamp <= time.time_ns()
    assert (event.trace_id, event.span_id) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert event.body == f"Slow query ({query.seconds:.3f} s >= 0.000 s): SELECT orders"
    attributes = dict(event.attributes)
    line = attributes.pop("code.line.number")
    assert isinstance(line, int)
    assert attributes == {
        "db.system.name": "postgresql",
        "db.namespace": "shop|public",
        "db.query.summary": "SELECT orders",
        "db.query.text": "SELECT id FROM orders WHERE id = %s AND state = ?",
        "server.address": "db.example",
        "server.port": 6432,
        "code.file.path": __file__,
        "code.function.name": "send",
        "http.request.method": "GET",
        "http.route": "/orders/{id}",
        "dbprofile.query.fingerprint": query.statement.fingerprint,
        "dbprofile.query.duration": query.seconds,
        "dbprofile.query.threshold": 0.0,
        "dbprofile.finding.code": "DBP201",
    }


def test_the_event_names_the_line_of_the_application(backend: Backend, database: Connection) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]) as profiler, profiler.scope("request", "r"):
        database.cursor().execute("SELECT id FROM orders")
    here = hooks.find_call_site()
    assert here is not None

    (event,) = backend.events(SLOW)
    assert event.attributes["code.file.path"] == __file__
    assert event.attributes["code.line.number"] == here.line - 1


def test_an_event_of_an_unsampled_trace_is_exported_all_the_same(database: Connection) -> None:
    backend = Backend(ALWAYS_OFF)
    with (
        Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]) as profiler,
        backend.tracer.start_as_current_span("GET") as span,
        profiler.scope("request", "r"),
    ):
        database.execute("SELECT id FROM orders")

    (event,) = backend.events(SLOW)
    assert backend.spans() == {}
    assert event.trace_id == span.get_span_context().trace_id != 0
    assert event.trace_flags & TraceFlags.SAMPLED == 0


def test_a_statement_outside_any_scope_is_an_event_too(backend: Backend, database: Connection) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]):
        database.execute("SELECT id FROM orders")

    (event,) = backend.events(SLOW)
    assert event.attributes["db.system.name"] == "sqlite"
    assert "http.request.method" not in event.attributes


def test_a_quick_statement_is_no_event(backend: Backend, database: Connection) -> None:
    with Profiler(sinks=[backend.sink()], slow_query_ms=NONE) as profiler, profiler.scope("request", "r"):
        database.execute("SELECT id FROM orders")

    assert backend.events(SLOW) == []
    assert backend.points("dbprofile.slow_queries") == []


def test_a_threshold_of_the_sink_stands_over_that_of_the_profiler(backend: Backend, database: Connection) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=NONE)], slow_query_ms=EVERY):
        database.execute("SELECT id FROM orders")

    assert backend.events(SLOW) == []


def test_from_five_seconds_on_the_severity_is_error(backend: Backend) -> None:
    sink = backend.sink()
    sink.query_done(read("SELECT id FROM audit", ms=4_999), None, None)
    sink.query_done(read("SELECT id FROM audit", ms=5_000), None, None)

    assert [event.severity_number.value for event in backend.events(SLOW)] == [13, 17]


def test_a_batch_says_its_size_and_a_write_its_rows(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]):
        send("INSERT INTO tag (name) VALUES (%s)", [("a",), ("b",), ("c",)], batch=True, affected_rows=3)
        send("INSERT INTO tag (name) VALUES (%s)", [("a",)], batch=True)
        send("SELECT name FROM tag", affected_rows=3)

    several, one, select = [dict(event.attributes) for event in backend.events(SLOW)]
    assert several["db.operation.batch.size"] == 3
    assert several["dbprofile.query.affected_rows"] == 3
    assert "db.operation.batch.size" not in one
    assert "dbprofile.query.affected_rows" not in select


def test_a_failed_statement_carries_the_code_of_its_driver_and_no_message(
    backend: Backend, database: Connection
) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]), pytest.raises(sqlite3.IntegrityError):
        database.execute("INSERT INTO customer VALUES (1, 'Ada')")

    (event,) = backend.events(SLOW)
    assert event.attributes["db.response.status_code"] == "SQLITE_CONSTRAINT_PRIMARYKEY"
    assert event.attributes["error.type"] == "SQLITE_CONSTRAINT_PRIMARYKEY"
    assert "UNIQUE" not in str([event.body, dict(event.attributes)])


@pytest.mark.parametrize("text", ["sanitized", "off"])
def test_no_literal_and_no_parameter_leaves_the_process(backend: Backend, database: Connection, text: str) -> None:
    with (
        Profiler(sinks=[backend.sink(slow_query_ms=EVERY, query_text=text)]) as profiler,
        profiler.scope("request", "r"),
    ):
        for number in range(9):
            database.execute("SELECT id FROM customer WHERE name = 'top secret' AND id = ?", (777_000 + number,))

    assert backend.events(LOOP)
    sent = str([(event.body, dict(event.attributes)) for event in backend.events(SLOW) + backend.events(LOOP)])
    assert "secret" not in sent
    assert "777" not in sent
    assert ("db.query.text" in sent) is (text != "off")


def test_a_verbatim_text_is_sent_as_it_was_if_it_had_parameters(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY, query_text="verbatim", query_text_limit=45)]):
        send("SELECT id FROM orders WHERE a = %s AND b = 'x' AND c = 1", (7,))
        send("SELECT id FROM orders WHERE b = 'x'")

    texts = [event.attributes["db.query.text"] for event in backend.events(SLOW)]
    assert texts == ["SELECT id FROM orders WHERE a = %s AND b = 'x", "SELECT id FROM orders WHERE b = ?"]


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("mssql", "microsoft.sql_server"),
        ("microsoft", "microsoft.sql_server"),
        ("oracle", "oracle.db"),
        ("redshift", "aws.redshift"),
        ("MariaDB", "mariadb"),
        ("duckdb", "duckdb"),
        ("other_sql", "other_sql"),
    ],
)
def test_databases_have_the_names_of_the_conventions(backend: Backend, system: str, name: str) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]):
        send("SELECT 1", database=Database("default", system=system))

    (event,) = backend.events(SLOW)
    assert event.attributes["db.system.name"] == name


def test_the_default_port_is_not_worth_an_attribute(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]):
        send("SELECT 1", database=Database("default", system="postgresql", host="db", port=5432))
        send("SELECT 2", database=Database("default", system="postgresql", port=5433))

    usual, without_host = [dict(event.attributes) for event in backend.events(SLOW)]
    assert usual["server.address"] == "db"
    assert "server.port" not in usual
    assert "server.port" not in without_host


# --- what was slow only later ---------------------------------------------------------------------------------------


def test_a_statement_slow_only_to_fetch_is_sent_once_with_the_report(backend: Backend) -> None:
    sink = backend.sink()
    with Profiler(sinks=[sink]) as profiler, profiler.scope("request", "r", labels={"http.route": "/big"}) as scope:
        quick, streamed, slow = (read(f"SELECT {name} FROM orders", ms=1, unit=scope.unit) for name in "abc")
        slow.seconds = 0.2
        for query in (quick, streamed, slow):
            scope.record(query)
            profiler.query_done(query, None, None)
        assert len(backend.events(SLOW)) == 1
        streamed.fetch_seconds, streamed.fetches = 0.4, 3

    assert [event.attributes["dbprofile.query.duration"] for event in backend.events(SLOW)] == [0.2, 0.401]
    assert backend.events(SLOW)[1].attributes["http.route"] == "/big"
    assert backend.total("dbprofile.slow_queries") == 2


@pytest.mark.parametrize(("first_trip", "sent"), [(0.2, 0.2), (0.001, 0.4)])
def test_a_batch_that_grows_by_round_trips_is_sent_once(backend: Backend, first_trip: float, sent: float) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler, profiler.scope("request", "r") as scope:
        batch = read("INSERT INTO tag (name) VALUES (?)", unit=scope.unit)
        batch.batch_size, batch.seconds = 2_000, first_trip
        with profiler.scope("block", "import"):
            profiler.query_done(batch, None, None)
        batch.seconds, batch.round_trips = 0.4, 2
        scope.record(batch)

    assert [event.attributes["dbprofile.query.duration"] for event in backend.events(SLOW)] == [sent]


# --- the N+1 event --------------------------------------------------------------------------------------------------


def test_an_n_plus_one_is_an_event_in_the_trace_of_its_request(backend: Backend) -> None:
    queries = orders_with_customers(5)
    labels: dict[str, object] = {"http.request.method": "GET"}
    with Profiler(sinks=[backend.sink()]) as profiler:
        with backend.tracer.start_as_current_span("GET", kind=SpanKind.SERVER) as span:
            scope = profiler.scope("request", "GET /orders/", labels=labels)
            labels["http.route"] = "/orders/"
            record(scope, queries)
            scope.settle()
        scope.close()

    (event,) = backend.events(LOOP)
    assert event.severity_number.value == 13
    assert event.timestamp > 0
    assert (event.trace_id, event.span_id) == (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert event.body == "N+1: SELECT customer executed 5 times (0.005 s) at /app/shop/views.py:31"
    assert dict(event.attributes) == {
        "db.system.name": "sqlite",
        "db.query.summary": "SELECT customer",
        "db.query.text": "SELECT id, name FROM customer WHERE id = ?",
        "code.file.path": "/app/shop/views.py",
        "code.function.name": "orders",
        "code.line.number": 31,
        "http.request.method": "GET",
        "http.route": "/orders/",
        "dbprofile.query.fingerprint": queries[1].statement.fingerprint,
        "dbprofile.finding.code": "DBP101",
        "dbprofile.n_plus_one.kind": "n_plus_one",
        "dbprofile.n_plus_one.query_count": 5,
        "dbprofile.n_plus_one.threshold": 2,
        "dbprofile.n_plus_one.distinct_parameter_count": 5,
        "dbprofile.n_plus_one.query_duration": pytest.approx(0.005),
        "dbprofile.n_plus_one.relation": "Order.customer",
        "dbprofile.n_plus_one.parent_fingerprint": queries[0].statement.fingerprint,
    }
    (point,) = backend.points("dbprofile.n_plus_one.findings")
    assert point.value == 1
    assert dict(point.attributes) == {
        "http.request.method": "GET",
        "http.route": "/orders/",
        "dbprofile.n_plus_one.kind": "n_plus_one",
    }


def test_lookups_in_a_loop_are_an_event_without_a_relation(backend: Backend, database: Connection) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler, profiler.scope("request", "r"):
        for number in range(1, 6):
            database.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,)).fetchall()

    (event,) = backend.events(LOOP)
    assert event.attributes["dbprofile.n_plus_one.kind"] == "query_loop"
    assert event.attributes["dbprofile.n_plus_one.query_count"] == 5
    assert event.attributes["code.file.path"] == __file__
    assert "dbprofile.n_plus_one.relation" not in event.attributes


def test_two_rows_in_a_row_are_no_event(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler, profiler.scope("request", "r") as scope:
        record(scope, orders_with_customers(2))

    assert backend.events(LOOP) == []
    assert backend.points("dbprofile.n_plus_one.findings") == []


def test_a_question_asked_again_is_never_called_an_n_plus_one(backend: Backend, database: Connection) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler, profiler.scope("request", "r"):
        for _ in range(9):
            database.execute("SELECT name FROM customer WHERE id = 1").fetchall()

    assert backend.events(LOOP) == []


def test_a_finding_of_an_inner_unit_is_sent_once(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler, profiler.scope("request", "r"):  # noqa: SIM117 - one scope in another
        with profiler.scope("task", "mail") as task:
            record(task, orders_with_customers(5))

    assert len(backend.events(LOOP)) == 1


# --- the server's span ----------------------------------------------------------------------------------------------


def test_the_totals_are_put_on_the_span_of_the_server_as_the_request_settles(
    backend: Backend, database: Connection
) -> None:
    with (
        Profiler(sinks=[backend.sink()]) as profiler,
        backend.tracer.start_as_current_span("server", kind=SpanKind.SERVER),
        profiler.scope("request", "GET /orders/") as scope,
    ):
        with backend.tracer.start_as_current_span("inner"):
            for _ in range(3):
                database.execute("SELECT id FROM orders").fetchall()
            with pytest.raises(sqlite3.OperationalError):
                database.execute("SELECT id FROM nowhere")
            database.execute("COMMIT")
            scope.record(read("SELECT id FROM audit", ms=2_000, unit=scope.unit))
        scope.settle()
        settled = scope.profile()
        database.execute("SELECT name FROM customer").fetchall()

    assert backend.spans()["inner"] == {}
    assert backend.spans()["server"] == {
        "dbprofile.request.query_count": 5,
        "dbprofile.request.unique_query_count": 3,
        "dbprofile.request.query_duration": pytest.approx(settled.database_seconds),
        "dbprofile.request.slowest_query_duration": 2.0,
        "dbprofile.request.slow_query_count": 1,
        "dbprofile.request.failed_query_count": 1,
    }


def test_the_totals_count_what_lies_beyond_the_detail_limit(backend: Backend, database: Connection) -> None:
    with (
        Profiler(sinks=[backend.sink()], detail_limit=2) as profiler,
        backend.tracer.start_as_current_span("server"),
        profiler.scope("request", "r"),
    ):
        for _ in range(9):
            database.execute("SELECT id FROM orders").fetchall()
        with pytest.raises(sqlite3.OperationalError):
            database.execute("SELECT id FROM nowhere")

    totals = backend.spans()["server"]
    assert totals["dbprofile.request.query_count"] == 10
    assert totals["dbprofile.request.failed_query_count"] == 1


def test_a_span_that_begins_after_the_scope_is_found_as_the_request_settles(backend: Backend) -> None:
    with (
        Profiler(sinks=[backend.sink()]) as profiler,
        profiler.scope("request", "r") as scope,
        backend.tracer.start_as_current_span("server") as span,
    ):
        record(scope, orders_with_customers(5))
        scope.settle()

    assert backend.spans()["server"]["dbprofile.request.query_count"] == 6
    (event,) = backend.events(LOOP)
    assert event.span_id == span.get_span_context().span_id


def test_a_span_that_has_ended_is_left_alone(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler:
        with backend.tracer.start_as_current_span("server"):
            scope = profiler.scope("request", "r")
        scope.close()

    assert backend.spans()["server"] == {}
    assert caplog.records == []  # the SDK warns of an attribute set too late


def test_the_verdict_is_put_on_the_span_where_that_was_asked_for(backend: Backend) -> None:
    queries = orders_with_customers(5)
    with Profiler(sinks=[backend.sink(settle="judge")]) as profiler:
        with backend.tracer.start_as_current_span("sick"), profiler.scope("request", "r") as scope:
            record(scope, queries)
        with backend.tracer.start_as_current_span("well"), profiler.scope("request", "r"):
            pass

    sick, well = backend.spans()["sick"], backend.spans()["well"]
    assert sick["dbprofile.request.n_plus_one_count"] == 1
    assert sick["dbprofile.request.n_plus_one_fingerprints"] == (queries[1].statement.fingerprint,)
    assert well["dbprofile.request.n_plus_one_count"] == 0
    assert "dbprofile.request.n_plus_one_fingerprints" not in well


def test_the_span_is_not_kept_with_the_profile(backend: Backend) -> None:
    reports: list[Report] = []
    with (
        Profiler(sinks=[backend.sink(), reports.append]) as profiler,
        backend.tracer.start_as_current_span("server") as span,
        profiler.scope("request", "r"),
    ):
        kept = weakref.ref(span)
    del span
    gc.collect()

    assert len(reports) == 1
    assert kept() is None


# --- the histograms of a request ------------------------------------------------------------------------------------


def test_each_request_is_recorded_in_two_histograms(backend: Backend, database: Connection) -> None:
    reports: list[Report] = []
    labels: dict[str, object] = {"http.request.method": "GET", "http.route": "/orders/", "user.id": "ada"}
    with Profiler(sinks=[backend.sink(), reports.append]) as profiler:
        for number in (3, 0):
            with profiler.scope("request", "GET /orders/", labels=dict(labels)):
                for _ in range(number):
                    database.execute("SELECT id FROM orders").fetchall()

    queries, duration = (backend.metrics()[f"dbprofile.request.{name}"] for name in ("queries", "db.duration"))
    assert (queries.unit, duration.unit) == ("{query}", "s")
    (counts,), (seconds,) = (backend.points(metric.name) for metric in (queries, duration))
    assert (counts.count, counts.sum) == (2, 3)
    assert tuple(counts.explicit_bounds) == (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    assert tuple(counts.bucket_counts) == (1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
    assert seconds.sum == pytest.approx(reports[0].profile.database_seconds)
    assert tuple(seconds.explicit_bounds) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    assert (
        dict(counts.attributes)
        == dict(seconds.attributes)
        == {
            "http.request.method": "GET",
            "http.route": "/orders/",
            "dbprofile.scope.kind": "request",
        }
    )


def test_the_exemplar_of_a_request_is_the_span_of_its_server(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler:
        with backend.tracer.start_as_current_span("server") as span:
            scope = profiler.scope("request", "r")
            scope.settle()
        scope.close()

    (point,) = backend.points("dbprofile.request.queries")
    assert [exemplar.span_id for exemplar in point.exemplars] == [span.get_span_context().span_id]


def test_methods_that_a_client_invents_make_one_series(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler:
        for number in range(20):
            with profiler.scope("request", "r", labels={"http.request.method": f"X{number}"}):
                pass

    (point,) = backend.points("dbprofile.request.queries")
    assert point.attributes["http.request.method"] == "_OTHER"


def test_a_task_is_told_by_its_name_and_no_other_scope_is(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler:
        for kind in ("task", "background", "message", "command", "block"):
            with profiler.scope(kind, f"the {kind}"):
                pass

    attributes = [dict(point.attributes) for point in backend.points("dbprofile.request.queries")]
    assert {"dbprofile.scope.kind": "task", "dbprofile.scope.name": "the task"} in attributes
    assert {"dbprofile.scope.kind": "block"} in attributes
    assert len(attributes) == 5


def test_a_part_of_a_request_and_a_test_send_no_totals(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler:
        with profiler.scope("test", "test_page"), backend.tracer.start_as_current_span("test"):
            pass
        with profiler.scope("request", "r"), backend.tracer.start_as_current_span("part"):
            for kind in ("command", "block"):
                with profiler.scope(kind, "part"):
                    pass

    assert [point.attributes["dbprofile.scope.kind"] for point in backend.points("dbprofile.request.queries")] == [
        "request"
    ]
    assert backend.spans() == {"test": {}, "part": {}}


def test_what_follows_a_response_is_recorded_apart_in_the_same_trace(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]) as profiler:
        with backend.tracer.start_as_current_span("server") as span:
            scope = profiler.scope("request", "r")
            scope.settle()
        scope.cut("background", "send_mail")
        record(scope, orders_with_customers(5))
        scope.close()

    kinds = {
        point.attributes["dbprofile.scope.kind"]: point.sum for point in backend.points("dbprofile.request.queries")
    }
    assert kinds == {"request": 0, "background": 6}
    (event,) = backend.events(LOOP)
    assert format_trace_id(event.trace_id) == format_trace_id(span.get_span_context().trace_id)


def test_the_histograms_can_be_switched_off(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(request_metrics=False)]) as profiler, profiler.scope("request", "r"):
        pass

    assert "dbprofile.request.queries" not in backend.metrics()


def test_the_counter_of_slow_statements_tells_database_and_statement(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]):
        send("SELECT id FROM orders WHERE id = 7")
        send("SELECT id FROM orders WHERE id = 8")

    (point,) = backend.points("dbprofile.slow_queries")
    assert point.value == 2
    assert dict(point.attributes) == {
        "db.system.name": "postgresql",
        "db.namespace": "shop|public",
        "db.query.summary": "SELECT orders",
    }


# --- bounds ---------------------------------------------------------------------------------------------------------


def test_statements_without_end_make_an_end_of_series(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY, events="off")]):
        for number in range(5_000):
            send(f"SELECT id FROM table_{number}")

    points = backend.points("dbprofile.slow_queries")
    assert len(points) == 201
    assert backend.total("dbprofile.slow_queries") == 5_000
    assert backend.total("dbprofile.metrics.overflows") == 4_800


def test_a_database_for_each_tenant_makes_an_end_of_series(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY, events="off", max_connections=2)]):
        for number in range(9):
            send("SELECT id FROM orders", database=Database("default", system="mysql", namespace=f"tenant{number}"))

    namespaces = {point.attributes.get("db.namespace") for point in backend.points("dbprofile.slow_queries")}
    assert namespaces == {"tenant0", "tenant1", None}


def test_events_beyond_the_rate_are_counted_and_no_statement_drowns_another(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY, event_rate=EventRate(seconds=3_600))]):
        for number in range(100):
            send("SELECT id FROM orders WHERE id = %s", (number,))
        send("SELECT name FROM customer")

    assert [event.attributes["db.query.summary"] for event in backend.events(SLOW)] == ["SELECT orders"] * 3 + [
        "SELECT customer"
    ]
    (point,) = backend.points("dbprofile.events.dropped")
    assert point.value == 97
    assert dict(point.attributes) == {"dbprofile.event.name": SLOW, "dbprofile.drop.reason": "rate_limit"}
    assert backend.total("dbprofile.slow_queries") == 101


def test_an_event_says_how_many_like_it_were_not_sent(backend: Backend) -> None:
    sink = backend.sink(slow_query_ms=EVERY)
    now = [0.0]
    sink._limiter = RateLimiter(EventRate(), lambda: now[0])
    with Profiler(sinks=[sink]):
        for _ in range(5):
            send("SELECT id FROM orders")
        now[0] += 10
        send("SELECT id FROM orders")

    counts = [event.attributes.get("dbprofile.suppressed_count") for event in backend.events(SLOW)]
    assert counts == [None, None, None, 2]


# --- the way out ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "sent", "logged"), [("auto", 1, 0), ("otel", 1, 0), ("logging", 0, 1), ("both", 1, 1), ("off", 0, 0)]
)
def test_events_go_the_way_that_was_chosen(
    backend: Backend, caplog: pytest.LogCaptureFixture, way: str, sent: int, logged: int
) -> None:
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY, events=way)]):
        send("SELECT id FROM orders")

    assert len(backend.events(SLOW)) == sent
    assert [record.name for record in caplog.records] == [SLOW] * logged


def test_without_a_provider_a_slow_statement_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with Profiler(sinks=[OpenTelemetry()], slow_query_ms=EVERY) as profiler, profiler.scope("request", "r"):
        query = send("SELECT id FROM orders WHERE id = 7")
    assert query is not None

    (line,) = caplog.records
    assert (line.name, line.levelno) == (SLOW, logging.WARNING)
    assert line.getMessage() == f"Slow query ({query.seconds:.3f} s >= 0.000 s): SELECT orders"
    assert vars(line)["db.query.text"] == "SELECT id FROM orders WHERE id = ?"
    assert vars(line)["dbprofile.query.fingerprint"] == query.statement.fingerprint


def test_a_log_that_does_not_want_warnings_costs_no_event(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, SLOW), Profiler(sinks=[OpenTelemetry(slow_query_ms=EVERY)]):
        send("SELECT id FROM orders")

    assert caplog.records == []


@pytest.mark.parametrize(
    "key", [otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"], ids=["random", "by name"]
)
def test_where_instrumentation_is_suppressed_nothing_is_sent_and_the_scope_still_counts(
    backend: Backend, key: str
) -> None:
    reports: list[Report] = []
    profiler = Profiler(sinks=[backend.sink(slow_query_ms=EVERY), reports.append])
    with profiler, backend.tracer.start_as_current_span("server"):
        token = otel_context.attach(otel_context.set_value(key, True))
        try:
            with profiler.scope("request", "r") as scope:
                record(scope, orders_with_customers(5))
                send("SELECT id FROM orders")
        finally:
            otel_context.detach(token)

    assert [report.profile.query_count for report in reports] == [7]
    assert backend.events(SLOW) + backend.events(LOOP) == []
    assert backend.metrics() == {}
    assert backend.spans() == {"server": {}}


class Failing(LogRecordProcessor):
    """A processor of the application that fails."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        raise RuntimeError("the disk is full")

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def test_a_failing_processor_costs_an_event_and_one_line_and_not_the_statement(
    failing_open: None, caplog: pytest.LogCaptureFixture, database: Connection
) -> None:
    backend = Backend(processors=[Failing()])
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY)]):
        rows = [database.execute("SELECT id FROM orders").fetchall() for _ in range(2)]

    assert rows == [[(1,), (2,), (3,), (4,), (5,)]] * 2
    (point,) = backend.points("dbprofile.events.dropped")
    assert (point.value, point.attributes["dbprofile.drop.reason"]) == (2, "error")
    assert [record.name for record in caplog.records] == ["dbprofile"]


def test_a_fault_in_any_call_out_stays_in_it(
    failing_open: None, backend: Backend, monkeypatch: pytest.MonkeyPatch, database: Connection
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    reports: list[Report] = []
    with Profiler(sinks=[backend.sink(slow_query_ms=EVERY), reports.append]) as profiler:
        for name in ("get_current_span", "_is_suppressed", "current_scope"):
            monkeypatch.setattr(f"dbprofile_opentelemetry.sink.{name}", fault)
        with profiler.scope("request", "r"):
            assert len(database.execute("SELECT id FROM orders").fetchall()) == 5

    assert [report.profile.query_count for report in reports] == [1]


@pytest.mark.parametrize(
    "keywords",
    [
        {"events": "loud"},
        {"query_text": "raw"},
        {"query_text_limit": 0},
        {"settle": "later"},
        {"slow_query_ms": -1},
        {"slow_query_ms": "100"},
        {"max_summaries": True},
        {"max_connections": -1},
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_its_keyword(keywords: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(keywords))):
        OpenTelemetry(**keywords)  # type: ignore[arg-type]


def test_a_report_made_by_hand_is_sent_too(backend: Backend) -> None:
    finding = Finding("DBP102", "query_loop", Severity.CRITICAL, "SELECT book", "a loop", 50, seconds=0.2)
    backend.sink()(Report(profile(labels={"http.route": "/books"}), (finding,)))

    (event,) = backend.events(LOOP)
    assert event.body == "N+1: SELECT book executed 50 times (0.200 s)"
    assert event.attributes["http.route"] == "/books"
    assert len(backend.points("dbprofile.request.queries")) == 1


def test_nothing_is_recorded_before_the_first_statement(backend: Backend) -> None:
    with Profiler(sinks=[backend.sink()]):
        pass

    assert backend.metrics() == {}
    assert not get_current_span().get_span_context().is_valid
