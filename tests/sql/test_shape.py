import pytest

from dbprofile.sql import Statement

SHAPES = [
    (
        (
            'SELECT "orders"."id", "orders"."total" FROM "orders" INNER JOIN "customer" ON '
            '("orders"."customer_id" = "customer"."id") WHERE "orders"."tenant_id" = %s'
        ),
        "SELECT orders JOIN customer WHERE tenant_id = ?",
    ),
    ("SELECT a FROM t o LEFT OUTER JOIN u AS v ON v.id = (SELECT 1 FROM w)", "SELECT t LEFT JOIN u"),
    ("SELECT a FROM t JOIN u USING (a, b) CROSS JOIN v", "SELECT t JOIN u CROSS JOIN v"),
    ("SELECT a FROM t AS x (a, b), public.u y WHERE x.a = y.a", "SELECT t, public.u WHERE a = a"),
    ("SELECT DISTINCT t.a, count(*) FROM t WHERE t.b IN (1, 2)", "SELECT t WHERE b IN (...)"),
    ("SELECT a FROM t WHERE ((t.b = 1) AND (t.c = 2))", "SELECT t WHERE (b = ?) AND (c = ?)"),
    (
        "SELECT a FROM t WHERE ((t.b = 1 AND t.c = 2)) ORDER BY t.d DESC, e LIMIT 5",
        "SELECT t WHERE b = ? AND c = ? ORDER BY d DESC, e LIMIT ?",
    ),
    ("SELECT a FROM t GROUP BY t.a HAVING count(t.b) > 3", "SELECT t GROUP BY a HAVING count(b) > ?"),
    ("SELECT a FROM t WHERE b IN (SELECT u.c FROM u WHERE u.d = 1)", "SELECT t WHERE b IN (SELECT u WHERE d = ?)"),
    ("SELECT count(*) FROM (SELECT DISTINCT a FROM t WHERE b = 1) x", "SELECT (SELECT t WHERE b = ?)"),
    ("SELECT EXISTS (SELECT 1 FROM t WHERE a = 1)", "SELECT (SELECT t WHERE a = ?)"),
    ("SELECT (SELECT 1 FROM u) FROM t", "SELECT t"),
    ("SELECT 1", "SELECT"),
    ("SELECT g FROM generate_series(1, 2) g", "SELECT generate_series(?, ?)"),
    ("SELECT a FROM t UNION ALL SELECT b FROM u ORDER BY 1", "SELECT t UNION ALL SELECT u ORDER BY ?"),
    ("WITH x AS (SELECT a FROM t) SELECT * FROM x WHERE x.a = 1", "WITH x AS (SELECT t) SELECT x WHERE a = ?"),
    (
        "SELECT a FROM t WHERE extract(year FROM t.b) = 1 AND c IS DISTINCT FROM d",
        "SELECT t WHERE extract(year FROM b) = ? AND c IS DISTINCT FROM d",
    ),
    ("SELECT a FROM t WHERE b = 1 FOR UPDATE OF t", "SELECT t WHERE b = ? FOR UPDATE OF t"),
    ("SELECT a FROM t WHERE b ?| ARRAY['x'] AND c::int = 1", "SELECT t WHERE b ?| ARRAY[...] AND c::int = ?"),
    ("SELECT a INTO u FROM t", "SELECT INTO u FROM t"),
    ("INSERT INTO orders (a, b) VALUES (1, 2), (3, 4) RETURNING orders.id", "INSERT orders"),
    ("INSERT INTO orders DEFAULT VALUES", "INSERT orders"),
    ("INSERT INTO orders (a) SELECT b FROM cart WHERE id = 1", "INSERT orders SELECT cart WHERE id = ?"),
    (
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = 2",
        "INSERT t ON CONFLICT (a) DO UPDATE SET b, c",
    ),
    (
        "UPDATE orders SET total = 1, b = CASE WHEN c THEN d END WHERE orders.id = 2",
        "UPDATE orders SET total, b WHERE id = ?",
    ),
    ("UPDATE orders SET a = c.a FROM c WHERE c.id = orders.id", "UPDATE orders SET a FROM c WHERE id = id"),
    ("DELETE FROM orders WHERE orders.id IN (1, 2)", "DELETE orders WHERE id IN (...)"),
    ("SAVEPOINT s1", "SAVEPOINT"),
    ("RELEASE SAVEPOINT s1", "RELEASE SAVEPOINT"),
    ("ROLLBACK TO SAVEPOINT s1", "ROLLBACK TO SAVEPOINT"),
    ("CLOSE c1", "CLOSE"),
    ("CREATE TABLE IF NOT EXISTS t (a int, b text)", "CREATE TABLE t"),
    ("CREATE INDEX i ON t (a)", "CREATE INDEX i t"),
    ("CALL report(1, 'a')", "CALL report(?, ?)"),
    ("SET search_path = app", "SET search_path = app"),
    ('SELECT "Id" FROM "Foo Bar" WHERE "Foo Bar"."Id" = 1', 'SELECT "Foo Bar" WHERE "Id" = ?'),
    ("", ""),
]


@pytest.mark.parametrize(("sql", "shape"), SHAPES)
def test_the_shape_is_what_people_read(sql: str, shape: str) -> None:
    assert Statement.of(sql, "postgresql").shape == shape


@pytest.mark.parametrize("sql", [sql for sql, _ in SHAPES])
def test_a_text_that_is_cut_has_a_shape_too(sql: str) -> None:
    for end in range(len(sql)):
        assert isinstance(Statement(sql[:end], "postgresql").shape, str)


def test_nothing_in_brackets_stays_nothing() -> None:
    assert Statement.of("DELETE FROM t WHERE ()").shape == "DELETE t WHERE ()"


def test_the_shape_of_mysql_updates() -> None:
    sql = "INSERT INTO `t` (`a`) VALUES (1) ON DUPLICATE KEY UPDATE `a` = VALUES(`a`), `b` = 2"
    assert Statement.of(sql, "mysql").shape == "INSERT t ON DUPLICATE KEY UPDATE a, b"
    assert Statement.of("UPDATE a JOIN b ON a.id = b.id SET a.x = 1", "mysql").shape == "UPDATE a JOIN b SET x"
    assert Statement.of("SELECT /*+ NO_ICP(t) */ a FROM t", "mysql").shape == "SELECT t"


def test_a_new_column_changes_the_fingerprint_but_not_the_shape() -> None:
    one, two = Statement.of("SELECT a FROM t WHERE c = 1"), Statement.of("SELECT a, b FROM t WHERE c = 1")
    assert one != two
    assert one.shape == two.shape


@pytest.mark.parametrize(
    ("sql", "dialect"),
    [
        ('SELECT "t"."a" FROM "t" WHERE "t"."b" = %s', "postgresql"),
        ("SELECT `t`.`a` FROM `t` WHERE `t`.`b` = %s", "mysql"),
        ("SELECT [t].[a] FROM [t] WHERE [t].[b] = ?", "sqlite"),
    ],
)
def test_the_shape_is_the_same_for_every_database(sql: str, dialect: str) -> None:
    assert Statement.of(sql, dialect).shape == "SELECT t WHERE b = ?"
