from collections.abc import Sequence

import pytest

from dbprofile.analysis.grouping import analyse
from dbprofile.analysis.groups import Group
from dbprofile.capture.provenance import Lineage
from dbprofile.capture.query import Query
from tests.building import LOOP, MAIN, VIEW, lazy, origin_of, profile, read, write

INSERT = "INSERT INTO book (title) VALUES (?)"
UPDATE = "UPDATE book SET title = ? WHERE id = ?"
DELETE = "DELETE FROM book WHERE id IN (?)"


def written(queries: Sequence[Query]) -> Sequence[Group]:
    return analyse(profile(*queries)).writes


def turns(queries: Sequence[Query]) -> list[int]:
    return [group.count for group in written(queries)]


def call(operation: str, number: int, *queries: Query, parent: object = None, model: str = "Book") -> list[Query]:
    """The statements of one call of the application."""
    for query in queries:
        assert query.provenance is not None
        query.provenance.role = "write"
        query.provenance.operation = operation
        query.provenance.model = model
        query.provenance.invocation = number
        query.provenance.parent = parent
    return list(queries)


@pytest.mark.parametrize("sql", [INSERT, UPDATE, DELETE])
def test_three_single_rows_from_one_place_are_a_loop_of_writes(sql: str) -> None:
    parameters = [(n, n)[: sql.count("?")] for n in range(3)]
    assert turns([write(sql, each) for each in parameters]) == [3]
    assert turns([write(sql, each) for each in parameters[:2]]) == []


def test_writes_from_three_lines_are_none() -> None:
    assert turns([write(INSERT, (n,), path=(place, MAIN)) for n, place in enumerate((LOOP, VIEW, MAIN))]) == []


def test_an_insert_of_several_rows_is_a_batch() -> None:
    many = "INSERT INTO book (title) VALUES (?), (?), (?)"
    assert turns([write(many, (n, n, n)) for n in range(4)]) == []


def test_an_executemany_is_a_batch() -> None:
    queries = [write(INSERT, (n,)) for n in range(4)]
    for query in queries:
        query.batch_size = 100
    assert turns(queries) == []


def test_an_insert_that_selects_is_a_batch() -> None:
    assert turns([write("INSERT INTO archive SELECT * FROM book WHERE shelf = ?", (n,)) for n in range(4)]) == []


def test_a_deletion_by_a_list_is_a_batch_and_by_the_parents_key_one_write() -> None:
    assert turns([write("DELETE FROM book WHERE id IN (?, ?)", (n, n + 10)) for n in range(4)]) == []
    assert turns([write("DELETE FROM book WHERE author_id = ?", (n,)) for n in range(4)]) == [4]


def test_all_statements_of_one_call_are_one_turn() -> None:
    queries = [
        query
        for n in range(3)
        for query in call("get_or_create", n, read("SELECT id FROM book WHERE title = ?", (n,)), write(INSERT, (n,)))
    ]
    (group,) = written(queries)

    assert (group.count, len(group.queries)) == (3, 6)
    assert not analyse(profile(*queries)).loops


def test_a_call_that_found_its_row_counts_where_others_wrote() -> None:
    queries = [
        query
        for n in range(4)
        for query in call(
            "get_or_create",
            n,
            read("SELECT id FROM book WHERE title = ?", (n,)),
            *([write(INSERT, (n,))] if n % 2 else []),
        )
    ]
    assert turns(queries) == [4]


def test_calls_that_wrote_nothing_at_all_are_a_loop_of_reads() -> None:
    queries = [
        query for n in range(4) for query in call("get_or_create", n, read("SELECT id FROM book WHERE title = ?", (n,)))
    ]
    analysis = analyse(profile(*queries))

    assert not analysis.writes
    assert [group.count for group in analysis.loops] == [4]


def test_a_related_manager_that_writes_for_three_parents_is_a_loop_whatever_the_rows() -> None:
    many = "INSERT INTO book_tags (book_id, tag_id) VALUES (?, ?), (?, ?)"
    assert turns([q for n in range(3) for q in call("add", n, write(many, (n, 1, n, 2)), parent=n)]) == [3]
    assert turns([q for n in range(3) for q in call("add", n, write(many, (1, n, 1, n + 3)), parent="one")]) == []


def test_a_small_flush_of_one_thing_with_its_parts_is_one_row() -> None:
    def flush(number: int, lines: int) -> list[Query]:
        parts = write("INSERT INTO line (order_id) VALUES (?)", (number,))
        parts.batch_size = lines
        return call("flush", number, write("INSERT INTO orders (id) VALUES (?)", (number,)), parts)

    assert turns([query for n in range(3) for query in flush(n, 3)]) == [3]
    assert turns([query for n in range(3) for query in flush(n, 300)]) == []


def test_one_flush_of_many_rows_is_one_unit_of_work() -> None:
    assert (
        turns([query for _ in range(1) for query in call("flush", 1, *[write(INSERT, (n,)) for n in range(50)])]) == []
    )


