import sys
from functools import cache
from types import CodeType

from dbprofile.analysis.grouping import analyse
from dbprofile.capture.callsite import CallSite, Step, first_instruction
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


# --- asked again at one place: a poll, a retry, or a question that was answered ----------------------------------------


def at_one_place(*moments: float, **keywords: object) -> list[Query]:
    """The question at moments (ms); each takes 1 ms."""
    return [read(CONFIG, ("a",), at=moment, **keywords) for moment in moments]  # type: ignore[arg-type]


def visit(at: float) -> Query:
    return read("SELECT id FROM visit WHERE id = ?", (at,), at=at, path=(VIEW, MAIN))


def test_with_nothing_in_between_five_milliseconds_are_the_limit() -> None:
    assert duplicate_counts(*at_one_place(1, 7)) == [2]
    assert duplicate_counts(*at_one_place(1, 7.001)) == []


def test_with_something_in_between_it_is_fifty() -> None:
    assert duplicate_counts(visit(20), *at_one_place(1, 52)) == [2]
    assert duplicate_counts(visit(20), *at_one_place(1, 52.001)) == []


def test_at_two_places_time_says_nothing() -> None:
    first, later = read(CONFIG, ("a",), at=1, path=(VIEW, MAIN)), read(CONFIG, ("a",), at=900, path=(LOOP, MAIN))

    assert duplicate_counts(first, later) == [2]


def test_another_answer_is_what_was_waited_for() -> None:
    assert duplicate_counts(read(CONFIG, ("a",), rows=1), read(CONFIG, ("a",), rows=2)) == []
    first, later = read(CONFIG, ("a",)), read(CONFIG, ("a",))
    first.answer, later.answer = 1, 2
    assert duplicate_counts(first, later) == []
    later.answer = 1
    assert duplicate_counts(first, later) == [2]


def test_after_a_rollback_one_place_tries_again_and_two_do_not() -> None:
    for place, counts in ((LOOP, []), (VIEW, [2])):
        first, rollback = read(CONFIG, ("a",)), read("ROLLBACK TO SAVEPOINT s")
        assert duplicate_counts(first, rollback, read(CONFIG, ("a",), path=(place, MAIN))) == counts


@cache
def _step(code: CodeType, instruction: int) -> Step:
    return Step(code, instruction)


def step() -> Step:
    """The place that called, the same object each time, as the walk up the stack notes it."""
    frame = sys._getframe(1)
    return _step(frame.f_code, first_instruction(frame.f_code, frame.f_lasti))


def test_a_loop_that_only_repeats_tries_again() -> None:
    asked: list[Query] = []
    while len(asked) < 2:
        asked.append(read(CONFIG, ("a",), path=(step(), MAIN)))

    assert duplicate_counts(*asked) == []


def test_a_loop_over_rows_asks_the_same_of_each() -> None:
    asked = []
    for name in ["one", "other"]:
        asked += [read(CONFIG, ("a",), path=(step(), MAIN))] if name else []

    assert duplicate_counts(*asked) == [2]


def test_a_failure_or_a_lock_in_between_makes_asking_again_sensible() -> None:
    failure, lock = read("SELECT boom FROM visit"), read("SELECT id FROM visit FOR UPDATE")
    failure.error = "OperationalError"
    for between in (failure, lock):
        first, again = read(CONFIG, ("a",), path=(VIEW, MAIN)), read(CONFIG, ("a",), path=(SERIALIZER, MAIN))
        between.started = first.started + 1
        assert duplicate_counts(first, between, again) == []


# --- what may be asked again -----------------------------------------------------------------------------------------


def test_rows_that_are_locked_or_read_anew_are_asked_for_on_purpose() -> None:
    for sql, operation, locks in (
        (CONFIG, "", True),
        (f"{CONFIG} FOR UPDATE", "", False),
        (CONFIG, "refresh_from_db", False),
    ):
        asked = [read(sql, ("a",), path=(place, MAIN), operation=operation) for place in (VIEW, LOOP)]
        for query in asked:
            query.locks = locks
        assert duplicate_counts(*asked) == []


def test_what_a_library_asks_for_a_class_that_it_serves_is_its_own_affair() -> None:
    served = CallSite("/app/shop/views.py", 3, "Orders", tag="class Orders")

    assert duplicate_counts(*[read(CONFIG, ("a",), path=(served, MAIN)) for _ in range(2)]) == []
    assert duplicate_counts(*[read(CONFIG, ("a",), path=()) for _ in range(2)]) == [2]


def test_where_nothing_is_known_of_why_they_ran_equal_questions_are_duplicates() -> None:
    asked = [read(CONFIG, ("a",)) for _ in range(2)]
    for query in asked:
        query.provenance = None

    assert duplicate_counts(*asked) == [2]


# --- rows that each commit expires -----------------------------------------------------------------------------------


def expired(times: int, *, places: int = 1, undone: bool = False) -> list[Query]:
    """One row, read again after each of some commits."""
    user = read("SELECT id FROM user", rows=1)
    queries = [user]
    for number in range(times):
        change = write("UPDATE visit SET at = ? WHERE id = ?", (number, 1), path=(VIEW, MAIN))
        change.undone = undone
        again = lazy(
            "Visit.user",
            "u",
            origin_of(user),
            key=1,
            variant="refresh",
            path=((LOOP, SERIALIZER)[number % places], MAIN),
        )
        again.transaction = number
        queries += [change, again]
    return queries


def test_a_row_that_is_read_again_after_each_of_three_commits_is_a_duplicate() -> None:
    assert duplicate_counts(*expired(2)) == []
    assert duplicate_counts(*expired(3)) == [3]


def test_at_two_places_each_commit_may_want_it() -> None:
    assert duplicate_counts(*expired(4, places=2)) == []


def test_what_was_rolled_back_was_no_commit() -> None:
    assert duplicate_counts(*expired(3, undone=True)) == []
