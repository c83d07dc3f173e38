import pytest

from dbprofile import Finding, Profiler
from dbprofile.capture.connection import Connection
from dbprofile.capture.query import Query
from dbprofile.rules import ConnectionChurn
from tests.building import profile, read


def sent(connection: int, at: float) -> Query:
    query = read("SELECT pieces FROM stock WHERE id = ?", (1,), at=at)
    query.connection = connection
    return query


def opened(serial: int, *moments: float, lane: int = 0, unit: object = "unit") -> Connection:
    connection = Connection("testing", serial, unit, lane)
    for moment in moments:
        connection.open(round(moment * 1e6))
    return connection


def found(queries: list[Query], *connections: Connection) -> list[Finding]:
    return list(Profiler(rules=[ConnectionChurn()]).report(profile(*queries, connections=connections)).findings)


@pytest.mark.parametrize(("moments", "codes"), [((10,), []), ((10, 30), ["DBP404"])])
def test_one_connection_that_is_opened_twice_is_one_too_many(moments: tuple[float, ...], codes: list[str]) -> None:
    findings = found([sent(7, 11), sent(7, 31)], opened(7, *moments))

    assert [finding.code for finding in findings] == codes


def test_so_are_two_connections_one_after_the_other() -> None:
    first, second = sent(7, 11), sent(8, 31)
    (finding,) = found([first, second], opened(8, 30), opened(7, 10))

    assert finding.message == "2 connections opened, where one would do"
    assert finding.queries == (first, second)


@pytest.mark.parametrize(
    "other",
    [opened(8, 30, lane=1), opened(8, 30, unit="other"), opened(8), opened(9, 30)],
    ids=["of another thread", "of another unit of work", "that was open already", "that nobody used"],
)
def test_another_connection_may_be_needed(other: Connection) -> None:
    assert found([sent(7, 11), sent(8, 31)], opened(7, 10), other) == []
