import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.connection import Connection
from dbprofile.capture.query import Query
from dbprofile.rules import HeldConnection
from tests.building import profile, read


def sent(at: float, ms: float) -> Query:
    query = read("SELECT pieces FROM stock WHERE id = ?", (1,), at=at, ms=ms)
    query.connection = 7
    return query


def held(start: float, end: float) -> Connection:
    connection = Connection("testing", 7)
    connection.take(round(start * 1e6))
    connection.give_back(round(end * 1e6))
    return connection


def found(connection: Connection, *queries: Query) -> list[Finding]:
    return list(Profiler(rules=[HeldConnection()]).report(profile(*queries, connections=(connection,))).findings)


@pytest.mark.parametrize(("end", "codes"), [(109, []), (110, ["DBP403"])])
def test_a_tenth_of_a_second_is_long(end: float, codes: list[str]) -> None:
    assert [finding.code for finding in found(held(10, end), sent(11, 5))] == codes


@pytest.mark.parametrize(("ms", "codes"), [(40, []), (39, ["DBP403"])])
def test_five_times_as_long_as_its_statements_is_usual(ms: float, codes: list[str]) -> None:
    assert [finding.code for finding in found(held(10, 210), sent(11, ms))] == codes


@pytest.mark.parametrize(("end", "severity"), [(1_009, Severity.INFO), (1_010, Severity.WARNING)])
def test_a_second_is_a_warning(end: float, severity: Severity) -> None:
    (finding,) = found(held(10, end), sent(11, 5))

    assert finding.severity == severity


def test_it_says_how_long_for_what() -> None:
    (finding,) = found(held(10, 310), sent(11, 5), sent(20, 7))

    assert finding.message == "a connection held for 300 ms, for 12 ms of statements"


def test_a_connection_of_another_library_with_the_same_number_is_another() -> None:
    other = Connection("other", 7)
    other.take(round(10e6))
    other.give_back(round(900e6))

    assert found(other, sent(11, 5)) == []