def test_one_row_that_is_written_again_and_again_makes_progress() -> None:
    assert turns([write(UPDATE, (state, 7)) for state in range(5)]) == []


def test_changes_that_meet_no_row_are_none() -> None:
    queries = [write(UPDATE, (n, n)) for n in range(4)]
    for query, met in zip(queries, (0, 0, 1, 0), strict=True):
        query.affected_rows = met
    assert turns(queries) == []


def test_windows_that_move_are_no_loop_over_rows() -> None:
    archive = "DELETE FROM log WHERE at >= ? AND at < ?"
    assert turns([write(archive, (n, n + 1)) for n in range(5)]) == []


def test_another_attempt_after_a_rollback_does_not_count() -> None:
    attempts = [write(INSERT, (1,), transaction=n) for n in range(4)]
    assert turns(attempts) == []
    autocommitted = [write(INSERT, (1,)) for _ in range(4)]
    assert turns(autocommitted) == [4]


def test_row_by_row_locking_is_meant() -> None:
    queries = []
    for n in range(4):
        queries += [
            read("SELECT id FROM account WHERE id = ? FOR UPDATE", (n,), transaction=n),
            write("UPDATE account SET amount = ? WHERE id = ?", (n, n), transaction=n),
        ]
    assert turns(queries) == []


def test_a_queue_that_is_worked_off_is_no_loop() -> None:
    queries = []
    for n in range(4):
        queries += [
            read("SELECT id FROM job WHERE state = ? ORDER BY id LIMIT 1", ("new",)),
            write("UPDATE job SET state = ? WHERE id = ?", ("done", n)),
            write("INSERT INTO result (job_id) VALUES (?)", (n,)),
        ]
    assert turns(queries) == []


def test_the_origin_is_what_loaded_the_written_objects() -> None:
    rows = read("SELECT id, title FROM book", rows=3)
    saves = [q for n in range(3) for q in call("save", n, write(UPDATE, (n, n)))]
    for query in saves:
        assert query.provenance is not None
        query.provenance.parent_lineage = origin_of(rows)
    (group,) = written([rows, *saves])

    assert group.origin is rows


def test_a_refresh_right_behind_each_turn_belongs_to_it() -> None:
    above = origin_of(read("SELECT id FROM book", rows=3))
    queries = []
    for n in range(3):
        refresh = lazy("Book", n, above, kind="", variant="refresh")
        queries += [*call("flush", n, write(INSERT, (n,))), refresh]
    analysis = analyse(profile(*queries))

    (group,) = analysis.writes
    assert len(group.followed) == 3
    assert not analysis.lineages


def test_a_write_without_a_call_path_is_not_judged() -> None:
    assert turns([write(INSERT, (n,), path=()) for n in range(5)]) == []


def test_one_line_that_saves_rows_of_two_models_is_two_places() -> None:
    def saves(number: int) -> list[Query]:
        return [query for n in range(number) for model in ("Book", "Tag") for query in call("save", hash((n, model)), write(INSERT, (n,)), model=model)]  # fmt: skip

    assert turns(saves(2)) == []
    assert turns(saves(3)) == [3, 3]


def test_saves_of_other_columns_are_one_operation() -> None:
    columns = ("title", "price", "shelf", "pages")
    saves = [q for n, column in enumerate(columns) for q in call("save", n, write(f"UPDATE book SET {column} = ? WHERE id = ?", (n, n)))]  # fmt: skip

    assert turns(saves) == [4]
    for query in saves:
        assert query.provenance is not None
        query.provenance.operation = ""
    assert turns(saves) == []


def test_where_nothing_is_known_of_why_a_write_ran_its_statement_decides() -> None:
    queries = [write(INSERT, (n,)) for n in range(4)]
    for query in queries:
        query.provenance, query.call_site = None, LOOP

    assert turns(queries) == [4]


@pytest.mark.parametrize("operation", ["delete", "flush"])
def test_a_call_that_had_nothing_to_write_counts_where_others_wrote(operation: str) -> None:
    look = "SELECT id FROM page WHERE book_id = ?"
    queries = [
        query
        for n in range(4)
        for query in call(operation, n, read(look, (n,)), *([write("DELETE FROM page WHERE book_id = ?", (n,))] if n else []))
    ]  # fmt: skip

    assert turns(queries) == [4]


@pytest.mark.parametrize(
    ("sql", "counts"),
    [
        ("UPDATE book SET price = (SELECT max(price) FROM book) WHERE id = ?", [4]),
        ("INSERT INTO book (price) VALUES ((SELECT max(price) FROM offer WHERE id = ?))", [4]),
        ("INSERT INTO visit DEFAULT VALUES /* ? */", [4]),
        ("INSERT INTO archive (id) SELECT id FROM book WHERE shelf = ?", []),
    ],
    ids=[
        "an update that looks up",
        "an insert that looks up",
        "an insert of defaults",
        "an insert of what is selected",
    ],
)
def test_a_sub_select_makes_no_batch_but_what_an_insert_selects_does(sql: str, counts: list[int]) -> None:
    assert turns([write(sql, (n,) if "= ?" in sql else ()) for n in range(4)]) == counts


