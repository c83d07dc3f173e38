import pytest

from dbprofile.analysis.grouping import analyse
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.counters import Counter
from dbprofile.capture.query import Query
from tests.building import LOOP, MAIN, SERIALIZER, SQLITE, VIEW, profile, read

BOOK = "SELECT id, title FROM book WHERE id = ?"


def loop_counts(queries: list[Query]) -> list[int]:
    return [group.count for group in analyse(profile(*queries)).loops]


def test_one_statement_from_one_place_with_three_parameter_sets_is_a_loop() -> None:
    assert loop_counts([read(BOOK, (n,)) for n in range(3)]) == [3]


def test_two_lookups_are_no_loop() -> None:
    assert loop_counts([read(BOOK, (n,)) for n in range(2)]) == []


def test_three_lookups_on_three_lines_are_no_loop() -> None:
    assert loop_counts([read(BOOK, (n,), path=(place, MAIN)) for n, place in enumerate((LOOP, VIEW, SERIALIZER))]) == []


def test_turns_that_differ_only_in_inlined_literals_are_a_loop() -> None:
    assert loop_counts([read(f"SELECT id, title FROM book WHERE id = {n}") for n in range(4)]) == [4]


def test_a_comment_that_is_unique_on_each_statement_hides_nothing() -> None:
    assert loop_counts([read(f"{BOOK} /* trace {n} */", (n,)) for n in range(3)]) == [3]


def test_without_a_call_path_five_are_needed_and_the_group_is_uncertain() -> None:
    assert loop_counts([read(BOOK, (n,), path=()) for n in range(4)]) == []
    (group,) = analyse(profile(*[read(BOOK, (n,), path=()) for n in range(5)])).loops
    assert not group.certain


def test_locking_reads_are_no_loop() -> None:
    assert loop_counts([read(f"{BOOK} FOR UPDATE", (n,)) for n in range(4)]) == []


def test_failed_statements_are_not_judged() -> None:
    queries = [read(BOOK, (n,)) for n in range(4)]
    for query in queries:
        query.error = "OperationalError"

    assert loop_counts(queries) == []


@pytest.mark.parametrize(
    ("sql", "parameter_sets"),
    [
        ("SELECT id FROM book ORDER BY id LIMIT 100 OFFSET ?", [(100,), (200,), (300,)]),
        ("SELECT id FROM book WHERE id > ? ORDER BY id LIMIT 100", [(100,), (200,), (300,)]),
        ("SELECT id FROM book WHERE made >= ? AND made < ?", [(1, 2), (2, 3), (3, 4), (4, 5)]),
    ],
    ids=["offset", "keyset", "windows"],
)
def test_pages_are_no_loop(sql: str, parameter_sets: list[tuple[int, ...]]) -> None:
    assert loop_counts([read(sql, parameters, rows=100) for parameters in parameter_sets]) == []


def test_the_top_three_of_each_parent_is_a_loop() -> None:
    sql = "SELECT id FROM book WHERE author_id = ? ORDER BY id DESC LIMIT 3"

    assert loop_counts([read(sql, (n,), rows=3) for n in range(4)]) == [4]


def test_disjoint_chunks_of_ids_are_no_loop() -> None:
    sql = "SELECT id FROM book WHERE id IN (?, ?, ?, ?, ?)"
    chunks = [tuple(range(start, start + 5)) for start in (0, 5, 10)]

    assert loop_counts([read(sql, chunk, rows=5) for chunk in chunks]) == []


def test_many_short_overlapping_lists_are_a_loop() -> None:
    sql = "SELECT id FROM tag WHERE id IN (?, ?)"

    assert loop_counts([read(sql, (n, n + 1), rows=1) for n in range(6)]) == [6]


def test_the_origin_of_a_loop_is_the_nearest_earlier_read_with_as_many_rows() -> None:
    other = read("SELECT id FROM shelf", rows=3, path=(VIEW, MAIN))
    ids = read("SELECT id FROM book", rows=4, path=(VIEW, MAIN))
    (group,) = analyse(profile(other, ids, *[read(BOOK, (n,)) for n in range(4)])).loops

    assert group.origin is ids


