from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.query import Query
from dbprofile.rules import QueryLoop
from tests.building import LOOP, MAIN, VIEW, profile, read

BOOK = "SELECT id, title FROM book WHERE id = ?"


def found(*queries: Query, minimum: int = 3) -> list[Finding]:
    return list(Profiler(rules=[QueryLoop(minimum)]).report(profile(*queries)).findings)


def test_a_finding_names_the_shape_the_line_and_the_likely_origin() -> None:
    ids = read("SELECT id FROM shelf", rows=6, path=(VIEW, MAIN))
    (finding,) = found(ids, *[read(BOOK, (n,)) for n in range(6)])

    assert (finding.code, finding.kind, finding.count) == ("DBP102", "query_loop", 6)
    assert finding.subject == "SELECT book WHERE id = ?"
    assert (finding.trigger, finding.origin, finding.origin_rows) == (LOOP, VIEW, 6)
    assert finding.severity is Severity.WARNING


def test_the_minimum_can_be_raised() -> None:
    assert found(*[read(BOOK, (n,)) for n in range(4)], minimum=5) == []


def test_without_a_call_path_it_is_information_only() -> None:
    assert [finding.severity for finding in found(*[read(BOOK, (n,), path=()) for n in range(60)])] == [Severity.INFO]