def test_a_flush_of_one_row_of_each_of_many_tables_is_one_row() -> None:
    def flush(number: int) -> list[Query]:
        return call("flush", number, *[write(f"INSERT INTO part_{chr(97 + n)} (id) VALUES (?)", (number,)) for n in range(25)])  # fmt: skip

    assert turns([query for n in range(3) for query in flush(n)]) == [3]


def test_changes_by_two_statements_are_no_progress_of_one_row() -> None:
    queries = [q for n in range(4) for q in call("save", n, write(("UPDATE book SET title = ?", "UPDATE book SET price = ?")[n % 2], (n,)))]  # fmt: skip

    assert turns(queries) == [4]


def test_rows_that_were_inserted_are_rows_whatever_the_driver_counts() -> None:
    queries = [write(INSERT, (n,)) for n in range(4)]
    for query in queries:
        query.affected_rows = 0

    assert turns(queries) == [4]


def test_the_same_statement_each_time_moves_no_window() -> None:
    assert turns([write(INSERT.replace("(?)", "(1)")) for _ in range(4)]) == [4]
    assert turns([write("UPDATE log SET seen = ? WHERE at > ?", (n, n)) for n in range(4)]) == [4]


def test_objects_of_unknown_origin_came_from_what_is_likely() -> None:
    rows = read("SELECT id, title FROM book", rows=3)
    saves = [q for n in range(3) for q in call("save", n, write(UPDATE, (n, n)))]
    for query in saves:
        assert query.provenance is not None
        query.provenance.parent_lineage = Lineage("U", "", path=(LOOP, MAIN))
    (group,) = written([rows, *saves])

    assert group.origin is rows


def test_a_flush_of_twenty_rows_is_no_small_thing_and_one_without_a_head_is_no_thing() -> None:
    def flush(number: int, lines: int, heads: int = 1) -> list[Query]:
        head, parts = (
            write("INSERT INTO orders (id) VALUES (?)", (number,)),
            write("INSERT INTO line (id) VALUES (?)", (number,)),
        )
        head.batch_size, parts.batch_size = heads, lines
        return call("flush", number, head, parts)  # fmt: skip

    assert turns([query for n in range(3) for query in flush(n, 18)]) == [3]
    assert turns([query for n in range(3) for query in flush(n, 19)]) == []
    assert turns([query for n in range(3) for query in flush(n, 3, heads=2)]) == []


def test_a_batch_of_one_is_one_row() -> None:
    queries = [write(INSERT, (n,)) for n in range(4)]
    for query in queries:
        query.batch_size = 1

    assert turns(queries) == [4]


def test_what_was_undone_is_written_again_also_in_one_transaction() -> None:
    attempts = [write(INSERT, (1,), transaction=1) for _ in range(4)]
    assert turns(attempts) == [4]
    for attempt in attempts:
        attempt.undone = True
    assert turns(attempts) == []


def test_changes_of_which_two_met_a_row_are_a_loop() -> None:
    queries = [write(UPDATE, (n, n)) for n in range(4)]
    for query, met in zip(queries, (0, 1, 1, 0), strict=True):
        query.affected_rows = met

    assert turns(queries) == [4]


def test_one_row_that_is_refreshed_behind_every_turn_is_a_question_of_its_own() -> None:
    above = origin_of(read("SELECT id FROM user", rows=1))

    def followed(times: int, *, variant: str = "refresh") -> list[int]:
        queries: list[Query] = []
        for n in range(times + 2):
            queries += call("flush", n, write(INSERT, (n,)))
            if n < times:
                queries.append(lazy("Visit.user", "u", above, kind="", variant=variant))
        return [len(group.followed) for group in written(queries)]

    assert followed(2) == [2]
    assert followed(3) == [0]
    assert followed(2, variant="") == [0]


def test_a_refresh_that_something_lies_before_belongs_to_no_turn() -> None:
    above = origin_of(read("SELECT id FROM book", rows=3))
    queries: list[Query] = []
    for n in range(3):
        queries += [
            *call("flush", n, write(INSERT, (n,))),
            read(f"SELECT id FROM note_{n}", path=(VIEW, MAIN)),
            lazy("Visit.book", n, above, kind="", variant="refresh"),
        ]

    assert [len(group.followed) for group in written(queries)] == [0]


def test_the_origin_is_the_query_of_the_objects_and_none_that_is_like_it() -> None:
    other = read("SELECT id, title FROM book", rows=3, path=(LOOP, MAIN))
    rows = read("SELECT id, title FROM book", rows=9, path=(VIEW, MAIN))
    saves = [q for n in range(3) for q in call("save", n, write(UPDATE, (n, n)))]
    for query in saves:
        assert query.provenance is not None
        query.provenance.parent_lineage = origin_of(rows).child("S", "Book.author")
    lazily = lazy("Book.author", 1, origin_of(rows), path=(MAIN,))
    (group,) = written([lazily, other, rows, *saves])

    assert group.origin is rows
