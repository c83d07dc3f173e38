import pytest

from dbprofile.sql import Position, measure


def roles(sql: str, paramstyle: str | None = None) -> list[tuple[str, str]]:
    return [(value.role, value.column) for value in measure(sql, "postgresql", paramstyle).values]


@pytest.mark.parametrize(
    ("condition", "role", "column"),
    [
        ("a = 1", "equal", "a"),
        ('"t"."a" = %s', "equal", "t.a"),
        ("%s = t.a", "equal", "t.a"),
        ("%s = a::text", "equal", "a"),
        ("a > 1", "lower bound", "a"),
        ("a >= -1", "lower bound", "a"),
        ("a < 1", "upper bound", "a"),
        ("1 <= a", "lower bound", "a"),
        ("%s::int > a", "upper bound", "a"),
        ("a != 1", "other", ""),
        ("a LIKE 'x'", "other", ""),
        ("lower(a) = 'x'", "equal", ""),
        ("a = (1)", "equal", "a"),
        ("f(1)", "other", ""),
        ("a = f(1)", "other", ""),
        ("a IN (1)", "in", "a"),
        ("t.a NOT IN (%s)", "in", "t.a"),
    ],
)
def test_a_value_has_the_role_that_its_operator_gives_it(condition: str, role: str, column: str) -> None:
    assert roles(f"SELECT x FROM t WHERE {condition} AND b IS NOT NULL") == [(role, column)]


def test_both_ends_of_between_are_bounds() -> None:
    expected = [("lower bound", "t.a"), ("upper bound", "t.a")]
    assert roles("SELECT x FROM t WHERE t.a BETWEEN %s AND 5") == expected
    assert roles("SELECT x FROM t WHERE t.a NOT BETWEEN 1 AND %s") == expected


def test_the_values_of_a_row_belong_to_its_columns() -> None:
    assert roles("SELECT x FROM t WHERE (a, t.b) > (%s, 5)") == [("lower bound", "a"), ("lower bound", "t.b")]


def test_an_assigned_value_is_not_compared() -> None:
    assert roles("UPDATE t SET a = 1, b = %s WHERE c = 2") == [("other", "a"), ("other", "b"), ("equal", "c")]


@pytest.mark.parametrize(
    ("sql", "limit", "offset"),
    [
        ("SELECT a FROM t LIMIT 5", 5, None),
        ("SELECT a FROM t LIMIT 5 OFFSET 10", 5, 10),
        ("SELECT a FROM t LIMIT 10, 5", 5, 10),
        ("SELECT a FROM t WHERE b = %s LIMIT %s OFFSET %s", Position(1), Position(2)),
        ("SELECT a FROM t LIMIT %(n)s", Position("n"), None),
        ("SELECT a FROM t LIMIT $2 OFFSET $1", Position(1), Position(0)),
        ("SELECT a FROM t OFFSET 3 ROWS FETCH NEXT 4 ROWS ONLY", 4, 3),
        ("SELECT a FROM (SELECT b FROM u LIMIT 5) x", None, None),
        ("SELECT a FROM t LIMIT ALL", None, None),
        ("SELECT a FROM t", None, None),
    ],
)
def test_limit_and_offset_are_numbers_or_the_parameters_that_hold_them(
    sql: str, limit: int | Position | None, offset: int | Position | None
) -> None:
    found = measure(sql, "postgresql")
    assert (found.limit, found.offset) == (limit, offset)


@pytest.mark.parametrize(
    ("sql", "longest"),
    [
        ("SELECT a FROM t WHERE b = 1", 0),
        ("SELECT a FROM t WHERE b IN (1) AND c IN (1, 2, 3)", 3),
        ("SELECT a FROM t WHERE b IN (%s, %s, 'a,(b')", 3),
        ("SELECT a FROM t WHERE b IN (f(1, 2), 3)", 2),
        ("SELECT a FROM t WHERE (b, c) IN ((1, 2), (3, 4), (5, 6))", 3),
        ("SELECT a FROM t WHERE (b, c) IN ((1, 2), (3, f(4, 5)))", 2),
        ("SELECT a FROM t WHERE b IN (SELECT c, d FROM u)", 0),
        ("SELECT a FROM t WHERE b IN (" + ", ".join(["%s"] * 30_000) + ")", 30_000),
        ("SELECT a FROM t WHERE b IN (1, 2, 3", 3),
    ],
)
def test_the_longest_list_is_counted(sql: str, longest: int) -> None:
    assert measure(sql, "postgresql").longest_list == longest


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("INSERT INTO t VALUES (1, 'a(b')", 1),
        ("INSERT INTO t VALUES (1, 2), (3, 4), (%s, %s)", 3),
        ("INSERT INTO t VALUES (1, now()), (3, 4), (5, f(6, 7))", 3),
        ("INSERT INTO t VALUES (1, 2), (3, now())", 2),
        ("INSERT INTO t SELECT 1", 0),
    ],
)
def test_the_rows_behind_values_are_counted(sql: str, rows: int) -> None:
    assert measure(sql, "postgresql").value_rows == rows


@pytest.mark.parametrize(
    ("sql", "positions"),
    [
        ("SELECT %s, 1, %s WHERE a IN (%s, 2, %s)", [0, None, 1, 2, None, 3]),
        ("SELECT %(a)s, %(b)s, %(a)s", ["a", "b", "a"]),
        ("SELECT $2, $1::int", [1, 0]),
        ("SELECT :first, :2", ["first", 1]),
    ],
)
def test_parameters_are_told_by_their_place_number_or_name(sql: str, positions: list[int | str | None]) -> None:
    assert [value.position for value in measure(sql, "postgresql").values] == positions


def test_literals_are_told_by_their_value() -> None:
    values = measure("SELECT 7, -7, 1.5, 'x', TRUE, NULL WHERE a IN (5, 'y')", "postgresql").values
    assert [value.hash for value in values] == [hash(v) for v in (7, -7, 1.5, "x", True, None, 5, "y")]


def test_null_behind_is_no_value() -> None:
    assert roles("SELECT a FROM t WHERE a IS NULL AND b IS NOT NULL AND c = NULL") == [("equal", "c")]


@pytest.mark.parametrize(
    "sql", ["", "(", ")", ", ,", "IN (", "VALUES (", "BETWEEN 1 AND", "LIMIT", "= 1", "1 =", "'", b"\xff 1"]
)
def test_any_text_can_be_measured(sql: str | bytes) -> None:
    assert measure(sql).values is not None
