from dbprofile.analysis.grouping import analyse
from dbprofile.capture.query import Query
from tests.building import LOOP, MAIN, SERIALIZER, VIEW, lazy, origin_of, profile, read, write

CONFIG = "SELECT value FROM site_config WHERE name = ?"


def duplicate_counts(*queries: Query) -> list[int]:
    return [group.count for group in analyse(profile(*queries)).duplicates]


def test_the_same_question_at_two_places_is_a_duplicate() -> None:
    assert duplicate_counts(read(CONFIG, ("a",), path=(VIEW, MAIN)), read(CONFIG, ("a",), path=(SERIALIZER, MAIN))) == [
        2
    ]


def test_other_parameters_are_another_question() -> None:
    assert (
        duplicate_counts(read(CONFIG, ("a",), path=(VIEW, MAIN)), read(CONFIG, ("b",), path=(SERIALIZER, MAIN))) == []
    )


def test_one_true_and_one_point_zero_are_three_parameters() -> None:
    questions = [
        read(CONFIG, (value,), path=(place, MAIN)) for value, place in ((1, LOOP), (True, VIEW), (1.0, SERIALIZER))
    ]

    assert duplicate_counts(*questions) == []


def test_a_write_to_the_table_in_between_makes_it_a_new_question() -> None:
    first = read(CONFIG, ("a",), path=(VIEW, MAIN))
    between = write("UPDATE site_config SET value = ? WHERE name = ?", (1, "a"))
    again = read(CONFIG, ("a",), path=(SERIALIZER, MAIN))

    assert duplicate_counts(first, between, again) == []


def test_a_write_to_another_table_changes_nothing() -> None:
    first = read(CONFIG, ("a",), path=(VIEW, MAIN))
    between = write("UPDATE visit SET at = ?", (1,))
    again = read(CONFIG, ("a",), path=(SERIALIZER, MAIN))

    assert duplicate_counts(first, between, again) == [2]


def test_two_transactions_may_ask_the_same() -> None:
    first = read(CONFIG, ("a",), path=(VIEW, MAIN), transaction=1)
    again = read(CONFIG, ("a",), path=(SERIALIZER, MAIN), transaction=2)

    assert duplicate_counts(first, again) == []


def test_a_poll_at_one_place_is_not_reported() -> None:
    first = read(CONFIG, ("a",), at=1, rows=1)
    later = read(CONFIG, ("a",), at=500, rows=1)

    assert duplicate_counts(first, later) == []


def test_waiting_for_an_answer_at_one_place_is_not_reported() -> None:
    assert (
        duplicate_counts(read(CONFIG, ("a",), rows=0), read(CONFIG, ("a",), rows=0), read(CONFIG, ("a",), rows=1)) == []
    )


def test_volatile_functions_and_statements_without_tables_are_no_questions() -> None:
    assert duplicate_counts(*[read("SELECT 1", path=(place, MAIN)) for place in (VIEW, LOOP)]) == []
    assert duplicate_counts(*[read("SELECT random() FROM dice", path=(place, MAIN)) for place in (VIEW, LOOP)]) == []


def test_two_foreign_keys_with_one_value_are_two_questions() -> None:
    order = read("SELECT id FROM orders", rows=1)
    billing = lazy("Order.billing", "a", origin_of(order), key=7, path=(VIEW, MAIN))
    shipping = lazy("Order.shipping", "a", origin_of(order), key=7, path=(LOOP, MAIN))
    shipping.raw_sql = billing.raw_sql

    assert duplicate_counts(billing, shipping) == []
