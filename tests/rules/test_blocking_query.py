import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import BlockingQuery
from tests.building import profile, read


def found(ms: float, *, on_loop: bool = True) -> list[Finding]:
    query = read("SELECT id FROM book", ms=ms)
    query.on_loop = on_loop
    return list(Profiler(rules=[BlockingQuery()]).report(profile(query)).findings)


@pytest.mark.parametrize(("ms", "severity"), [(99, Severity.WARNING), (100, Severity.CRITICAL)])
def test_a_tenth_of_a_second_is_critical(ms: float, severity: Severity) -> None:
    (finding,) = found(ms)

    assert (finding.code, finding.severity) == ("DBP501", severity)
    assert finding.message == f"the event loop stood still for {ms:.0f} ms"


def test_a_thread_of_its_own_blocks_nobody() -> None:
    assert found(100, on_loop=False) == []
