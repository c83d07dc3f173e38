import pytest

from dbprofile.sql.joins import unjoined

JOINED = {
    "a condition": "SELECT * FROM book, author WHERE book.author_id = author.id",
    "aliases": "SELECT b.id FROM book AS b, author a WHERE a.id = b.author_id AND b.id > ?",
    "quoted names": 'SELECT "book"."id" FROM "book", "author" WHERE "book"."author_id" = "author"."id"',
    "a chain of three": "SELECT * FROM a, b, c WHERE a.id = b.a_id AND b.id = c.b_id",
    "a range": "SELECT * FROM visit v, season s WHERE v.day BETWEEN s.first AND s.last",
    "the far end of a range": "SELECT * FROM visit v, season s WHERE v.day BETWEEN ? AND s.last",
    "a sub-select": "SELECT * FROM a, b WHERE EXISTS (SELECT 1 FROM c AS d WHERE d.a_id = a.id AND d.b_id = b.id)",
    "an ON of one that names the other": "SELECT * FROM a, b JOIN c ON c.a_id = a.id WHERE b.id = c.b_id",
    "a join": "SELECT * FROM book JOIN author ON book.author_id = author.id",
    "somebody's word": "SELECT * FROM size CROSS JOIN colour",
    "columns without their tables": "SELECT * FROM book, author WHERE author_id = author.id",
    "rows made of the row before": "SELECT * FROM book, json_each(book.tags)",
    "rows that were counted": "SELECT * FROM book, (SELECT max(price) AS most FROM book) AS dearest WHERE book.price > ?",
    "two statements in one": "SELECT a.id FROM a UNION SELECT b.id FROM b",
    "rows that are made, not read": "WITH total AS (SELECT sum(x) FROM a) SELECT * FROM b, total WHERE b.id = ?",
}
APART = {
    "no condition at all": ("SELECT * FROM book, author", ("book", "author")),
    "a condition on one": ("SELECT b.id FROM book AS b, author a WHERE a.name = ?", ("book", "author")),
    "quoted names": ('SELECT "book"."id" FROM "book", "author" WHERE "author"."name" = ?', ("book", "author")),
    "two pairs": ("SELECT * FROM a, b, c, d WHERE a.id = b.a_id AND c.id = d.c_id", ("a", "c")),
    "a join beside": ("SELECT * FROM a JOIN b ON a.id = b.a_id, shop.c WHERE c.open = ?", ("a", "shop.c")),
    "behind a limit": ("SELECT a.id FROM a, b ORDER BY a.id LIMIT 10", ("a", "b")),
}


@pytest.mark.parametrize("sql", JOINED.values(), ids=JOINED)
def test_nothing_stands_apart(sql: str) -> None:
    assert unjoined(sql, "sqlite", "qmark") == ()


@pytest.mark.parametrize(("sql", "apart"), APART.values(), ids=APART)
def test_tables_that_nothing_compares_with_each_other_stand_apart(sql: str, apart: tuple[str, ...]) -> None:
    assert unjoined(sql, "sqlite", "qmark") == apart


def test_each_dialect_quotes_in_its_way() -> None:
    assert unjoined("SELECT 1 FROM `book`, `author` WHERE `author`.`id` = %s", "mysql", "format") == ("book", "author")
    assert unjoined('SELECT 1 FROM "a", "b" WHERE "a"."x" = "b"."y"', "postgresql", "pyformat") == ()
