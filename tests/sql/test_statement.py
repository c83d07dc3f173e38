from dataclasses import replace

import pytest

from dbprofile.sql import Statement, statement
from dbprofile.sql.dialects import MYSQL
from dbprofile.sql.marks import same_table

CANONICAL = [
    (
        'SELECT "a"."id", COUNT(*) FROM "order" AS "a" WHERE ("a"."user_id" IN (%s, %s) OR "a"."total" > -5)',
        'SELECT a.id, count(*) FROM "order" AS a WHERE (a.user_id IN (?+) OR a.total > ?)',
    ),
    ("insert into Users(Email) values ('a'), ('b')", "INSERT INTO users (email) VALUES (?+)"),
    ("SELECT ARRAY[1, 2], x [ 1 ], a . b . c", "SELECT ARRAY[?+], x[?+], a.b.c"),
    ("SELECT CAST(x AS numeric(10, 2)), left (a, 1)", "SELECT CAST(x AS numeric(?, ?)), LEFT(a, ?)"),
    (
        "SELECT * FROM t WHERE a = ANY ('{1,2}'::int[]) AND b IS NOT NULL",
        "SELECT * FROM t WHERE a = ANY(?) AND b IS NOT NULL",
    ),
    ("SELECT 1;SELECT 2 ;", "SELECT ?; SELECT ?"),
    ("SELECT DATE '2024-01-01' , interval '1 day'", "SELECT date ?, interval ?"),
    ("SELECT a FROM t LIMIT 5, 10", "SELECT a FROM t LIMIT ? OFFSET ?"),
    ("SELECT", "SELECT"),
    ("", ""),
    (" ; ;; ", ""),
    ("-- nothing\n/* at all */", ""),
]


@pytest.mark.parametrize(("sql", "text"), CANONICAL)
def test_the_canonical_text_is_what_people_would_write(sql: str, text: str) -> None:
    assert Statement.of(sql, "postgresql").text == text


@pytest.mark.parametrize(("_sql", "text"), CANONICAL)
def test_the_canonical_text_is_its_own_canonical_text(_sql: str, text: str) -> None:
    marked = text.replace("?+", "?")
    assert Statement.of(marked, "sqlite").text.replace("?+", "?") == marked


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("select 1", "SELECT"),
        ("(SELECT 1) UNION (SELECT 2)", "SELECT"),
        ("/* x */ ; INSERT INTO t VALUES (1)", "INSERT"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "SELECT"),
        ("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "INSERT"),
        ("WITH x AS (DELETE FROM t RETURNING id) SELECT * FROM x", "DELETE"),
        ("BEGIN", "BEGIN"),
        ("BEGIN IMMEDIATE", "BEGIN"),
        ("START TRANSACTION READ ONLY", "BEGIN"),
        ("COMMIT", "COMMIT"),
        ("END", "COMMIT"),
        ("ROLLBACK TO SAVEPOINT a", "ROLLBACK"),
        ("ABORT", "ROLLBACK"),
        ("SAVEPOINT a", "SAVEPOINT"),
        ("RELEASE SAVEPOINT a", "RELEASE"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("CREATE TABLE t (a int)", "CREATE"),
        ("VALUES (1), (2)", "VALUES"),
        ("PRAGMA foreign_keys = ON", "PRAGMA"),
        ("SHOW search_path", "SHOW"),
        ("SET NAMES utf8", "SET"),
        ("LISTEN c", "LISTEN"),
        ("FLUSH TABLES", "FLUSH"),
        ("FROBNICATE t", "FROBNICATE"),
        ("'just a string'", ""),
        ("", ""),
    ],
)
def test_the_verb_is_the_first_operation(sql: str, verb: str) -> None:
    assert Statement.of(sql, "postgresql").verb == verb


