"""The verdict on counts at several sizes, and what the runs do not show."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies

from dbprofile.hooks import CallSite, Lineage, Provenance
from dbprofile.testing import QueryLog, record_queries
from dbprofile.testing.growth import rows_written, shared_parents, verdict_of
from tests.testing.test_listing import VIEW
from tests.testing.test_scale import fetch

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


# --- rows that were written -------------------------------------------------------------------------------------------


def written(sql: str, seen: dict[str, Any]) -> object:
    with record_queries() as log:
        fetch(sql, **{"rows": 0, **seen})
    return rows_written(log)


@pytest.mark.parametrize(
    ("sql", "seen", "rows"),
    [
        ("INSERT INTO orders VALUES (?)", {}, {"orders": 1}),
        ("INSERT INTO orders VALUES (?)", {"batch_size": 7}, {"orders": 7}),
        ("INSERT INTO orders VALUES (?), (?)", {"affected_rows": 2}, {"orders": 2}),
        ("INSERT INTO orders VALUES (?) RETURNING id", {"rows": 3}, {"orders": 3}),
        ("INSERT INTO orders VALUES (?)", {"error": "IntegrityError"}, {}),
        ("WITH a AS (SELECT 1) INSERT INTO orders SELECT * FROM a", {}, {"orders": 1}),
        ("REPLACE INTO orders VALUES (?)", {}, {"orders": 1}),
        ("UPDATE orders SET open = ?", {"affected_rows": 2}, {}),
        ("SELECT * FROM orders", {"rows": 2}, {}),
    ],
)
def test_rows_are_counted_as_the_driver_tells_of_them(sql: str, seen: dict[str, Any], rows: dict[str, int]) -> None:
    assert written(sql, seen) == rows


# --- parents that are shared ------------------------------------------------------------------------------------------

TEMPLATE = CallSite("/app/shop/catalogue.html", 3, "", template="catalogue.html")
"""A template walks a list of nodes, so that a line of it stands in a loop."""


def listing(
    books: int,
    loads: int,
    *,
    in_loop: bool = True,
    kind: str = "many_to_one",
    role: str = "lazy",
    relation: str | None = "Book.author",
    known: bool = True,
) -> QueryLog:
    """The books, and so many loads of their authors."""
    path = (TEMPLATE, VIEW) if in_loop else (VIEW,)
    with record_queries() as log:
        rows = Lineage("Q", "SELECT * FROM book", path=(VIEW,))
        fetch("SELECT * FROM book", books, provenance=Provenance("read", lineage=rows, path=(VIEW,)))
        fetch("SELECT * FROM settings", books)
        fetch("SELECT * FROM menu", books, provenance=Provenance("read", path=(VIEW,)))
        for _ in range(loads):
            why = Provenance(
                role,
                relation=relation,
                relation_kind=kind,
                parent_lineage=rows if known else None,
                lineage=rows.child("R", "Book.author", kind),
                path=path,
            )
            fetch("SELECT * FROM author WHERE id = ?", 1, provenance=why)
    return log


def shared(*, before: tuple[int, int], after: tuple[int, int], **how: Any) -> list[str]:
    return list(shared_parents(listing(*before, **how), listing(*after, **how)))


def test_a_loop_that_loads_one_parent_for_more_rows_shows_nothing() -> None:
    assert shared(before=(2, 1), after=(5, 1)) == ["Book.author"]


@pytest.mark.parametrize(
    ("before", "after", "how"),
    [
        ((2, 2), (5, 5), {}),  # each has its own
        ((2, 1), (5, 3), {}),
        ((5, 1), (5, 1), {}),  # no more rows
        ((0, 1), (1, 1), {}),  # a load for each row
        ((2, 0), (5, 1), {}),  # the first rows had none
        ((2, 1), (5, 1), {"in_loop": False}),
        ((2, 1), (5, 1), {"kind": "one_to_many"}),
        ((2, 1), (5, 1), {"role": "eager"}),
        ((2, 1), (5, 1), {"relation": None}),
        ((2, 1), (5, 1), {"known": False}),  # of rows that came from nowhere
    ],
)
def test_all_else_is_no_shared_parent(before: tuple[int, int], after: tuple[int, int], how: dict[str, Any]) -> None:
    assert shared(before=before, after=after, **how) == []
