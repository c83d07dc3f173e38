import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.query import Query
from dbprofile.rules import SlowQuery
from tests.building import LOOP, profile, read


def found(*queries: Query, ms: float = 100) -> list[Finding]:
    return list(Profiler(rules=[SlowQuery(ms)]).report(profile(*queries)).findings)


@pytest.mark.parametrize(("ms", "codes"), [(99.9, []), (100, ["DBP201"])])
def test_the_threshold_itself_is_slow(ms: float, codes: list[str]) -> None:
    assert [finding.code for finding in found(read("SELECT 1 FROM t", ms=ms))] == codes


def test_time_in_fetches_counts() -> None:
    query = read("SELECT id FROM t", ms=10, rows=3)
    query.fetches, query.fetch_seconds = 1, 0.2
    (finding,) = found(query)

    assert finding.message == "210 ms  (exec 10 ms + fetch 200 ms, 3 rows)"
    assert finding.trigger == LOOP


def test_one_statement_at_one_place_is_one_finding() -> None:
    (finding,) = found(*[read("SELECT id FROM t WHERE id = ?", (n,), ms=100 * n) for n in (1, 2, 3)])

    assert finding.count == 3
    assert finding.message.startswith("3x, the slowest 300 ms")
    assert finding.seconds == pytest.approx(0.6)


@pytest.mark.parametrize("slow_first", [True, False])
def test_a_fast_statement_does_not_stand_for_a_slow_one_on_the_same_table(slow_first: bool) -> None:
    fast = read("SELECT id, level FROM reading WHERE level > ?", ms=1)
    slow = read("SELECT id, level FROM reading WHERE weighed(level) > ?", ms=150)
    (finding,) = found(*((slow, fast) if slow_first else (fast, slow)))

    assert finding.statement == slow.statement
    assert finding.count == 1
    assert finding.seconds == pytest.approx(0.15)


def test_a_statement_that_is_slow_now_and_then_is_told_for_the_run_that_was() -> None:
    statement = "SELECT id FROM reading WHERE level > ?"
    (finding,) = found(*[read(statement, (level,), ms=ms) for level, ms in enumerate((1, 200, 1))])

    assert finding.count == 1
    assert finding.seconds == pytest.approx(0.2)


@pytest.mark.parametrize(("ms", "severity"), [(4_999, Severity.WARNING), (5_000, Severity.CRITICAL)])
def test_five_seconds_are_critical(ms: float, severity: Severity) -> None:
    assert [finding.severity for finding in found(read("SELECT 1 FROM t", ms=ms))] == [severity]


def test_a_failed_statement_may_be_slow_too() -> None:
    query = read("SELECT 1 FROM t", ms=500)
    query.error = "QueryCanceled"

    assert [finding.code for finding in found(query)] == ["DBP201"]
