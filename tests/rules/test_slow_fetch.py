import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import SlowFetch
from tests.building import profile, read


def found(execute_ms: float, fetch_ms: float) -> list[Finding]:
    query = read("SELECT id FROM book", ms=execute_ms, rows=5_000)
    query.fetches, query.fetch_seconds = 2, fetch_ms / 1000
    return list(Profiler(rules=[SlowFetch()]).report(profile(query)).findings)


@pytest.mark.parametrize(
    ("execute_ms", "fetch_ms", "codes"),
    [(10, 100, ["DBP202"]), (10, 99.9, []), (40, 120, ["DBP202"]), (40, 119, [])],
)
def test_a_slow_fetch_is_long_and_three_times_the_execution(
    execute_ms: float, fetch_ms: float, codes: list[str]
) -> None:
    assert [finding.code for finding in found(execute_ms, fetch_ms)] == codes


@pytest.mark.parametrize(("ms", "severity"), [(999, Severity.INFO), (1_000, Severity.WARNING)])
def test_a_second_is_a_warning(ms: float, severity: Severity) -> None:
    (finding,) = found(10, ms)

    assert finding.severity is severity
    assert finding.message.endswith("to fetch 5,000 rows, 10 ms to find them")
