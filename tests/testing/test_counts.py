import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbprofile import ConfigurationError
from dbprofile.testing import Bound, CountedInt, QueryLog, at_least, at_most, between
from dbprofile.testing.counts import bound_of
from dbprofile.testing.project import profiler_of_tests

NUMBERS = st.integers(0, 1_000)


@given(NUMBERS, NUMBERS)
def test_at_most_allows_what_is_not_more(limit: int, number: int) -> None:
    assert at_most(limit).allows(number) == (number <= limit)


@given(NUMBERS, NUMBERS)
def test_at_least_allows_what_is_not_less(limit: int, number: int) -> None:
    assert at_least(limit).allows(number) == (number >= limit)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_between_allows_both_ends_and_all_that_lies_there(low: int, more: int, number: int) -> None:
    assert between(low, low + more).allows(number) == (low <= number <= low + more)


@given(NUMBERS, NUMBERS)
def test_a_plain_number_allows_itself_alone(expected: int, number: int) -> None:
    assert bound_of(expected).allows(number) == (expected == number)


@given(NUMBERS, NUMBERS)
def test_a_number_is_under_over_or_allowed(low: int, number: int) -> None:
    bound = between(low, low + 3)
    assert [bound.is_under(number), bound.allows(number), bound.is_over(number)].count(True) == 1


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        (bound_of(3), "3"),
        (at_most(1_000), "at most 1,000"),
        (at_least(1), "at least 1"),
        (between(2, 4), "2 to 4"),
        (Bound(), "any number"),
    ],
)
def test_a_bound_reads_as_people_say_it(bound: Bound, text: str) -> None:
    assert str(bound) == text


@pytest.mark.parametrize("wrong", [-1, True, 1.5, "3", None])
def test_what_is_no_number_of_queries_is_refused(wrong: Any) -> None:
    for make in (at_most, at_least, bound_of):
        with pytest.raises(ConfigurationError):
            make(wrong)


def test_a_range_the_wrong_way_round_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigurationError, match=r"write between\(2, 4\)"):
        between(4, 2)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda number: pickle.loads(pickle.dumps(number))])
def test_a_counted_number_copies_and_pickles_as_an_int(copied: Any) -> None:
    number = CountedInt.of(7, QueryLog(profiler_of_tests()))
    assert number == 7
    assert type(copied(number)) is int
    assert copied(number) == 7


def test_a_range_stands_for_itself() -> None:
    assert bound_of(at_most(3)) == at_most(3)
