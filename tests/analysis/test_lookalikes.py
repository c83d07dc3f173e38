"""Each look-alike with a case that it silences and one that it must not; and that a case depends on each."""

from collections.abc import Callable

import pytest

from dbprofile.analysis import lineages, lookalikes, loops, writes
from dbprofile.analysis.grouping import analyse
from dbprofile.capture.provenance import Lineage
from dbprofile.capture.query import Query
from tests.building import LOOP, MAIN, VIEW, lazy, origin_of, profile, read, write

BOOK = "SELECT id, title FROM book WHERE id = ?"
FREE = "SELECT 1 AS a FROM book WHERE slug = ? LIMIT 1"


def judged(*queries: Query) -> list[str]:
    analysis = analyse(profile(*queries))
    return [name for name in ("writes", "lineages", "loops") for _ in getattr(analysis, name)]


def pages() -> list[Query]:
    return [read("SELECT id FROM book ORDER BY id LIMIT 100 OFFSET ?", (n,)) for n in (0, 100, 200)]


def pieces() -> list[Query]:
    lists = [(1, 2, 3), (4, 5, 6), (7, 8)]
    return [read(f"SELECT id FROM book WHERE id IN ({', '.join('?' * len(each))})", each) for each in lists]


def drained() -> list[Query]:
    found: list[Query] = []
    for n in range(4):
        found += [
            read("SELECT id FROM job WHERE state = ? LIMIT 10", ("new",)),
            read(BOOK, (n,)),
            write("INSERT INTO job (state) VALUES (?)", ("more",)),
        ]
    return found


def a_free_name() -> list[Query]:
    return [read(FREE, (f"name-{n}",), operation="exists", rows=int(n < 3)) for n in range(4)]


def locked_rows() -> list[Query]:
    found: list[Query] = []
    for n in range(4):
        found += [
            read("SELECT id FROM account WHERE id = ? FOR UPDATE", (n,), transaction=n),
            read(BOOK, (n,), transaction=n),
        ]
    return found


def a_clock() -> list[Query]:
    return [read("SELECT id FROM event WHERE at = ?", (n,), at=100 * n + 1) for n in range(4)]


def jobs_with_a_relation() -> list[Query]:
    claim = "SELECT id FROM job WHERE state = ? ORDER BY id LIMIT 10"
    found: list[Query] = []
    for n in range(3):
        asked = read(claim, ("new",))
        if found:
            assert asked.provenance is not None
            asked.provenance.lineage = origin_of(found[0])
        found += [asked, lazy("Job.owner", n, origin_of(found[0] if found else asked))]
        found.append(write("INSERT INTO job (state) VALUES (?)", ("more",)))
    return found


CASES = {
    (loops, "LOOP_LOOKALIKES", "paging"): pages,
    (loops, "LOOP_LOOKALIKES", "chunks"): pieces,
    (loops, "LOOP_LOOKALIKES", "draining"): drained,
    (loops, "LOOP_LOOKALIKES", "search"): a_free_name,
    (loops, "LOOP_LOOKALIKES", "locking"): locked_rows,
    (loops, "LOOP_LOOKALIKES", "idle"): a_clock,
    (lineages, "LINEAGE_LOOKALIKES", "drained_parents"): jobs_with_a_relation,
}


@pytest.mark.parametrize("case", CASES.values(), ids=[name for _, _, name in CASES])
def test_what_only_looks_like_a_loop_is_silent(case: object) -> None:
    assert "loops" not in judged(*case())  # type: ignore[operator]
    assert "lineages" not in judged(*case())  # type: ignore[operator]


