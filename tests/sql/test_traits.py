import pytest

from dbprofile.sql import Statement, Traits


def traits(sql: str, dialect: str = "postgresql") -> Traits:
    return Statement.of(sql, dialect).traits


@pytest.mark.parametrize(
    ("sql", "where", "limit", "offset"),
    [
        ("SELECT a FROM t", False, False, False),
        ("SELECT a FROM t WHERE b = 1 LIMIT 1 OFFSET 2", True, True, True),
        ("SELECT a FROM t LIMIT 2, 3", False, True, True),
        ("SELECT a FROM t OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY", False, True, True),
        ("SELECT a FROM (SELECT b FROM u WHERE c = 1 LIMIT 3 OFFSET 2) x", False, False, False),
        ("SELECT a FROM t WHERE b IN (SELECT c FROM u LIMIT 3)", True, False, False),
        ("DELETE FROM t WHERE a = 1", True, False, False),
    ],
)
def test_clauses_count_at_the_outermost_level(sql: str, where: bool, limit: bool, offset: bool) -> None:
    found = traits(sql)
    assert (found.has_where, found.has_limit, found.has_offset) == (where, limit, offset)


@pytest.mark.parametrize(
    ("sql", "compares"),
    [
        ("SELECT a FROM t WHERE b = 1", False),
        ("SELECT a FROM t WHERE b < 1", True),
        ("SELECT a FROM t WHERE (b = 1 AND (c >= 2))", True),
        ("SELECT a FROM t WHERE b BETWEEN 1 AND 2", True),
        ("SELECT a FROM t WHERE b != 1", False),
        ("SELECT a FROM t WHERE b @> '{}'", False),
        ("SELECT a FROM t WHERE b IN (SELECT c FROM u WHERE d < 3)", False),
    ],
)
def test_a_comparison_counts_outside_sub_selects(sql: str, compares: bool) -> None:
    assert traits(sql).has_comparison is compares


@pytest.mark.parametrize(
    ("sql", "aggregates"),
    [
        ("SELECT COUNT(*) FROM t", True),
        ('SELECT COUNT(*) AS "__count", MAX(a) b FROM t', True),
        ("SELECT count(*) FILTER (WHERE a) AS n FROM t", True),
        ("SELECT EXISTS (SELECT 1 FROM t)", True),
        ("SELECT count(*) OVER () FROM t", False),
        ("SELECT count(*), a FROM t GROUP BY a", False),
        ("SELECT count(*) FROM t GROUP BY a", False),
        ("SELECT count(*) + 1 FROM t", False),
        ("SELECT a FROM t", False),
        ("SELECT lower(a) FROM t", False),
        ("SELECT (SELECT count(*) FROM t)", False),
        ("INSERT INTO t SELECT count(*) FROM u", False),
    ],
)
def test_aggregates_alone_answer_with_one_row(sql: str, aggregates: bool) -> None:
    assert traits(sql).aggregate_only is aggregates


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT a FROM t WHERE id = 1", ("id",)),
        ('SELECT a FROM "t" WHERE ("t"."id" = %s AND "t"."b" = %s)', ("t.id", "t.b")),
        ("SELECT a FROM t WHERE %s = t.id", ("t.id",)),
        ("UPDATE t SET a = 2 WHERE ((id = 1) AND b = 2)", ("id", "b")),
        ("DELETE FROM t WHERE id = 1 RETURNING id", ("id",)),
        ("SELECT a FROM t WHERE id = 1 ORDER BY id LIMIT 1", ("id",)),
        ("SELECT a FROM t WHERE id = 1 OR id = b", ()),
        ("SELECT a FROM t WHERE id = 1 OR b = 2", ()),
        ("SELECT a FROM t WHERE id > 1", ()),
        ("SELECT a FROM t WHERE id IN (1)", ()),
        ("SELECT a FROM t WHERE lower(id) = 'a'", ()),
        ("SELECT a FROM t WHERE (id, b) = (1, 2)", ()),
        ("SELECT a FROM t WHERE id = b", ()),
        ("SELECT a FROM t WHERE id = 1 AND b IS NULL", ()),
        ("SELECT a FROM t", ()),
        ("SELECT a FROM t WHERE", ()),
    ],
)
def test_key_columns_are_all_that_is_asked_for(sql: str, columns: tuple[str, ...]) -> None:
    assert traits(sql).key_columns == columns


@pytest.mark.parametrize(
    ("sql", "dialect", "volatile"),
    [
        ("SELECT now()", "postgresql", True),
        ("SELECT CURRENT_TIMESTAMP", "sqlite", True),
        ("INSERT INTO t VALUES (nextval('s'))", "postgresql", True),
        ("SELECT a FROM t ORDER BY RAND()", "mysql", True),
        ("SELECT pg_catalog.random()", "postgresql", True),
        ("SELECT date('now')", "sqlite", True),
        ("SELECT strftime('%Y', 'NOW')", "sqlite", True),
        ("SELECT datetime()", "sqlite", True),
        ("SELECT date(created) FROM t", "sqlite", False),
        ("SELECT now FROM t", "postgresql", False),
        ("SELECT t.current_date FROM t", "postgresql", False),
        ("SELECT lower(a), 'now()' FROM t", "postgresql", False),
    ],
)
def test_a_volatile_function_changes_its_answer_by_itself(sql: str, dialect: str, volatile: bool) -> None:
    assert traits(sql, dialect).volatile is volatile


def test_the_tail_is_the_same_for_rows_their_number_and_their_existence() -> None:
    tail = "FROM orders WHERE orders.status = ? AND orders.tenant_id IN (?+)"
    condition = 'FROM "orders" WHERE "orders"."status" = %s AND "orders"."tenant_id" IN (%s, %s)'
    for sql in (
        f'SELECT "orders"."id" {condition} ORDER BY "orders"."id" DESC LIMIT 21',
        f'SELECT COUNT(*) AS "__count" {condition}',
        f"SELECT 1 AS a {condition} LIMIT 1",
        f"SELECT EXISTS (SELECT 1 {condition}) AS x",
        f"WITH x AS (SELECT 1 FROM y) SELECT 1 {condition} FOR UPDATE",
    ):
        assert traits(sql).tail == tail


def test_a_statement_without_tables_has_no_tail() -> None:
    assert traits("SELECT 1").tail == ""
    assert traits("UPDATE t SET a = 1 WHERE b = 2").tail == ""
