import logging

import pytest

from dbprofile.guard import FAULT_LIMIT, faults, guarded


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
