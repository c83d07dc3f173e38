from dataclasses import replace

import pytest

from dbprofile.analysis.variation import (
    distinct_parents,
    limit_of,
    offset_of,
    parameter_sets,
    value_hashes,
    varying,
)
from dbprofile.capture.provenance import Batch, Lineage, Provenance, Token
from dbprofile.capture.query import Query, digest
from tests.building import SQLITE, read

NAMED = replace(SQLITE, paramstyle="named")
MANY = " AND ".join(f"c{n} = ?" for n in range(20))


def roles(*queries: Query) -> list[tuple[str, str]]:
    return [(value.role, value.column) for value in varying(queries)]


def named(sql: str, **values: object) -> Query:
    query = read(sql, database=NAMED)
    query.parameters = digest(values)
    return query


# --- what differs ----------------------------------------------------------------------------------------------------


def test_of_one_text_the_parameters_differ_and_no_literal() -> None:
    sql = "SELECT id FROM book WHERE shelf = 4 AND author = ? AND price > ?"

    assert roles(*[read(sql, (n, 9)) for n in range(3)]) == [("equal", "author")]


def test_of_several_texts_of_one_length_the_literals_do() -> None:
    texts = [f"SELECT id FROM book WHERE shelf = {n} AND price > 5" for n in range(3)]

    assert roles(*map(read, texts)) == [("equal", "shelf")]


def test_lists_of_several_lengths_are_compared_as_wholes() -> None:
    lists = [(1,), (1, 2), (1, 2, 3)]
    queries = [read(f"SELECT id FROM book WHERE shelf = ? AND id IN ({', '.join('?' * len(each))})", (7, *each)) for each in lists]  # fmt: skip

    assert roles(*queries) == [("in", "id")]


def test_a_value_that_is_not_known_differs_from_none() -> None:
    def query(middle: int, last: int) -> Query:
        return read(f"SELECT id FROM book WHERE {MANY}", [*range(9), middle, *range(9), last])

    assert roles(query(1, 0), query(2, 0)) == []
    assert roles(query(1, 1), query(1, 2)) == [("equal", "c19")]


def test_parameters_are_found_by_their_names() -> None:
    sql = "SELECT id FROM book WHERE shelf = :shelf AND author = :author"

    assert roles(*[named(sql, author=n, shelf=1) for n in range(2)]) == [("equal", "author")]
    assert roles(*[named(sql, unheard_of=n) for n in range(2)]) == []


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "known"),
    [(20, 20), (0, 0), (-5, None), ("twenty", None), (None, None)],
    ids=["a number", "nothing at all", "a negative number", "a text", "no value"],
)
def test_a_limit_that_is_a_parameter_is_a_number_or_not_known(value: object, known: int | None) -> None:
    query = read("SELECT id FROM book LIMIT ? OFFSET 40", (value,))

    assert (limit_of(query), offset_of(query)) == (known, 40)


def test_without_a_limit_or_its_parameter_there_is_no_number() -> None:
    unknown = read("SELECT id FROM book LIMIT ?", (20,))
    unknown.parameters = None

    assert limit_of(read("SELECT id FROM book")) is None
    assert limit_of(unknown) is None


def test_values_are_told_without_the_page() -> None:
    assert value_hashes(read("SELECT id FROM book WHERE shelf = ? LIMIT ?", (7, 20))) == [7]
    unknown = read("SELECT id FROM book WHERE shelf = ?", (7,))
    unknown.parameters = None
    assert value_hashes(unknown) is None


# --- sets, and parents -----------------------------------------------------------------------------------------------


def test_literals_belong_to_the_parameter_set_and_one_without_a_digest_equals_no_other() -> None:
    one, same, other = (read(f"SELECT id FROM book LIMIT {n}") for n in (1, 1, 2))
    first, again, page = parameter_sets((one, same, other))
    assert first == again != page
    one.parameters = same.parameters = None
    first, again = parameter_sets((one, same))
    assert first != again


def parents(*given: object) -> int:
    queries = [read("SELECT id FROM customer WHERE id = ?", (n,)) for n in range(len(given))]
    for query, parent in zip(queries, given, strict=True):
        query.provenance = Provenance("lazy", parent=parent)
    return distinct_parents(queries)


def test_each_parent_counts_once_and_without_one_each_parameter_set() -> None:
    assert parents("a", "a", "b") == 2
    assert parents(None, None, "a") == 3


def test_within_one_execution_objects_count_and_across_equal_ones_rows() -> None:
    lineage = Lineage("Q", "SELECT id FROM orders")
    same_row = [Token(7, Batch(lineage, 1, digest=5)) for _ in range(2)]
    again = [Token(7, Batch(lineage, number, digest=5)) for number in range(4)]

    assert parents(*same_row) == 2
    assert parents(*again) == 1
    assert parents(*[Token(7, Batch(lineage, number)) for number in range(4)]) == 4
    assert parents(*[Token(7) for _ in range(3)]) == 3


def test_queries_of_which_nothing_is_known_are_told_apart_by_their_parameters() -> None:
    queries = [read("SELECT id FROM customer WHERE id = ?", (n % 2,)) for n in range(4)]
    for query in queries:
        query.provenance = None

    assert distinct_parents(queries) == 2
