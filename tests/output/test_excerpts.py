"""SQL in one line."""

import pytest

from dbprofile import Statement
from dbprofile.output.excerpts import sql_excerpt


def excerpt(sql: str, width: int = 40) -> str:
    return sql_excerpt(Statement.of(sql, "postgresql", "format"), width)


def test_sql_that_fits_is_shown_whole() -> None:
    assert excerpt("SELECT a, b FROM t WHERE c = 1") == "SELECT a, b FROM t WHERE c = ?"


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ('SELECT "t"."id", "t"."a" FROM "t" WHERE "t"."id" = %s', "SELECT id, a FROM t WHERE id = ?"),
        ('SELECT "order"."id" FROM "order"', 'SELECT id FROM "order"'),
        ("SELECT t.id, u.id FROM t JOIN u ON t.a = u.b", "SELECT t.id, u.id FROM t JOIN u ON t.a = u.b"),
        ("SELECT t.id FROM t WHERE at.t.id = 1", "SELECT id FROM t WHERE at.t.id = ?"),
        ('SELECT "x t.y", t.id FROM t', 'SELECT "x t.y", id FROM t'),
        (
            "SELECT t.id FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.a = t.a)",
            "SELECT t.id FROM t WHERE EXISTS (SELECT ? FROM t u WHERE u.a = t.a)",
        ),
        ("SELECT s.t.id FROM s.t", "SELECT id FROM s.t"),
    ],
)
def test_the_columns_of_the_only_table_need_no_qualifier(sql: str, shown: str) -> None:
    assert excerpt(sql, 100) == shown


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT aaaaaaaa, bbbbbbbb, cccccccc FROM t WHERE d = 1", "SELECT … FROM t WHERE d = ?"),
        ("SELECT DISTINCT aaaaaaaa, bbbbbbbb, cccccccc FROM t", "SELECT DISTINCT … FROM t"),
        ("SELECT a, (SELECT max(b) FROM u), count(*), cccccc FROM t", "SELECT … FROM t"),
        ("SELECT extract(year FROM aaaaaaaa), bbbbbbbbbbbbbbbb FROM t", "SELECT … FROM t"),
        ("SELECT a IS DISTINCT FROM bbbbbbbbbbbbb, ccccccccccc FROM t", "SELECT … FROM t"),
        ("SELECT aaaaaaa, bbbbb FROM t UNION SELECT ccccccc, ddddd FROM u", "SELECT … FROM t UNION SELECT … FROM u"),
        ('SELECT "a FROM b", cccccccccccccccccc, ddddddd FROM t', "SELECT … FROM t"),
        ("SELECT a FROM t WHERE b IN (SELECT cccccc, dddddd FROM u)", "SELECT a FROM t WHERE b IN (SELECT … FROM u)"),
    ],
)
def test_lists_of_columns_go_first(sql: str, shown: str) -> None:
    assert excerpt(sql, max(len(shown), 30)) == shown


def test_the_middle_goes_next() -> None:
    sql = "SELECT a FROM orders WHERE " + " AND ".join(f"column_{n} = %s" for n in range(20)) + " ORDER BY placed_at"

    shown = excerpt(sql, 60)

    assert len(shown) == 60
    assert shown.startswith("SELECT a FROM orders WHERE ")
    assert " … " in shown
    assert shown.endswith("BY placed_at")


def test_the_ellipsis_can_be_ascii() -> None:
    statement = Statement.of("SELECT aaaaaaaaa, bbbbbbbbb, ccccccccc FROM t")

    assert sql_excerpt(statement, 20, "...") == "SELECT ... FROM t"
