import pytest

from dbprofile import Finding, Profiler
from dbprofile.capture.query import Query
from dbprofile.rules import AutocommitLoop
from tests.building import profile, read, write


def writes(number: int, connection: int = 1) -> list[Query]:
    queries = [write("INSERT INTO book (title) VALUES (?)", (n,)) for n in range(number)]
    for query in queries:
        query.autocommit, query.connection = True, connection
    return queries


def found(*queries: Query) -> list[Finding]:
    return list(Profiler(rules=[AutocommitLoop()]).report(profile(*queries)).findings)


@pytest.mark.parametrize(("number", "messages"), [(9, []), (10, ["10 writes, each in a transaction of its own"])])
def test_ten_writes_that_commit_each_are_many(number: int, messages: list[str]) -> None:
    assert [finding.message for finding in found(*writes(number))] == messages


def test_connections_are_counted_apart() -> None:
    assert found(*writes(6, connection=1), *writes(6, connection=2)) == []


def test_reads_and_writes_in_a_transaction_do_not_commit() -> None:
    reads = [read("SELECT id FROM book") for _ in range(20)]
    for query in reads:
        query.autocommit = True
    assert found(*reads, *[write("INSERT INTO book (title) VALUES (?)", (n,)) for n in range(20)]) == []