@pytest.mark.parametrize(
    ("sql", "tables", "written"),
    [
        ("SELECT * FROM a, b c JOIN public.d ON true LEFT JOIN e USING (x)", ("a", "b", "public.d", "e"), ()),
        ("SELECT * FROM (SELECT * FROM a) x, (b JOIN c ON true)", ("a", "b", "c"), ()),
        ("SELECT * FROM ONLY a WHERE b IN (SELECT 1 FROM c)", ("a", "c"), ()),
        ("SELECT * FROM generate_series(1, 2) g, LATERAL unnest(x) u, a", ("a",), ()),
        ("WITH x AS (SELECT * FROM a), y (n) AS MATERIALIZED (SELECT 1) SELECT * FROM x, y, b", ("a", "b"), ()),
        ("WITH RECURSIVE x AS (SELECT 1 UNION ALL SELECT n FROM x, a) SELECT * FROM x", ("a",), ()),
        ("WITH a AS (SELECT * FROM a) SELECT * FROM a", ("a",), ()),
        ("SELECT extract(year FROM b), substring(c FROM 2), trim(both FROM d) FROM a", ("a",), ()),
        ("SELECT overlay(b PLACING c FROM 2) FROM a WHERE d IS NOT DISTINCT FROM e", ("a",), ()),
        ("SELECT * FROM a FOR UPDATE OF a", ("a",), ()),
        ("SELECT * INTO TEMP b FROM a", ("b", "a"), ("b",)),
        ("INSERT INTO a (x) SELECT x FROM b ON CONFLICT (x) DO UPDATE SET x = 1", ("a", "b"), ("a",)),
        ("INSERT a VALUES (1)", ("a",), ("a",)),
        ("UPDATE ONLY a SET x = b.x FROM b WHERE true", ("a", "b"), ("a",)),
        ("DELETE FROM a USING b, c WHERE true", ("a", "b", "c"), ("a",)),
        ("MERGE INTO a USING b ON true WHEN MATCHED THEN UPDATE SET x = 1", ("a", "b"), ("a",)),
        ("MERGE INTO a USING (SELECT * FROM b) c ON true WHEN MATCHED THEN DELETE", ("a", "b"), ("a",)),
        ("TRUNCATE TABLE a, ONLY b", ("a", "b"), ("a", "b")),
        ("TRUNCATE a CASCADE", ("a",), ("a",)),
        ("COPY a (x, y) FROM STDIN", ("a",), ("a",)),
        ("COPY a TO STDOUT", ("a",), ()),
        ("COPY (SELECT * FROM a) TO STDOUT", ("a",), ()),
        ("LOCK TABLE a, b IN SHARE MODE", ("a", "b"), ()),
        ("CREATE TABLE IF NOT EXISTS a AS SELECT * FROM b", ("a", "b"), ("a",)),
        ("CREATE MATERIALIZED VIEW a AS SELECT * FROM b", ("a", "b"), ("a",)),
        ("CREATE INDEX i ON a (x)", ("a",), ("a",)),
        ("ALTER TABLE IF EXISTS ONLY a ADD COLUMN x int", ("a",), ("a",)),
        ("DROP TABLE a, b", ("a", "b"), ("a", "b")),
        ("CREATE ROLE bob", (), ()),
        ("DECLARE c CURSOR FOR SELECT * FROM a", ("a",), ()),
        ("FETCH 10 FROM c", (), ()),
        ("SAVEPOINT a", (), ()),
        ("EXECUTE a", (), ()),
        ("SELECT * FROM events_20240101", ("events_#",), ()),
        ('SELECT * FROM "Order"', ('"Order"',), ()),
        ("DELETE FROM a WHERE b = 1; SELECT * FROM b", ("a", "b"), ("a",)),
        ("DELETE a WHERE b = 1", ("a",), ("a",)),
        ("SELECT * FROM a; DELETE FROM b", ("a", "b"), ("b",)),
        ("GRANT SELECT ON a TO bob", (), ()),
        ("REVOKE SELECT ON a FROM bob", (), ()),
        ("TABLE a", ("a",), ()),
        ("SELECT 1", (), ()),
    ],
)
def test_tables_are_told_by_position(sql: str, tables: tuple[str, ...], written: tuple[str, ...]) -> None:
    statement = Statement.of(sql, "postgresql")
    assert statement.tables == tables
    assert statement.written == written


@pytest.mark.parametrize(
    ("sql", "tables", "written"),
    [
        ("UPDATE LOW_PRIORITY a JOIN b ON true SET a.x = 1", ("a", "b"), ("a",)),
        ("UPDATE a, b SET a.x = b.x", ("a", "b"), ("a", "b")),
        ("DELETE a FROM a JOIN b ON true", ("a", "b"), ("a",)),
        ("DELETE x FROM a x JOIN b ON true", ("a", "b"), ("a",)),
        ("DELETE a, b FROM a JOIN b ON true WHERE a.x IN (SELECT y FROM c)", ("a", "b", "c"), ("a", "b")),
        ("INSERT IGNORE INTO a VALUES (1) ON DUPLICATE KEY UPDATE x = 1", ("a",), ("a",)),
        ("REPLACE INTO a VALUES (1)", ("a",), ("a",)),
        ("SELECT * FROM a STRAIGHT_JOIN b", ("a", "b"), ()),
        ("SELECT x FROM a INTO OUTFILE 'f'", ("a",), ()),
        ("SELECT x INTO @y FROM a", ("a",), ()),
        ("SELECT * FROM a USE INDEX (i) WHERE x = 1", ("a",), ()),
        ("LOCK TABLES a READ, b WRITE", ("a", "b"), ()),
        ("DROP INDEX i ON a", ("a",), ("a",)),
        ("SELECT insert(x, 1, 2, 'y'), truncate(z, 1) FROM a", ("a",), ()),
    ],
)
def test_the_tables_of_mysql_statements(sql: str, tables: tuple[str, ...], written: tuple[str, ...]) -> None:
    statement = Statement.of(sql, "mysql")
    assert statement.tables == tables
    assert statement.written == written