@pytest.mark.parametrize(("where", "case"), CASES.items(), ids=[name for _, _, name in CASES])
def test_without_the_look_alike_the_case_is_a_finding(
    where: tuple[object, str, str], case: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, table, name = where
    kept = tuple(lookalike for lookalike in getattr(module, table) if lookalike.__name__ != name)
    monkeypatch.setattr(module, table, kept)

    assert {"loops", "lineages"} & set(judged(*case()))  # type: ignore[operator]


def claimed_by_locks() -> list[Query]:
    found: list[Query] = []
    for n in range(4):
        found += [
            read("SELECT id FROM account WHERE id = ? FOR UPDATE", (n,), transaction=n),
            write("UPDATE account SET amount = ? WHERE id = ?", (n, n), transaction=n),
        ]
    return found


def emptied() -> list[Query]:
    found: list[Query] = []
    for n in range(4):
        found += [
            read("SELECT id FROM job LIMIT 10"),
            write("INSERT INTO result (job) VALUES (?)", (n,)),
            write("REPLACE INTO job (id) VALUES (?), (?)", (n, n + 1)),
        ]
    return found


@pytest.mark.parametrize(("name", "case"), [("locking", claimed_by_locks), ("draining", emptied)])
def test_writes_that_only_look_like_a_loop_are_silent_because_of_the_look_alike(
    name: str, case: Callable[[], list[Query]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judged(*case()) == []
    kept = tuple(lookalike for lookalike in lookalikes.WRITE_LOOKALIKES if lookalike.__name__ != name)
    monkeypatch.setattr(writes, "WRITE_LOOKALIKES", kept)

    assert judged(*case()) == ["writes"]


def test_every_look_alike_has_a_case() -> None:
    told = {(table, name) for _, table, name in CASES}
    tables = ("LOOP_LOOKALIKES", "LINEAGE_LOOKALIKES")
    assert told == {(table, each.__name__) for table in tables for each in getattr(lookalikes, table)}
    assert {each.__name__ for each in lookalikes.WRITE_LOOKALIKES} == {"draining", "locking"}


def test_a_limited_question_that_is_asked_once_drains_nothing() -> None:
    jobs = read("SELECT id FROM job WHERE state = ? LIMIT 10", ("new",))
    assert judged(jobs, *[read(BOOK, (n,)) for n in range(4)]) == ["loops"]


def test_answers_that_differ_in_the_middle_are_no_search() -> None:
    queries = [read(FREE, (n,), operation="exists", rows=n % 2) for n in range(5)]
    assert judged(*queries) == ["loops"]


def test_rows_that_all_candidates_have_are_no_search() -> None:
    assert judged(*[read(BOOK, (n,), operation="get") for n in range(4)]) == ["loops"]


def test_a_transaction_for_each_without_a_lock_is_a_loop() -> None:
    assert judged(*[read(BOOK, (n,), transaction=n) for n in range(4)]) == ["loops"]


def test_long_gaps_in_which_something_else_is_read_are_a_loop() -> None:
    queries: list[Query] = []
    for n in range(1, 5):
        queries += [
            read("SELECT id FROM event WHERE at = ?", (n,), at=100 * n),
            read(f"SELECT id FROM note_{n}", at=100 * n + 50),
        ]
    assert judged(*queries) == ["loops"]


def test_pieces_with_reads_in_between_are_a_loop_unless_they_are_few() -> None:
    lists = [(1, 2), (3, 4), (5, 6), (7, 8)]
    queries: list[Query] = []
    for n, each in enumerate(lists):
        queries += [read("SELECT id FROM book WHERE id IN (?, ?)", each), read(f"SELECT id FROM note_{n}")]
    assert judged(*queries) == ["loops"]
    assert judged(*[query for query in queries if "book" in query.sql]) == []


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT id FROM book WHERE id > ? ORDER BY id", [(9,), (19,), (29,)]),
        ("SELECT id FROM book WHERE made >= ? AND made < ?", [(30, 40), (20, 30), (10, 20)]),
        ("SELECT id FROM book WHERE (made, id) > (?, ?) AND made >= ? LIMIT 50", [(1, 2, 1), (3, 4, 3), (5, 6, 5)]),
    ],
    ids=["a lower bound without a limit", "windows that meet downwards", "a keyset of two columns"],
)
def test_pages_come_in_several_spellings(sql: str, parameters: list[tuple[int, ...]]) -> None:
    assert judged(*[read(sql, each, rows=50) for each in parameters]) == []


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT COUNT(*) FROM book WHERE price >= ? AND price < ?", [(0, 10), (10, 20), (20, 30)]),
        ("SELECT COUNT(*) FROM book WHERE price > ?", [(10,), (20,), (30,)]),
        ("SELECT id FROM book WHERE price >= ? AND price < ?", [(0, 10), (20, 30), (50, 60)]),
        ("SELECT id FROM book WHERE made >= ? AND made < ? AND price > ?", [(1, 2, 9), (2, 3, 8), (3, 4, 7)]),
        ("SELECT id FROM book WHERE price < ?", [(10,), (20,), (30,)]),
        ("SELECT id FROM book ORDER BY id LIMIT 1 OFFSET ?", [(0,), (1,), (2,)]),
        ("SELECT id FROM book WHERE shelf = ? AND id > ? LIMIT 50", [(1, 9), (2, 9), (3, 9)]),
    ],
    ids=[
        "a histogram", "numbers above", "windows apart", "three bounds", "upper bounds alone", "one by one",
        "a parent beside the bound",
    ],
)  # fmt: skip
def test_what_is_bounded_without_being_a_page_is_a_loop(sql: str, parameters: list[tuple[int, ...]]) -> None:
    assert judged(*[read(sql, each, rows=1) for each in parameters]) == ["loops"]


