import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import RedundantQuery
from tests.building import LOOP, MAIN, VIEW, profile, read


def found(ms: float, operation: str = "count") -> list[Finding]:
    question = read("SELECT COUNT(*) FROM book WHERE shelf = ?", (1,), operation=operation, path=(VIEW, MAIN), ms=ms)
    rows = read("SELECT id FROM book WHERE shelf = ?", (1,), rows=12)
    return list(Profiler(rules=[RedundantQuery()]).report(profile(question, rows)).findings)


def test_a_finding_names_the_question_and_the_rows_that_answer_it() -> None:
    (finding,) = found(1)

    assert (finding.code, finding.kind, finding.message) == (
        "DBP112",
        "redundant_query",
        "count() of rows that are read as well",
    )
    assert (finding.trigger, finding.origin, finding.origin_rows) == (VIEW, LOOP, 12)
    assert finding.fix is not None
    assert finding.fix.text == "read the rows once and count them: len(rows)"
    assert not finding.fix.certain


@pytest.mark.parametrize(("ms", "severity"), [(19.9, Severity.INFO), (20, Severity.WARNING)])
def test_twenty_milliseconds_are_a_warning(ms: float, severity: Severity) -> None:
    assert [finding.severity for finding in found(ms)] == [severity]