@pytest.mark.parametrize(
    ("sql", "flags"),
    [
        ("SELECT 1", set()),
        ("SELECT 1; SELECT 2", {"multi"}),
        ("; SELECT 1 ;;", set()),
        ("SELECT 'a", {"truncated"}),
        ("SELECT /* a", {"truncated"}),
        ('SELECT "a', {"truncated"}),
        ("SELECT $a$ b", {"truncated"}),
        ("SELECT /* a /* b */", {"truncated"}),
        ("SELECT 'a' -- b", set()),
        ("SELECT '''", {"truncated"}),
        ("SELECT ''''", set()),
        ("SELECT a FROM t FOR UPDATE SKIP LOCKED", {"locks"}),
        ("SELECT a FROM t FOR NO KEY UPDATE", {"locks"}),
        ("SELECT a FROM t FOR KEY SHARE", {"locks"}),
        ("SELECT a FROM t FOR SHARE", {"locks"}),
        ("SELECT a FROM t LOCK IN SHARE MODE", {"locks"}),
        ("LOCK TABLE t", {"locks"}),
        ("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 1", set()),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", set()),
    ],
)
def test_flags_say_what_is_unusual(sql: str, flags: set[str]) -> None:
    assert Statement.of(sql, "postgresql").flags == flags


@pytest.mark.parametrize("dialect", ["mariadb", "mysql"])
def test_related_databases_share_a_dialect(dialect: str) -> None:
    assert Statement.of('SELECT "a"', dialect).text == "SELECT ?"


@pytest.mark.parametrize("dialect", ["oracle", "no such database", ""])
def test_an_unknown_database_is_read_as_standard_sql(dialect: str) -> None:
    assert Statement.of('SELECT "a"', dialect).text == "SELECT a"


def test_a_server_with_unusual_settings_is_a_dialect_of_its_own() -> None:
    ansi = replace(MYSQL, double_quote="identifier", backslashes=False)
    assert Statement.of("SELECT \"a\", 'b\\', 'c'", ansi).text == "SELECT a, ?, ?"


def test_an_unknown_paramstyle_is_no_paramstyle() -> None:
    assert Statement.of("SELECT %s, :a", "postgresql", "no such style").text == "SELECT ?, ?"


def test_statements_are_equal_by_fingerprint() -> None:
    one = Statement.of("SELECT `a` FROM t WHERE b = 1", "mysql")
    two = Statement.of('SELECT "a" FROM t WHERE b = %s', "postgresql", "format")
    assert one == two
    assert hash(one) == hash(two)
    assert len({one, two, Statement.of("SELECT 1")}) == 2
    assert one != "SELECT a FROM t WHERE b = ?"


def test_the_same_text_is_read_once() -> None:
    assert Statement.of("SELECT a FROM seen_twice") is Statement.of("SELECT a FROM seen_twice")
    assert Statement.of("SELECT a FROM seen_twice") is not Statement.of("SELECT a FROM seen_twice", "mysql")


@pytest.mark.parametrize(
    ("sql", "cached"),
    [
        ("SELECT a FROM cached_short", True),
        ("SELECT a FROM cached_long WHERE b = '" + "x" * 5000 + "'", True),
        ("SELECT a FROM cached_never WHERE b = '" + "x" * 9000 + "'", False),
        ("SELECT a FROM cached_wide WHERE b = '" + "\N{SNOWMAN}" * 1900 + "'", True),
        ("SELECT a FROM cached_too_wide WHERE b = '" + "\N{SNOWMAN}" * 2100 + "'", False),
    ],
)
def test_only_texts_of_bounded_size_are_kept(sql: str, cached: bool) -> None:
    assert (Statement.of(sql) is Statement.of(sql)) is cached


def test_the_caches_hold_a_bounded_number_of_statements() -> None:
    for number in range(5000):
        Statement.of(f"SELECT {number}")
    assert statement._short.cache_info().currsize == 4096
    assert statement._long.cache_info().maxsize == 512


def test_bytes_and_text_are_the_same_statement() -> None:
    assert Statement.of(b"SELECT 'caf\xc3\xa9', \xff") == Statement.of("SELECT 'café', \ufffd")


class Safe(str):
    """A text that is its own `str()`, like Django's safe strings."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


def test_subclasses_of_text_are_text() -> None:
    assert Statement.of(Safe("SELECT 1")) == Statement.of("SELECT 1")


def test_the_representation_shows_the_masked_text() -> None:
    assert repr(Statement.of("SELECT 'secret'")).endswith("SELECT ?>")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a", "a", True),
        ("public.a", "a", True),
        ("a", "public.a", True),
        ("public.a", "other.a", False),
        ("a", "b", False),
        ("public.a", "b", False),
    ],
)
def test_a_name_without_schema_may_be_in_any(one: str, other: str, same: bool) -> None:
    assert same_table(one, other) is same