def test_what_differs_in_a_value_that_nobody_knows_is_no_page() -> None:
    condition = " AND ".join(f"c{n} = ?" for n in range(20))
    sets = [[*range(10), unknown, *range(11, 20)] for unknown in (100, 200, 300)]

    assert judged(*[read(f"SELECT id FROM book WHERE {condition} LIMIT 50", each) for each in sets]) == ["loops"]


def test_the_limit_that_a_call_puts_into_the_text_says_nothing_of_pages() -> None:
    sql = "SELECT id FROM book WHERE id > ? AND id < ? LIMIT 21"
    parameters = [(1, 5), (11, 15), (21, 25)]

    assert judged(*[read(sql, each, operation="get") for each in parameters]) == ["loops"]
    assert judged(*[read(sql, each) for each in parameters]) == []


# --- lists -----------------------------------------------------------------------------------------------------------


def listed(*lists: tuple[object, ...], rows: int = 1, apart: bool = False) -> list[Query]:
    """Reads of lists, with something else read between them or not."""
    found: list[Query] = []
    for number, each in enumerate(lists):
        found.append(read(f"SELECT id FROM book WHERE id IN ({', '.join('?' * len(each))})", each, rows=rows))
        if apart:
            found.append(read(f"SELECT id FROM note_{number}"))
    return found


def test_few_long_lists_are_pieces_whatever_their_lengths_and_whatever_lies_between() -> None:
    assert judged(*listed((1, 2, 3), (9, 8, 7, 6), (11, 12, 13, 14, 15), apart=True)) == []


def test_many_short_lists_of_several_lengths_are_a_loop() -> None:
    assert judged(*listed((1, 2), (3, 4, 5), (6, 7), (8, 9, 10))) == ["loops"]


def test_lists_of_one_value_or_out_of_order_are_a_loop() -> None:
    assert judged(*listed((1,), (2,), (3,))) == ["loops"]
    assert judged(*listed((5, 6), (1, 2), (9, 10), (7, 8))) == ["loops"]


def test_pieces_may_go_downwards_and_the_order_of_texts_is_not_known() -> None:
    assert judged(*listed((7, 8), (5, 6), (3, 4), (1,))) == []
    assert judged(*listed(("c", "a"), ("x", "b"), ("k", "q"), ("e", "z"))) == []


def test_each_level_is_as_long_as_the_answer_before_it() -> None:
    levels = listed((1, 2), (3, 4, 5), (5, 6, 7, 8), (8, 9))
    for level, rows in zip(levels, (3, 4, 2, 0), strict=True):
        level.rows = rows
    assert judged(*levels) == []
    levels[0].rows = 7
    assert judged(*levels) == ["loops"]


def test_lists_whose_values_nobody_knows_are_a_loop() -> None:
    lists = listed((1, 2, 3), (4, 5, 6), (7, 8, 9))
    for query in lists:
        query.parameters = None

    assert judged(*lists) == ["loops"]


# --- the rest --------------------------------------------------------------------------------------------------------


def test_a_search_ends_with_the_row_that_only_the_last_candidate_had() -> None:
    tried = [read(BOOK, (n,), operation="first", rows=int(n == 3)) for n in range(4)]
    assert judged(*tried) == []
    tried[-1].rows = 0
    assert judged(*tried) == ["loops"]
    assert judged(*[read("SELECT EXISTS (SELECT 1 FROM book WHERE slug = ?)", (n,)) for n in range(4)]) == ["loops"]
    asked = [read("SELECT EXISTS (SELECT 1 FROM book WHERE slug = ?)", (n,)) for n in range(4)]
    for number, query in enumerate(asked):
        query.answer = int(number == 3)
    assert judged(*asked) == []


def test_locked_rows_in_one_transaction_or_in_none_are_a_loop() -> None:
    for transaction in (1, None):
        queries = locked_rows()
        for query in queries:
            query.transaction = transaction
        assert judged(*queries) == ["loops"]


def test_a_lock_that_is_taken_behind_the_read_guards_nothing() -> None:
    queries = locked_rows()
    for lock, row in zip(queries[::2], queries[1::2], strict=True):
        lock.started, row.started = row.started, lock.started

    assert judged(*sorted(queries, key=lambda query: query.started)) == ["loops"]


def test_a_lock_that_only_the_library_knows_of_is_one() -> None:
    queries = locked_rows()
    for lock in queries[::2]:
        lock.raw_sql, lock.locks = "SELECT id FROM account WHERE id = ?", True

    assert judged(*queries) == []


