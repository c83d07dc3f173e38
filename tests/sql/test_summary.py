import pytest

from dbprofile.sql import Statement
from tests.sql_cases import OFFICIAL, SUMMARIES, Case


@pytest.mark.parametrize("case", OFFICIAL, ids=[case.name for case in OFFICIAL])
def test_the_texts_are_those_of_the_conventions(case: Case) -> None:
    statement = Statement.of(case.sql, "other_sql")
    assert statement.sanitized in case.texts
    assert statement.summary == case.summary


@pytest.mark.parametrize(("sql", "summary"), SUMMARIES)
@pytest.mark.parametrize("dialect", ["generic", "postgresql", "mysql", "sqlite"])
def test_summaries_name_operations_and_their_targets(sql: str, summary: str, dialect: str) -> None:
    assert Statement.of(sql, dialect).summary == summary


@pytest.mark.parametrize(
    ("sql", "dialect", "sanitized"),
    [
        ("SELECT E'a\\'b', U&'x', N'y', B'1', $$z$$, $t$z$t$", "postgresql", "SELECT ?, ?, ?, ?, ?, ?"),
        ("SELECT \"a\", 'b\\'c', X'1F'", "mysql", "SELECT ?, ?, ?"),
        ("SELECT n-1, n - 1, -1", "postgresql", "SELECT n?, n - ?, ?"),
        ("SELECT a FROM t WHERE b IS NULL AND c = NULL", "postgresql", "SELECT a FROM t WHERE b IS NULL AND c = NULL"),
        ("SELECT TRUE, false", "postgresql", "SELECT ?, ?"),
        ("SELECT DATE '2024-01-01'", "postgresql", "SELECT DATE ?"),
        (
            "SELECT a FROM t WHERE b = %s AND c IN (%s, 1, 'x')",
            "mysql",
            "SELECT a FROM t WHERE b = %s AND c IN (%s, ?, ?)",
        ),
        ("INSERT INTO t VALUES (-1, %s), (2 , 'a(b')", "mysql", "INSERT INTO t VALUES (?, %s), (? , ?)"),
        ("SELECT $1::int, %(name)s, :name", "postgresql", "SELECT $1::int, %(name)s, :name"),
        ("SELECT/*x*/a/*y*/FROM t -- z", "postgresql", "SELECT a FROM t "),
        ("/* x */ SELECT 1 /* y */", "postgresql", " SELECT ? "),
        ("SELECT 'never closed", "postgresql", "SELECT ?"),
        ("SELECT 1 /* never closed", "postgresql", "SELECT ? "),
        ("  select  \n\t1 ;  ", "postgresql", "  select  \n\t? ;  "),
        ("SELECT `a` FROM `t` /*! WHERE b = 1 */", "mysql", "SELECT `a` FROM `t` /*! WHERE b = ? */"),
    ],
)
def test_literals_are_masked_where_they_stand(sql: str, dialect: str, sanitized: str) -> None:
    assert Statement.of(sql, dialect).sanitized == sanitized


@pytest.mark.parametrize(
    ("sql", "summary"),
    [
        ('SELECT * FROM "Order" o JOIN public."Line" l ON true', 'SELECT "Order" public."Line"'),
        ("CREATE UNIQUE INDEX IF NOT EXISTS i ON t (a)", "CREATE INDEX i t"),
        ("CREATE INDEX CONCURRENTLY ON t (a)", "CREATE INDEX t"),
        ("create temporary table t (a int)", "create table t"),
        ("DROP TABLE IF EXISTS a, b", "DROP TABLE a b"),
        ("ALTER ROLE bob PASSWORD 'x'", "ALTER ROLE bob"),
        ("EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM t", "EXPLAIN SELECT t"),
        ("EXPLAIN ANALYZE VERBOSE DELETE FROM t", "EXPLAIN DELETE t"),
        ("DELETE FROM a USING b WHERE a.id = b.id", "DELETE a b"),
        ("SELECT * FROM a, b JOIN c ON c.x = (SELECT max(x) FROM d), e", "SELECT a b c SELECT d e"),
        ("SELECT a FROM t FOR UPDATE OF t", "SELECT t"),
        ("INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2", "INSERT t"),
        ("INSERT OR REPLACE INTO t (a) VALUES (1)", "INSERT t"),
        ("REPLACE INTO t (a) VALUES (1)", "REPLACE t"),
        ("SELECT replace(a, 'x', 'y'), left(b, 1) FROM t", "SELECT t"),
        ("WITH RECURSIVE x AS (SELECT 1 UNION SELECT n FROM x) SELECT * FROM x", "SELECT SELECT SELECT"),
        ("WITH users AS (SELECT * FROM users) SELECT * FROM users", "SELECT users SELECT"),
        ("WITH gone AS (DELETE FROM t RETURNING id) INSERT INTO log SELECT id FROM gone", "DELETE t INSERT log SELECT"),
        ("COPY t (a) FROM STDIN", "COPY t"),
        ("LOCK TABLE a, b IN SHARE MODE", "LOCK a b"),
        ("TRUNCATE TABLE a, b", "TRUNCATE a b"),
        ("SET search_path TO app", "SET"),
        ("CALL report(1)", "CALL"),
        ("GRANT SELECT ON t TO bob", "GRANT"),
        ("START TRANSACTION", "START"),
        ("", ""),
    ],
)
def test_only_what_a_statement_works_on_is_a_target(sql: str, summary: str) -> None:
    assert Statement.of(sql, "postgresql").summary == summary


def test_a_long_summary_is_cut_between_words() -> None:
    summary = Statement.of("SELECT * FROM " + ", ".join(f"table_number_{number}" for number in range(40))).summary
    assert 240 < len(summary) <= 255
    assert summary.split()[-1] in {f"table_number_{number}" for number in range(40)}


def test_the_lists_of_a_text_are_masked_value_by_value() -> None:
    sql = "SELECT a FROM t WHERE b IN (" + ", ".join(f"'secret {number}'" for number in range(300)) + ")"
    assert Statement.of(sql, "postgresql").sanitized == "SELECT a FROM t WHERE b IN (" + ", ".join("?" * 300) + ")"
