import pytest

from dbprofile.analysis.log import Log
from dbprofile.analysis.units import by_unit, role
from dbprofile.capture.query import Query
from tests.building import LOOP, MAIN, VIEW, origin_of, read, write

CLAIM = "SELECT id FROM job WHERE state = ? AND due < ? ORDER BY due LIMIT 1"
DONE = "UPDATE job SET state = ? WHERE id = ?"


def units(*queries: Query) -> list[int]:
    return [len(part) for part in by_unit({query: role(query) for query in queries}, Log(queries))]


def test_each_claim_on_a_queue_opens_a_unit_up_to_the_next() -> None:
    queries: list[Query] = []
    for n in range(3):
        queries += [
            read(CLAIM, ("new", n)),
            read("SELECT id FROM customer WHERE id = ?", (n,), path=(VIEW, MAIN)),
            write(DONE, ("done", n)),
        ]
    assert units(*queries) == [3, 3, 3]


def test_what_comes_before_the_first_claim_is_a_unit_too() -> None:
    queries = [read("SELECT id FROM site", path=(VIEW, MAIN))]
    for n in range(2):
        queries += [read(CLAIM, ("new", 1)), write(DONE, ("done", n))]
    assert units(*queries) == [1, 2, 2]


def test_a_question_whose_rows_nobody_takes_is_no_claim() -> None:
    queries: list[Query] = []
    for n in range(3):
        queries += [read(CLAIM, ("new", 1)), write("UPDATE customer SET seen = ? WHERE id = ?", (1, n))]
    assert units(*queries) == [6]


def test_a_question_for_each_of_several_parents_is_no_claim() -> None:
    top = "SELECT id FROM job WHERE owner = ? ORDER BY due LIMIT 3"
    queries: list[Query] = []
    for n in range(3):
        queries += [read(top, (n,)), write(DONE, ("done", n))]
    assert units(*queries) == [6]


def test_without_a_limit_a_write_counts_only_for_rows_of_the_claim() -> None:
    ordered = "SELECT id FROM job WHERE state = ? ORDER BY due"

    def jobs(*, own: bool) -> list[Query]:
        queries: list[Query] = []
        for n in range(3):
            asked, done = read(ordered, ("new",)), write(DONE, ("done", n))
            assert done.provenance is not None
            done.provenance.parent_lineage = origin_of(asked) if own else None
            queries += [asked, done]
        return queries

    assert units(*jobs(own=True)) == [2, 2, 2]
    assert units(*jobs(own=False)) == [6]


def test_a_claim_by_one_statement_opens_a_unit() -> None:
    taken = "UPDATE job SET state = ? WHERE id = (SELECT id FROM job WHERE state = ? ORDER BY id LIMIT 1)"
    queries: list[Query] = []
    for n in range(3):
        queries += [
            write(taken, ("running", "new"), path=(LOOP, MAIN)),
            read("SELECT id FROM customer WHERE id = ?", (n,)),
        ]
    assert units(*queries) == [2, 2, 2]


def test_infrastructure_and_failures_are_in_no_unit() -> None:
    failed = read("SELECT id FROM job")
    failed.error = "OperationalError"
    assert units(failed, read("SELECT id FROM session", role="infra"), read("SAVEPOINT a")) == []


@pytest.mark.parametrize(
    ("query", "judged"),
    [
        (read("SELECT id FROM book"), "read"),
        (read("SELECT id FROM book", role="lazy"), "lazy"),
        (read("SELECT id FROM book", role="write"), "write"),
        (read("UPDATE book SET title = ?", (1,)), "write"),
        (read("WITH gone AS (DELETE FROM book RETURNING id) SELECT id FROM gone"), "write"),
        (read("CALL reprice(1)"), "read"),
        (read("SET search_path TO shop", role="write"), ""),
        (read("PRAGMA foreign_keys"), ""),
        (read("EXPLAIN SELECT id FROM book"), ""),
    ],
    ids=lambda given: given.sql if isinstance(given, Query) else given,
)
def test_a_query_is_judged_by_its_verb_before_its_reason(query: Query, judged: str) -> None:
    assert role(query) == judged


def test_of_a_query_without_a_reason_its_text_says_what_it_is() -> None:
    reading, writing = read("SELECT id FROM book"), read("DELETE FROM book")
    reading.provenance = writing.provenance = None

    assert (role(reading), role(writing)) == ("read", "write")
    assert units(reading, writing) == [2]


def worked_off(claim: str, values: tuple[object, ...] = ("new",), **keywords: str) -> list[int]:
    """The units of three jobs of a queue, each asked for anew."""
    queries: list[Query] = []
    for n in range(3):
        queries += [read(claim, values, **keywords), write(DONE, ("done", n))]  # type: ignore[arg-type]
    return units(*queries)


def test_only_a_limited_or_ordered_question_is_a_claim() -> None:
    assert worked_off("SELECT id FROM job WHERE state = ? LIMIT 1") == [2, 2, 2]
    assert worked_off("SELECT id FROM job WHERE state = ?") == [6]
    assert worked_off("SELECT count(*) FROM job WHERE state = ? LIMIT 1") == [6]
    assert worked_off("SELECT id FROM job WHERE state = ? LIMIT 1", role="eager") == [6]


def test_a_claim_of_one_statement_picks_one_row_of_many() -> None:
    def claimed(taken: str, *, differ: bool = False) -> list[int]:
        queries: list[Query] = []
        for n in range(3):
            queries += [write(taken, (n if differ else 1,)), read("SELECT id FROM customer WHERE id = ?", (n,))]
        return units(*queries)

    assert claimed("DELETE FROM job WHERE id = (SELECT id FROM job WHERE kind = ? LIMIT 1)") == [2, 2, 2]
    assert claimed("DELETE FROM job WHERE id = (SELECT id FROM job WHERE kind = ? ORDER BY id)") == [2, 2, 2]
    assert claimed("DELETE FROM job WHERE id IN (SELECT id FROM job WHERE kind = ?)") == [6]
    assert claimed("DELETE FROM job WHERE kind = ? ORDER BY id LIMIT 1") == [6]
    assert claimed("INSERT INTO job (id) SELECT id FROM plan WHERE id IN (SELECT id FROM due WHERE kind = ? LIMIT 1)") == [6]  # fmt: skip
    assert claimed("DELETE FROM job WHERE id = (SELECT id FROM job WHERE kind = ? LIMIT 1)", differ=True) == [6]
