import subprocess
import sys

import pytest

from tests.tree import REPOSITORY


@pytest.fixture(scope="module")
def shown() -> list[str]:
    """What the example prints, one signal each, its attributes on lines of their own."""
    command = [sys.executable, "-W", "error", "visit.py"]
    folder = REPOSITORY / "examples/opentelemetry"
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stderr) == (0, "")
    signals: list[str] = []
    for line in ran.stdout.splitlines(keepends=True):
        if line.startswith(" "):
            signals[-1] += line
        else:
            signals.append(line)
    return signals


def beginning(shown: list[str], text: str) -> list[str]:
    return [signal for signal in shown if signal.startswith(text)]


def test_the_n_plus_one_arrives_with_its_relation_and_line(shown: list[str]) -> None:
    (event,) = beginning(shown, "event   dbprofile.n_plus_one  WARN")
    assert "N+1: SELECT customer executed 30 times" in event
    assert "dbprofile.n_plus_one.relation = Order.customer\n" in event
    assert "examples/opentelemetry/app.py\n" in event


def test_the_slow_query_arrives_in_the_trace_of_its_request(shown: list[str]) -> None:
    (event,) = beginning(shown, "event   dbprofile.slow_query  WARN")
    (span,) = beginning(shown, "span    GET /reports/{year}")
    assert event.splitlines()[0].split()[-1] == span.splitlines()[0].split()[-1]
    assert "db.query.summary = SELECT orders orders orders orders orders\n" in event


def test_the_totals_arrive_on_the_spans_of_the_server(shown: list[str]) -> None:
    (orders,) = beginning(shown, "span    GET /orders")
    (report,) = beginning(shown, "span    GET /reports/{year}")
    assert "dbprofile.request.query_count = 31\n" in orders
    assert "dbprofile.request.unique_query_count = 2\n" in orders
    assert "dbprofile.request.slow_query_count = 1\n" in report


def test_the_histograms_arrive_by_route(shown: list[str]) -> None:
    queries = beginning(shown, "metric  dbprofile.request.queries  1 measured")
    assert len(queries) == 2
    assert any("31 in all  {query}" in metric and "http.route = /orders\n" in metric for metric in queries)
    assert len(beginning(shown, "metric  dbprofile.request.db.duration  1 measured")) == 2
