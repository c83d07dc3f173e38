import sqlite3
from collections.abc import Callable, Iterable

import pytest

from dbprofile import default_profiler
from dbprofile.capture.callsite import CallSite, Path
from dbprofile.capture.provenance import Provenance
from dbprofile.capture.query import Query
from dbprofile.capture.repetition import is_in_loop
from dbprofile.hooks import Step
from dbprofile.testing import record_queries
from dbprofile.testing.loopowner import sent_by_application
from tests.building import SQLITE
from tests.testing import shop

Loop = Callable[[sqlite3.Connection, Iterable[int]], None]


@pytest.mark.parametrize("loop", shop.LOOPS, ids=lambda loop: loop.__name__)
def test_a_loop_of_the_application_is_an_n_plus_one(loop: Loop, connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        loop(connection, range(1, 6))
    assert [finding.count for finding in log.nplusone()] == [5]


@pytest.mark.parametrize("loop", [each for each in shop.LOOPS if each not in {shop.in_map, shop.in_recursion}])
def test_a_loop_of_the_application_is_its_own_also_under_a_loop_of_the_test(
    loop: Loop, connection: sqlite3.Connection
) -> None:
    with record_queries() as log:
        for numbers in ([1, 2, 3], [4, 5]):
            loop(connection, numbers)
    assert len(log.nplusone()) == 1


def test_six_calls_from_a_loop_of_the_test_are_none(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        for number in range(6):
            shop.customer(connection, number)
    assert log.count == 6
    assert log.nplusone() == []
    assert [finding.count for finding in log.findings] == [6]


def test_six_calls_from_a_comprehension_of_the_test_are_none(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        [shop.once_for_each(connection, number) for number in range(6)]
    assert log.nplusone() == []


def test_a_loop_that_sends_its_queries_from_the_test_itself_is_none(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        for number in range(6):
            connection.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,))
    assert log.count == 6
    assert log.nplusone() == []


def test_a_loop_round_the_block_is_the_tests(connection: sqlite3.Connection) -> None:
    with record_queries() as outer:
        for number in range(6):
            with record_queries():
                shop.customer(connection, number)
    assert outer.count == 6
    assert outer.nplusone() == []


def test_what_runs_in_a_request_is_the_application_wherever_its_file_lies(connection: sqlite3.Connection) -> None:
    def view() -> None:
        for number in range(3):
            connection.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,))

    with record_queries() as log, default_profiler().scope("request", "GET /"):
        view()
    assert [finding.count for finding in log.nplusone()] == [3]


def test_six_requests_are_none(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        for number in range(6):
            with default_profiler().scope("request", "GET /customers/{id}"):
                shop.customer(connection, number)
    assert log.count == 6
    assert log.nplusone() == []


def test_few_turns_of_the_application_do_not_carry_those_of_the_test(connection: sqlite3.Connection) -> None:
    with record_queries() as log:
        for number in range(2, 8):
            shop.customer(connection, number)
        shop.customer(connection, 1)
    assert log.nplusone() == []


# --- what the source says ---------------------------------------------------------------------------------------------


def probe() -> bool:
    """Whether the line that calls this one is repeated."""
    import sys  # noqa: PLC0415 - kept together with the frame it reads

    frame = sys._getframe(1)
    return is_in_loop(frame.f_code, frame.f_lasti)


def noted(notes: list[bool], note: bool) -> list[bool]:
    notes.append(note)
    return [True]


def test_the_body_of_a_loop_is_repeated_and_what_it_runs_over_is_not() -> None:
    heads = []

    def head() -> list[int]:
        heads.append(is_repeated_at_caller())
        return [1]

    bodies = [probe() for _ in head()]
    for _ in head():
        bodies.append(probe())  # noqa: PERF401 - the loop is what is asked about
    assert heads == [False, False]
    assert bodies == [True, True]


def is_repeated_at_caller() -> bool:
    import sys  # noqa: PLC0415 - as above

    frame = sys._getframe(2)
    return is_in_loop(frame.f_code, frame.f_lasti)


def test_the_second_iterable_and_the_conditions_of_a_comprehension_are_repeated() -> None:
    second: list[bool] = []
    conditions: list[bool] = []
    [0 for _ in [1] for _ in noted(second, probe()) if noted(conditions, probe())]
    assert second == [True]
    assert conditions == [True]


def test_the_test_of_a_while_is_repeated_and_what_follows_is_not() -> None:
    tests: list[bool] = []
    left = [1]
    while noted(tests, probe()) and left:
        left.pop()
    after = probe()
    assert tests == [True, True]
    assert not after


def test_a_function_that_is_only_defined_in_a_loop_is_not_repeated_by_it() -> None:
    functions: list[Callable[[], bool]] = []
    for _ in range(2):

        def inner() -> bool:
            return probe()

        functions.extend((inner, lambda: probe()))
    first, second, *_ = functions
    assert not first()
    assert not second()


def test_the_default_of_a_function_defined_in_a_loop_is_repeated() -> None:
    answers = []
    for _ in range(1):

        def inner(answer: bool = probe()) -> bool:
            return answer

        answers.append(inner())
    assert answers == [True]


def test_code_without_source_is_in_no_loop() -> None:
    code = compile("for number in [1]:\n    answer = number\n", "/nowhere/made.py", "exec")
    assert not any(is_in_loop(code, offset) for offset in range(0, len(code.co_code), 2))


# --- paths made by hand -----------------------------------------------------------------------------------------------


def is_test_file(file: str) -> bool:
    return file.startswith("/app/tests/")


def query(*path: CallSite) -> Query:
    made = Query("SELECT 1", SQLITE, provenance=Provenance(path=path), unit=("test", 1))
    made.call_site = path[0] if path else None
    return made


def test_without_a_line_of_the_application_it_is_test_code() -> None:
    assert not sent_by_application(query(CallSite("/app/tests/test_orders.py", 3)), is_test_file)
    assert not sent_by_application(query(), is_test_file)


def test_a_template_is_rendered_by_a_loop_of_its_own() -> None:
    line = CallSite("/app/orders.html", 3, template="orders.html", tag="order.customer")
    looping = _step_in_loop()
    assert sent_by_application(query(line, looping), lambda file: file == looping.file)


def test_where_no_loop_is_seen_it_is_the_applications() -> None:
    assert sent_by_application(query(CallSite("/app/shop.py", 3), CallSite("/app/tests/test_a.py", 1)), is_test_file)


def _step_in_loop() -> Step:
    code = shop.in_for.__code__
    offset = next(offset for offset in range(0, len(code.co_code), 2) if is_in_loop(code, offset))
    return Step(code, offset)


def test_the_innermost_line_of_a_path_may_be_a_tests_and_the_loop_the_applications() -> None:
    callback = CallSite("/app/tests/test_orders.py", 3, "callback")
    path: Path = (callback, _step_in_loop())
    assert sent_by_application(query(*path), is_test_file)
