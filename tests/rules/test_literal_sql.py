from dbprofile import Finding, Profiler
from dbprofile.capture.query import Query
from dbprofile.rules import LiteralSQL
from tests.building import profile, read


def found(*queries: Query) -> list[Finding]:
    return list(Profiler(rules=[LiteralSQL()]).report(profile(*queries)).findings)


def test_three_texts_that_differ_in_their_values_are_literal_sql() -> None:
    (finding,) = found(*[read(f"SELECT id FROM book WHERE title = 'secret {n}'") for n in range(3)])

    assert (finding.code, finding.message) == ("DBP306", "3 texts of one statement, with their values written in")
    assert "secret" not in repr(finding.statement)


def test_two_are_not() -> None:
    assert found(*[read(f"SELECT id FROM book WHERE id = {n}") for n in range(2)]) == []


def test_values_beside_parameters_are_the_librarys() -> None:
    assert found(*[read(f"SELECT id FROM book WHERE id = ? AND kind = {n}", (n,)) for n in range(4)]) == []


def test_a_comment_that_is_new_each_time_is_no_value() -> None:
    assert found(*[read(f"SELECT id FROM book WHERE id = 1 /* trace {n} */") for n in range(4)]) == []


def test_limits_that_a_library_writes_as_they_are_are_no_values() -> None:
    assert found(*[read(f"SELECT id FROM book LIMIT 20 OFFSET {n}") for n in (0, 20, 40, 60)]) == []


def test_the_same_text_again_is_no_literal_sql() -> None:
    assert found(*[read("SELECT id FROM book WHERE id = 1") for _ in range(5)]) == []
