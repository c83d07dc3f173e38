"""Each look-alike with a case that it silences and one that it must not; and that a case depends on each."""

from collections.abc import Callable

import pytest

from dbprofile.analysis import lineages, lookalikes, loops, writes
from dbprofile.analysis.grouping import analyse
from dbprofile.capture.query import Query
from tests.building import lazy, origin_of, profile, read, write

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
