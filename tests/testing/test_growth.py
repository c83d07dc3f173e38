"""The verdict on counts at several sizes."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies

from dbprofile.testing.growth import verdict_of

CASES = [
    ((2, 5), (1, 1), "constant", 0),
    ((2, 5), (3, 2), "constant", 0),
    ((2, 5, 9), (3, 3, 2), "constant", 0),
    ((2, 5), (2, 5), "linear", 1),
    ((2, 5), (4, 10), "linear", 2),
    ((2, 5), (0, 1), "linear", 1 / 3),
    ((2, 5), (0, 3), "linear", 1),
    ((2, 5), (0, 4), "worse", 4 / 3),
    ((2, 5), (4, 25), "worse", 7),
    ((2, 5), (1, 4), "linear", 1),
    ((2, 5, 8), (1, 1, 4), "linear", 1),
    ((2, 5, 8), (2, 5, 30), "worse", 25 / 3),
    ((100, 1000), (1, 2), "batched", 0),
    ((501, 2000), (2, 4), "batched", 0),
    ((20, 30), (2, 3), "batched", 0),
    ((18, 27), (2, 3), "batched", 0),
    ((10, 12), (2, 3), "linear", 0.5),  # batches of 5 and fewer are rows
]


@pytest.mark.parametrize(("sizes", "counts", "verdict", "per_row"), CASES)
def test_counts_have_a_verdict(sizes: tuple[int, ...], counts: tuple[int, ...], verdict: str, per_row: float) -> None:
    found, slope = verdict_of(sizes, counts)
    assert found == verdict
    assert slope == pytest.approx(per_row)


SIZES = strategies.lists(strategies.integers(2, 60), min_size=2, max_size=4, unique=True).map(sorted)


@given(SIZES, strategies.integers(0, 9))
def test_the_same_count_at_every_size_is_constant(sizes: list[int], count: int) -> None:
    assert verdict_of(sizes, [count] * len(sizes)) == ("constant", 0)


@given(SIZES, strategies.integers(0, 9), strategies.integers(1, 5))
def test_so_many_for_each_row_beside_what_is_sent_anyway_is_linear(sizes: list[int], fixed: int, per_row: int) -> None:
    verdict, slope = verdict_of(sizes, [fixed + per_row * size for size in sizes])
    assert (verdict, slope) == ("linear", per_row)


@given(SIZES)
def test_pairs_of_rows_are_worse_than_rows(sizes: list[int]) -> None:
    counts = [size * size for size in sizes]
    assert verdict_of(sizes, counts)[0] == "worse"


@given(SIZES, strategies.integers(10, 60))
def test_batches_do_not_grow_with_the_rows(sizes: list[int], batch: int) -> None:
    assert verdict_of(sizes, [-(-size // batch) for size in sizes])[0] in {"constant", "batched"}


@given(SIZES, strategies.lists(strategies.integers(0, 50), min_size=4, max_size=4))
def test_what_grows_anywhere_is_never_constant(sizes: list[int], counts: list[int]) -> None:
    counts = counts[: len(sizes)]
    grows = any(later > before for before, later in pairwise(counts))
    assert (verdict_of(sizes, counts)[0] == "constant") is not grows
