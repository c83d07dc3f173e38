import subprocess
import sys

import pytest

from dbprofile import ConfigurationError
from dbprofile_opentelemetry import EventRate
from dbprofile_opentelemetry.limits import FirstOnes, RateLimiter


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_of_ten_thousand_events_in_a_second_three_are_admitted(clock: Clock) -> None:
    limiter = RateLimiter(EventRate(), clock)
    admitted = []
    for _ in range(10_000):
        clock.now += 0.0001
        admitted.append(limiter.admit("author"))

    assert [suppressed for suppressed in admitted if suppressed is not None] == [0, 0, 0]
    clock.now += 10
    assert limiter.admit("author") == 9_997


def test_one_event_in_ten_seconds_is_admitted_after_the_first_three(clock: Clock) -> None:
    limiter = RateLimiter(EventRate(), clock)
    admitted = 0
    for _ in range(600):
        admitted += limiter.admit("author") is not None
        clock.now += 1

    assert admitted == 3 + 59


def test_statements_of_every_kind_together_keep_within_the_rate_in_all(clock: Clock) -> None:
    limiter = RateLimiter(EventRate(), clock)
    assert sum(limiter.admit(number) is not None for number in range(500)) == 50
    clock.now += 1
    assert sum(limiter.admit(number) is not None for number in range(500, 1_000)) == 50


def test_an_event_that_the_rate_in_all_refused_costs_its_statement_nothing(clock: Clock) -> None:
    limiter = RateLimiter(EventRate(seconds=3_600, burst=1, in_all=1), clock)
    assert limiter.admit("author") == 0
    assert limiter.admit("book") is None
    clock.now += 1
    assert limiter.admit("book") == 1


def test_the_table_of_keys_has_an_end(clock: Clock) -> None:
    limiter = RateLimiter(EventRate(in_all=1_000_000), clock)
    admitted = 0
    for number in range(5_000):
        limiter.admit(number)
        admitted += limiter.admit("busy") is not None

    assert len(limiter) == 1_024
    assert admitted == 3  # the key that was quiet longest goes first, never a busy one


def test_what_comes_first_stays_and_what_comes_later_is_no_member() -> None:
    values = FirstOnes(2)

    assert [values.take_in(value) for value in "abcab"] == [True, True, False, True, True]


@pytest.mark.parametrize("keywords", [{"seconds": 0}, {"burst": -1}, {"in_all": "50"}, {"burst": True}])
def test_a_rate_that_is_none_is_refused(keywords: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(keywords))):
        EventRate(**keywords)  # type: ignore[arg-type]


FORK = """
import os
from dbprofile_opentelemetry import EventRate
from dbprofile_opentelemetry.limits import FirstOnes, RateLimiter

limiter, values = RateLimiter(EventRate(seconds=3600, burst=1)), FirstOnes(1)
assert limiter.admit("author") == 0
assert limiter.admit("author") is None
assert values.take_in("of the parent")
with limiter._lock, values._lock:  # as another thread of the parent might, at that moment
    child = os.fork()
    if child == 0:
        ok = limiter.admit("author") == 0 and values.take_in("of the child") and not values.take_in("of the parent")
        os._exit(0 if ok else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert limiter.admit("author") is None
assert not values.take_in("of the child")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no fork there")
def test_a_forked_child_begins_anew_though_a_lock_was_held() -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", FORK], check=True, timeout=60)
