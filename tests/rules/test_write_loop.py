from dbprofile import Finding, Profiler, Severity
from dbprofile.capture.query import Query
from dbprofile.rules import WriteLoop
from tests.building import LOOP, MAIN, VIEW, profile, read, write

UPDATE = "UPDATE book SET title = ? WHERE id = ?"


def found(*queries: Query, minimum: int = 3) -> list[Finding]:
    return list(Profiler(rules=[WriteLoop(minimum)]).report(profile(*queries)).findings)


def test_a_finding_says_how_many_rows_from_where_and_what_they_cost() -> None:
    rows = read("SELECT id, title FROM book", rows=6, path=(VIEW, MAIN))
    (finding,) = found(rows, *[write(UPDATE, (n, n)) for n in range(6)])

    assert (finding.code, finding.kind, finding.count) == ("DBP121", "write_loop", 6)
    assert finding.message == "6 rows updated one by one"
    assert finding.subject == "UPDATE book SET title WHERE id = ?"
    assert (finding.trigger, finding.origin, finding.origin_rows) == (LOOP, VIEW, 6)
    assert finding.severity is Severity.WARNING


def test_what_each_turn_reads_besides_is_told() -> None:
    queries = []
    for number in range(3):
        turn = [read("SELECT id FROM book WHERE title = ?", (number,)), write("INSERT INTO book VALUES (?)", (number,))]
        for query in turn:
            assert query.provenance is not None
            query.provenance.role, query.provenance.operation = "write", "get_or_create"
            query.provenance.invocation = number
        queries += turn

    assert [finding.message for finding in found(*queries)] == ["3 rows inserted one by one, with 6 queries"]


def test_two_writes_are_none_and_the_minimum_can_be_raised() -> None:
    assert found(*[write(UPDATE, (n, n)) for n in range(2)]) == []
    assert found(*[write(UPDATE, (n, n)) for n in range(4)], minimum=5) == []
