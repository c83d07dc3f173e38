import pytest

from dbprofile.analysis.grouping import analyse
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.query import Query
from tests.building import LOOP, MAIN, VIEW, profile, read, write

ROWS = "SELECT id, title FROM book WHERE shelf = ?"
EXISTS = "SELECT ? AS a FROM book WHERE shelf = ? LIMIT 1"
COUNT = "SELECT COUNT(*) FROM book WHERE shelf = ?"


def exists(*values: object, path: tuple[object, ...] = (VIEW, MAIN)) -> Query:
    return read(EXISTS, (1, *values), operation="exists", path=path)  # type: ignore[arg-type]


def count(*values: object) -> Query:
    return read(COUNT, values, operation="count", path=(VIEW, MAIN))


def redundant(*queries: Query) -> list[str]:
    return [group.variant for group in analyse(profile(*queries)).redundant]


def test_exists_beside_the_rows_of_the_same_condition() -> None:
    assert redundant(exists("a"), read(ROWS, ("a",))) == ["exists"]


def test_count_beside_the_rows_in_either_order() -> None:
    assert redundant(count("a"), read(ROWS, ("a",))) == ["count"]
    assert redundant(read(ROWS, ("a",)), count("a")) == ["count"]


def test_rows_may_join_further_tables() -> None:
    joined = "SELECT book.id FROM book INNER JOIN author ON book.author_id = author.id WHERE shelf = ?"
    assert redundant(count("a"), read(joined, ("a",))) == ["count"]


def test_another_value_is_another_question() -> None:
    assert redundant(exists("a"), read(ROWS, ("b",))) == []


def test_another_table_or_condition_is_another_question() -> None:
    assert redundant(exists("a"), read("SELECT id FROM author WHERE shelf = ?", ("a",))) == []
    assert redundant(exists("a"), read("SELECT id FROM book WHERE author = ?", ("a",))) == []


def test_a_page_answers_only_an_exists_that_was_asked_before_it() -> None:
    page = f"{ROWS} LIMIT 20"
    assert redundant(count("a"), read(page, ("a",))) == []
    assert redundant(exists("a"), read(page, ("a",))) == ["exists"]
    assert redundant(read(page, ("a",)), exists("a")) == []


@pytest.mark.parametrize("operation", ["iterator", "get", "first", "count"])
def test_rows_that_are_read_in_part_or_thrown_away_answer_nothing(operation: str) -> None:
    assert redundant(exists("a"), read(ROWS, ("a",), operation=operation)) == []


def test_a_write_in_between_makes_it_a_new_question() -> None:
    asked = exists("a")
    between = write("UPDATE book SET shelf = ?", ("a",))

    assert redundant(asked, between, read(ROWS, ("a",))) == []


def test_a_question_that_one_place_asks_again_is_left_to_the_duplicates() -> None:
    assert redundant(exists("a", path=(LOOP, MAIN)), exists("a", path=(LOOP, MAIN)), read(ROWS, ("a",))) == []


def test_only_the_question_is_consumed() -> None:
    rows = [read(ROWS, (n,)) for n in range(3)]
    analysis = analyse(profile(exists(1), *rows))

    assert [group.count for group in analysis.loops] == [3]
    assert [group.variant for group in analysis.redundant] == ["exists"]


def test_the_greatest_or_the_number_of_each_group_is_another_question() -> None:
    for sql in (
        "SELECT MAX(id) FROM book WHERE shelf = ?",
        "SELECT COUNT(*), author FROM book WHERE shelf = ? GROUP BY author",
    ):
        assert redundant(read(sql, ("a",), path=(VIEW, MAIN)), read(ROWS, ("a",))) == []


def test_a_sum_answers_nothing() -> None:
    assert redundant(count("a"), read("SELECT SUM(price) FROM book WHERE shelf = ?", ("a",))) == []


def test_what_a_library_asks_for_a_class_that_it_serves_is_its_own_affair() -> None:
    served = CallSite("/app/shop/views.py", 3, "Books", tag="class Books")

    assert redundant(read(COUNT, ("a",), operation="count", path=(served, MAIN)), read(ROWS, ("a",))) == []


def test_values_that_are_not_known_are_not_the_same() -> None:
    asked, rows = count("a"), read(ROWS, ("a",))
    asked.parameters = None
    assert redundant(asked, read(ROWS, ("a",))) == []
    rows.parameters = None
    assert redundant(count("a"), rows) == []


def test_more_values_than_a_one_of_its_own_make_another_question() -> None:
    narrowed = "SELECT ? AS a, ? AS b FROM book WHERE shelf = ? LIMIT 1"
    asked = read(narrowed, (1, 2, "a"), operation="exists", path=(VIEW, MAIN))

    assert redundant(asked, read(ROWS, ("a",))) == []


def test_rows_that_are_loaded_for_others_answer_nothing() -> None:
    eager = read(ROWS, ("a",), role="eager")

    assert redundant(exists("a"), eager) == []
