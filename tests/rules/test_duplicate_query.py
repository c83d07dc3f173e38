from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.query import Query
from dbprofile.rules import DuplicateQuery
from tests.building import LOOP, MAIN, VIEW, profile, read

CONFIG = "SELECT value FROM site_config WHERE name = ?"


def found(*queries: Query, minimum: int = 2) -> list[Finding]:
    return list(Profiler(rules=[DuplicateQuery(minimum)]).report(profile(*queries)).findings)


def test_a_finding_names_every_place_that_asked() -> None:
    (finding,) = found(read(CONFIG, ("a",), path=(VIEW, MAIN)), read(CONFIG, ("a",), path=(LOOP, MAIN)))

    assert (finding.code, finding.count, finding.trigger, finding.callers) == ("DBP111", 2, VIEW, (LOOP,))
    assert finding.message == "2x the same query with the same parameters"
    assert finding.severity is Severity.INFO


def test_five_times_is_a_warning() -> None:
    assert [finding.severity for finding in found(*[read(CONFIG, ("a",)) for _ in range(5)])] == [Severity.WARNING]


def test_the_minimum_can_be_raised() -> None:
    assert found(read(CONFIG, ("a",)), read(CONFIG, ("a",)), minimum=3) == []
