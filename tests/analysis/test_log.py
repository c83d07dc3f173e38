import pytest

from dbprofile.analysis.log import Log
from dbprofile.capture.query import Query
from tests.building import read, write

MS = 1_000_000


def log(*queries: Query) -> Log:
    return Log(queries)


def test_a_write_lies_between_if_it_began_after_the_one_and_before_the_other() -> None:
    between = log(write("UPDATE book SET price = ?", (1,), at=10))

    assert between.written_between(["book"], 9 * MS, 11 * MS)
    assert not between.written_between(["book"], 10 * MS, 11 * MS)
    assert not between.written_between(["book"], 9 * MS, 10 * MS)


def test_a_table_is_the_same_with_and_without_its_schema_and_another_is_another() -> None:
    written = log(write("UPDATE shop.book SET price = ?", (1,), at=10))

    assert written.written_between(["book"], 9 * MS, 11 * MS)
    assert not written.written_between(["author"], 9 * MS, 11 * MS)


def test_a_read_of_unknown_tables_is_changed_by_any_write() -> None:
    assert log(write("UPDATE book SET price = ?", (1,), at=10)).written_between([], 9 * MS, 11 * MS)
    assert not log(read("SELECT id FROM book", at=10)).written_between([], 9 * MS, 11 * MS)


@pytest.mark.parametrize("sql", ["CALL reprice(1)", "EXEC reprice 1"])
def test_a_procedure_may_write_any_table(sql: str) -> None:
    called = log(read(sql, at=10))

    assert called.written_between(["book"], 9 * MS, 11 * MS)
    assert called.has_writes


def test_so_may_a_text_that_its_library_calls_a_write_and_that_names_no_table() -> None:
    assert log(read("SELECT reprice(1)", at=10, role="write")).written_between(["book"], 9 * MS, 11 * MS)
    assert not log(read("SELECT reprice(1)", at=10)).written_between(["book"], 9 * MS, 11 * MS)
    assert not log(read("SELECT id FROM author", at=10, role="write")).written_between(["book"], 9 * MS, 11 * MS)


def test_what_is_known_of_no_statement_is_taken_from_its_text() -> None:
    unknown = read("SELECT reprice(1)", at=10)
    unknown.provenance = None

    assert not log(unknown).written_between(["book"], 9 * MS, 11 * MS)


def test_failures_locks_and_rollbacks_are_found_by_what_they_are() -> None:
    failed, plain = read("SELECT id FROM book", at=10), read("SELECT id FROM book", at=10)
    failed.error = "OperationalError"
    asked = read("SELECT id FROM book", at=10)
    asked.locks = True
    written = read("SELECT id FROM book FOR UPDATE", at=10)
    back = read("ROLLBACK", at=10)
    span = (9 * MS, 11 * MS)

    assert [log(query).failed_between(*span) for query in (failed, plain)] == [True, False]
    assert [log(query).locked_between(*span) for query in (asked, written, plain)] == [True, True, False]
    assert [log(query).rolled_back_between(*span) for query in (back, plain)] == [True, False]
    assert log(plain).anything_between(*span)
    assert not log(plain).anything_between(10 * MS, 11 * MS)


def test_what_was_rolled_back_is_not_committed() -> None:
    kept, undone = (write("UPDATE book SET price = ?", (1,), at=10) for _ in range(2))
    undone.undone = True
    called, plain = read("CALL reprice(1)", at=10), read("SELECT id FROM book", at=10)

    assert [log(query).committed_between(9 * MS, 11 * MS) for query in (kept, undone, called, plain)] == [
        True, False, True, False,
    ]  # fmt: skip


def test_changes_are_updates_and_deletions_in_order() -> None:
    late, early = write("DELETE FROM book", at=30), write("UPDATE book SET price = ?", (1,), at=20)
    before, after = read("SELECT 1 FROM book", at=10), read("SELECT 1 FROM book", at=25)
    found = log(late, write("INSERT INTO book VALUES (?)", (1,), at=15), before, early, after)

    assert found.changes == [early, late]
    assert found.changes_between(before, after) == [early]
    assert found.changes_between(early, after) == []