def test_parallel_turns_are_a_loop_only_where_their_origin_is_known() -> None:
    turns = [read(BOOK, (n,), lane=n + 1) for n in range(3)]
    assert loop_counts(turns) == []

    ids = read("SELECT id FROM book", rows=3, path=(VIEW, MAIN))
    turns = [read(BOOK, (n,), lane=n + 1) for n in range(3)]
    (group,) = analyse(profile(ids, *turns)).loops
    assert group.variant == "parallel"


def test_executions_beyond_the_detail_limit_count_in_the_loop_of_their_statement() -> None:
    counter = Counter(f"{BOOK} /* beyond */", SQLITE)
    counter.count = 500
    other = Counter("SELECT id FROM shelf", SQLITE)
    other.count = 7

    (group,) = analyse(profile(*[read(BOOK, (n,)) for n in range(4)], counters=(counter, other))).loops

    assert (group.count, group.size, group.beyond) == (504, 504, 500)


def test_executions_that_may_belong_to_two_loops_are_added_to_none() -> None:
    counter = Counter(BOOK, SQLITE)
    counter.count = 500
    one = [read(BOOK, (n,)) for n in range(4)]
    another = [read(BOOK, (n,), path=(SERIALIZER, MAIN)) for n in range(10, 14)]

    assert [group.count for group in analyse(profile(*one, *another, counters=(counter,))).loops] == [4, 4]


# --- the origin ------------------------------------------------------------------------------------------------------


def origin(*before: Query, after: tuple[Query, ...] = ()) -> Query | None:
    (group,) = analyse(profile(*before, *[read(BOOK, (n,)) for n in range(4)], *after)).loops
    return group.origin


def test_what_has_more_rows_than_turns_is_the_origin_only_in_the_function_of_the_loop() -> None:
    same = CallSite(LOOP.file, 20, LOOP.function)
    here = read("SELECT id FROM book", rows=9, path=(same, MAIN))
    elsewhere = read("SELECT id FROM shelf", rows=9, path=(SERIALIZER, MAIN))

    assert origin(here, elsewhere) is here
    assert origin(elsewhere) is None
    assert origin(read("SELECT id FROM book", rows=3, path=(same, MAIN))) is None
    assert origin(read("SELECT id FROM book", rows=None, path=(same, MAIN))) is None
    unplaced = read("SELECT id FROM book", rows=9, path=(same, MAIN))
    unplaced.call_site = None
    assert origin(unplaced) is None


def test_what_was_read_afterwards_or_only_written_is_no_origin() -> None:
    listing = read("SELECT id FROM book", rows=4, path=(VIEW, MAIN))
    written = read("UPDATE shelf SET full = 1 RETURNING id", rows=4, path=(VIEW, MAIN), role="write")

    listing.started = 10**18

    assert origin(written, after=(listing,)) is None


@pytest.mark.parametrize(
    ("lane", "at", "rows", "role", "counts"),
    [
        (0, 1, 3, "read", [3]),
        (0, 99, 3, "read", [3]),
        (0, 1, 4, "read", []),
        (2, 1, 3, "read", []),
        (0, 99.5, 3, "read", []),
        (0, 1, 3, "eager", []),
    ],
    ids=["a list", "just over", "of another length", "read by one of them", "not over yet", "loaded for others"],
)
def test_parallel_turns_were_made_by_a_read_of_another_lane_that_was_over(
    lane: int, at: float, rows: int, role: str, counts: list[int]
) -> None:
    made = read("SELECT id FROM book", rows=rows, path=(VIEW, MAIN), at=at, role=role, lane=lane)

    assert loop_counts([made, *[read(BOOK, (n,), lane=n + 1, at=100 + n) for n in range(3)]]) == counts
