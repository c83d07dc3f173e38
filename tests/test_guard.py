import logging

import pytest

from dbprofile.guard import FAULT_LIMIT, faults, guarded, unguarded


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