def test_what_is_drained_is_written_between_every_two_askings() -> None:
    queries = [query for index, query in enumerate(drained()) if index != 2]

    assert "loops" in judged(*queries)


def test_the_first_row_of_a_question_drains_nothing() -> None:
    queries = drained()
    for question in queries[::3]:
        assert question.provenance is not None
        question.provenance.operation = "first"

    assert "loops" in judged(*queries)


def test_one_answer_for_most_of_the_turns_is_not_drained_by_them() -> None:
    first, *rest = [drained()[0], *[read(BOOK, (n,)) for n in range(5)]]
    again = [write("INSERT INTO job (state) VALUES (?)", ("more",)), drained()[0], read(BOOK, (9,))]

    assert judged(first, *rest, *again) == ["loops"]


def test_parents_of_unknown_origin_were_not_drained() -> None:
    loads = [lazy("Job.owner", n, Lineage("U", ""), path=(LOOP, MAIN)) for n in range(3)]
    shared = Lineage("U", "").child("R", "Job.owner")
    for load in loads:
        assert load.provenance is not None
        load.provenance.lineage, load.provenance.parent_lineage = shared, shared.parent

    assert judged(*loads) == ["lineages"]


def drained_jobs(
    limit: str = " LIMIT 10", operation: str = "", *, states: tuple[str, ...] = ("new",) * 3, writes: int = 3
) -> list[Query]:
    """Jobs asked for again and again, each with its owner."""
    found: list[Query] = []
    shared = Lineage("Q", f"SELECT id FROM job WHERE state = ? ORDER BY id{limit}", path=(VIEW, MAIN))
    for n, state in enumerate(states):
        asked = read(shared.name, (state,), path=(VIEW, MAIN), operation=operation)
        assert asked.provenance is not None
        asked.provenance.lineage = shared
        found += [asked, lazy("Job.owner", n, shared)]
        if n < writes:
            found.append(write("INSERT INTO job (state) VALUES (?)", ("more",), path=(MAIN,)))
    return found


def test_parents_that_were_drained_are_no_siblings() -> None:
    assert judged(*drained_jobs()) == []


@pytest.mark.parametrize(
    "jobs",
    [
        drained_jobs(""),
        drained_jobs(operation="first"),
        drained_jobs(states=("new", "old", "odd")),
        drained_jobs(writes=1),
    ],
    ids=["without a limit", "the first of them", "other ones each time", "not written between"],
)
def test_parents_that_were_not_drained_are_siblings(jobs: list[Query]) -> None:
    assert "lineages" in judged(*jobs)


def test_the_same_answer_for_all_turns_is_not_drained() -> None:
    jobs = [drained()[0], write("INSERT INTO job (state) VALUES (?)", ("more",)), drained()[0]]

    assert "loops" in judged(*jobs, *[read(BOOK, (n,)) for n in range(4)])


def test_turns_before_the_first_asking_were_not_answered_by_it() -> None:
    assert "loops" in judged(read(BOOK, (7,)), read(BOOK, (8,)), *drained())


def test_a_question_without_a_limit_drains_nothing() -> None:
    queries = drained()
    for question in queries[::3]:
        question.raw_sql = "SELECT id FROM job WHERE state = ?"

    assert "loops" in judged(*queries)


def test_a_prefetch_is_no_question_that_drains() -> None:
    queries = drained()
    for question in queries[::3]:
        assert question.provenance is not None
        question.provenance.role = "eager"

    assert "loops" in judged(*queries)


def test_a_gap_of_fifty_milliseconds_is_none_yet() -> None:
    def clock(gap: float) -> list[str]:
        return judged(*[read("SELECT id FROM event WHERE at = ?", (n,), at=1 + n * (1 + gap)) for n in range(4)])

    assert clock(50) == ["loops"]
    assert clock(50.001) == []


def test_a_search_that_found_something_in_each_turn_is_none() -> None:
    asked = [read(BOOK, (n,), operation="get", rows=1) for n in range(4)]
    assert judged(*asked) == ["loops"]
    free = [read(FREE, (n,), operation="exists", rows=1) for n in range(4)]
    assert judged(*free) == ["loops"]


def test_few_lists_are_as_many_as_they_are_long_at_most() -> None:
    assert judged(*listed((1, 2, 3), (4, 5), (6, 7, 8, 9), apart=True)) == []
    assert judged(*listed((1, 2, 3), (4, 5), (6, 7, 8), apart=True)) == ["loops"]


def test_a_last_list_that_is_longer_is_no_rest() -> None:
    assert judged(*listed((1, 2), (3, 4), (5, 6), (7, 8, 9))) == ["loops"]
