import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.connection import Connection
from dbprofile.capture.query import Query
from dbprofile.rules import IdleTransaction
from tests.building import profile, write


def sent(at: float, ms: float) -> Query:
    query = write("UPDATE stock SET pieces = pieces - 1 WHERE id = ?", (1,), at=at, ms=ms)
    query.connection = 7
    return query


def transaction(*spans: tuple[float, float]) -> Connection:
    connection = Connection("testing", 7)
    for start, end in spans:
        connection.begin(round(start * 1e6))
        connection.finish(round(end * 1e6))
    return connection


def found(connection: Connection, *queries: Query) -> list[Finding]:
    return list(Profiler(rules=[IdleTransaction()]).report(profile(*queries, connections=(connection,))).findings)


@pytest.mark.parametrize(("end", "codes"), [(109, []), (110, ["DBP402"])])
def test_a_tenth_of_a_second_is_long(end: float, codes: list[str]) -> None:
    assert [finding.code for finding in found(transaction((10, end)), sent(11, 5))] == codes


@pytest.mark.parametrize(("ms", "codes"), [(101, []), (100, ["DBP402"])])
def test_half_of_it_may_be_busy(ms: float, codes: list[str]) -> None:
    assert [finding.code for finding in found(transaction((10, 210)), sent(11, ms))] == codes


@pytest.mark.parametrize(("end", "severity"), [(1_009, Severity.WARNING), (1_010, Severity.CRITICAL)])
def test_a_second_is_critical(end: float, severity: Severity) -> None:
    (finding,) = found(transaction((10, end)), sent(11, 5))

    assert finding.severity == severity


def test_it_names_the_statement_behind_which_nothing_ran() -> None:
    before, last, after = sent(11, 5), sent(20, 5), sent(300, 5)
    (finding,) = found(transaction((10, 310)), before, last, after)

    assert finding.message == "a transaction open for 300 ms, 285 ms of them idle"
    assert finding.trigger == (last.call_site.place() if last.call_site else None)
    assert finding.queries == (before, last, after)


def test_transactions_of_one_place_are_one_finding() -> None:
    (finding,) = found(transaction((10, 200), (300, 600)), sent(11, 5), sent(301, 5))

    assert finding.message == "2 transactions, the longest open for 300 ms, 295 ms of them idle"


def test_a_transaction_without_a_statement_is_nobodys_business() -> None:
    assert found(transaction((10, 900)), sent(2_000, 5)) == []
