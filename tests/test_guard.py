import functools
import logging
import signal
from collections.abc import Callable, Iterator

import pytest

from dbprofile.guard import FAULT_LIMIT, faults, gathering, guarded, unguarded


@guarded("tests.divide", -1)
def divide(one: int, other: int) -> int:
    return one // other


@pytest.mark.usefixtures("failing_open")
def test_a_fault_is_logged_once_for_each_class_and_the_default_returned(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "dbprofile"):
        assert [divide(1, 0) for _ in range(3)] == [-1, -1, -1]
        assert divide("secret", 1) == -1  # type: ignore[arg-type]

    told = [record.getMessage() for record in caplog.records]
    assert ["ZeroDivisionError" in told[0], "TypeError" in told[1], len(told)] == [True, True, 2]
    assert "secret" not in caplog.text
    assert faults() == {"tests.divide": 4}


@pytest.mark.usefixtures("failing_open")
def test_after_a_hundred_faults_a_place_is_off(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "dbprofile"):
        for _ in range(FAULT_LIMIT):
            divide(1, 0)
        assert divide(4, 2) == -1

    assert "switched off" in caplog.records[-1].getMessage()


@pytest.mark.usefixtures("failing_open")
def test_what_is_no_exception_of_ours_passes() -> None:
    @guarded("tests.interrupt", None)
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()


@pytest.mark.usefixtures("failing_open")
def test_the_guard_of_a_hot_function_takes_what_the_function_takes() -> None:
    @guarded("tests.hot", "default", hot=True)
    def share(one: int, other: int = 2, *, of: int, rest: int = 0) -> str:
        return f"{(one + other) // of} {rest}"

    assert [share(2, of=2), share(2, 4, of=3, rest=1), share(one=1, other=1, of=1)] == ["2 0", "2 1", "2 0"]
    assert share(1, of=0) == "default"
    assert faults() == {"tests.hot": 1}
    assert unguarded(share)(2, of=2) == "2 0"


@pytest.mark.usefixtures("failing_open")
def test_what_stands_in_for_a_hot_function_is_called_where_it_fails_and_where_it_is_off() -> None:
    @guarded("tests.smaller", None, hot=True)
    def smaller(number: int, *, by: int) -> str:
        return f"{number} and {by}"

    @guarded("tests.whole", None, hot=True, instead=smaller)
    def whole(number: int, *, by: int) -> str:
        return f"{number // by}"

    assert whole(4, by=2) == "2"
    assert [whole(4, by=0) for _ in range(FAULT_LIMIT)] == ["4 and 0"] * FAULT_LIMIT
    assert whole(4, by=2) == "4 and 2"
    assert faults() == {"tests.whole": FAULT_LIMIT}


@pytest.mark.usefixtures("failing_open")
def test_functions_asked_together_fail_each_for_itself() -> None:
    def halting(number: int) -> Iterator[int]:
        yield number
        raise LookupError

    ask = gathering([("tests.halting", halting), ("tests.doubled", lambda number: [number, 2 * number])])

    assert ask(3) == [3, 6]
    assert faults() == {"tests.halting": 1}


@pytest.mark.usefixtures("failing_open")
def test_a_hot_function_that_fails_a_hundred_times_is_off_and_lets_pass_what_is_not_ours() -> None:
    @guarded("tests.hot_off", None, hot=True)
    def fail(error: type[BaseException]) -> None:
        raise error

    with pytest.raises(KeyboardInterrupt):
        fail(KeyboardInterrupt)
    for _ in range(FAULT_LIMIT + 1):
        fail(ValueError)
    assert faults() == {"tests.hot_off": FAULT_LIMIT}


def test_a_hot_function_raises_its_own_fault_in_tests_of_ours() -> None:
    @guarded("tests.hot_raising", None, hot=True)
    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        fail()


class TimeLimitError(Exception):
    """What a handler raises whose time is up."""


def _expire(number: int, frame: object) -> None:
    raise TimeLimitError


class _Limit:
    def expire(self, number: int, frame: object) -> None:
        raise TimeLimitError

    def __call__(self, number: int, frame: object) -> None:
        raise TimeLimitError


@pytest.mark.usefixtures("failing_open")
@pytest.mark.parametrize(
    "handler",
    [_expire, _Limit().expire, _Limit(), functools.partial(_expire)],
    ids=["function", "method", "object", "partial"],
)
@pytest.mark.parametrize("hot", [False, True])
def test_a_time_limit_that_strikes_while_we_work_is_not_swallowed(handler: Callable[..., None], hot: bool) -> None:
    @guarded(f"tests.limited_{hot}", None, hot=hot)
    def work() -> None:
        signal.raise_signal(signal.SIGUSR1)

    @guarded("tests.outer", None)
    def outer() -> None:
        work()

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with pytest.raises(TimeLimitError):
            outer()
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert faults() == {}
