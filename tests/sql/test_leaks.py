"""No literal of a statement is in any of its texts, wherever the statement was cut off."""

import pickle

import pytest

from dbprofile.sql import Statement

SECRET = "Xq7Zw"
NUMBER = "4111111111111111"

LEAKS = [
    ("any", f"SELECT * FROM t WHERE a = '{SECRET}'"),
    ("any", f"SELECT * FROM t WHERE a = 'it''s {SECRET}' AND b = '{SECRET}''{SECRET}'"),
    ("any", f"SELECT * FROM t WHERE a LIKE '%{SECRET}!%' ESCAPE '!'"),
    ("any", f"SELECT CASE WHEN a = '{SECRET}' THEN '{SECRET}' ELSE '{SECRET}' END FROM t"),
    ("any", f"SELECT a->>'{SECRET}' FROM t"),
    ("any", f"CALL report('{SECRET}', {NUMBER})"),
    (
        "any",
        f"SELECT {NUMBER}, -{NUMBER}, a-{NUMBER}, 1.{NUMBER}, {NUMBER}.5, .{NUMBER} FROM t WHERE a IN ({NUMBER}, 2)",
    ),
    ("any", f"INSERT INTO t (a, b) VALUES ('{SECRET}', {NUMBER}), ('{SECRET}', now()), ('it''s {SECRET}', 2)"),
    ("any", f"SELECT 1 -- it's {SECRET}\nFROM t -- '{SECRET}"),
    ("any", f"SELECT 1 /* it's \"{SECRET}` */ FROM t /* {SECRET}"),
    ("any", f"SELECT '-- /* {SECRET} */', '{SECRET} -- ', 'x' FROM t"),
    ("any", f"SELECT N'{SECRET}', X'{SECRET}', x'{SECRET}'"),
    ("any", f"SET app.user = '{SECRET}'"),
    ("any", f"ALTER ROLE bob PASSWORD '{SECRET}'"),
    ("any", f"CREATE USER bob IDENTIFIED BY '{SECRET}'"),
    ("any", f"COPY t FROM PROGRAM 'cat {SECRET}'"),
    ("any", f"PREPARE TRANSACTION '{SECRET}'"),
    ("any", f"NOTIFY c, '{SECRET}'"),
    ("any", f"ATTACH '{SECRET}' AS x"),
    ("any", f"ATTACH DATABASE 'file:{SECRET}?key={NUMBER}' AS x"),
    ("any", f"SELECT * FROM t WHERE a = '{SECRET} and much more"),
    ("pg", f"SELECT 'a\\', '{SECRET}', 'b'"),
    ("lite", f"SELECT 'a\\', '{SECRET}', 'b'"),
    ("pg", f"SELECT E'a\\'{SECRET}', E'\\\\', '{SECRET}'"),
    ("pg", f"SELECT U&'\\0041 {SECRET}' UESCAPE '!', U&'{SECRET}'"),
    ("pg", f"SELECT B'101', 'a' '{SECRET}' '{SECRET}'"),
    ("pg", f"SELECT $${SECRET}$$, $tag$ {SECRET} $$ {SECRET} -- ' $tag$, $a$ /* {SECRET} $a$"),
    ("pg", f"SELECT 1 /* a /* '{SECRET}' */ {SECRET} */ + 1"),
    ("pg", f"SELECT * FROM t WHERE a ? '{SECRET}' AND b @> '{{\"x\": \"{SECRET}\"}}'::jsonb"),
    ("pg", f"SELECT '{SECRET}'::text COLLATE \"C\", ARRAY['{SECRET}', '{SECRET}'], '{{{SECRET}}}'::text[]"),
    ("pg", f"SELECT E'a'\n  'b\\'{SECRET}' , E'a'\n'\\\\' , '{SECRET}'"),
    ("pg", f"/*+ it's a hint */ SELECT '{SECRET}' /*+ a /* '{SECRET}' */ '{SECRET}' */"),
    ("my", f"SELECT /*+ it's a hint */ '{SECRET}' /*+ x('{SECRET}') */"),
    ("my", f"SELECT 'a\\'{SECRET}', '\\\\', '{SECRET}', '{SECRET}\\"),
    ("my", f'SELECT "{SECRET}", "a""{SECRET}", "a\\"{SECRET}" FROM t'),
    ("my", f"SELECT _utf8mb4'{SECRET}', N'{SECRET}', 'a' \"{SECRET}\""),
    ("my", f"SELECT 1 # it's {SECRET}\n+ 1"),
    ("my", f"SELECT /*+ SET_VAR(x='{SECRET}') */ 1 /*!50001 , '{SECRET}' */ /*M!100101 , '{SECRET}' */"),
    ("my", f"SELECT 1 --'{SECRET}'\n+ 1"),
    ("lite", f'SELECT * FROM t WHERE a = "{SECRET}" AND b IN ("{SECRET}", "{SECRET}") AND c LIKE "{SECRET}"'),
    ("lite", f'INSERT INTO t VALUES ("{SECRET}", 1), (2, "{SECRET}")'),
    ("lite", f'SELECT CASE WHEN a <> "{SECRET}" THEN "{SECRET}" ELSE "{SECRET}" END FROM t'),
    ("oracle", f"SELECT q'[it's {SECRET}]', Q'{{{SECRET}}}', nq'!{SECRET}!', q'<{SECRET}>', q'({SECRET})' FROM dual"),
]

DIALECTS = {"pg": "postgresql", "my": "mysql", "lite": "sqlite", "oracle": "generic"}


def _cases() -> list[object]:
    return [
        pytest.param(DIALECTS[name], sql, id=f"{name}: {sql[:50]}")
        for where, sql in LEAKS
        for name in (DIALECTS if where == "any" else (where,))
    ]


@pytest.mark.parametrize("paramstyle", [None, "format", "qmark", "named"])
@pytest.mark.parametrize(("dialect", "sql"), _cases())
def test_no_literal_survives_however_the_text_is_cut(dialect: str, sql: str, paramstyle: str | None) -> None:
    for end in range(len(sql) + 1):
        statement = Statement(sql[:end], dialect, paramstyle)
        for text in (statement.text, statement.sanitized, statement.summary, statement.shape, statement.traits.tail):
            assert SECRET.lower() not in text.lower()
            assert NUMBER not in text
        assert SECRET not in repr(statement)


@pytest.mark.parametrize("part", [SECRET[:3], SECRET[-3:]])
def test_no_part_of_a_literal_survives(part: str) -> None:
    statement = Statement(f"SELECT * FROM t WHERE a = '{SECRET}' OR b = '{SECRET}", "postgresql")
    assert part not in statement.text + statement.sanitized


@pytest.mark.parametrize("opening", ["'", "$$", "$a$", "E'", "U&'", "/*", '"'])
def test_nothing_after_an_unclosed_quote_survives(opening: str) -> None:
    statement = Statement(f"SELECT a FROM t WHERE b = {opening} {SECRET}; DROP TABLE {SECRET}", "postgresql")
    assert SECRET.lower() not in (statement.text + statement.sanitized + statement.summary + statement.shape).lower()
    assert "truncated" in statement.flags


def test_a_pickled_statement_holds_no_literal() -> None:

    statement = Statement.of(f"SELECT a FROM t WHERE b = '{SECRET}'", "postgresql")
    pickled = pickle.dumps(statement)
    assert SECRET.encode() not in pickled
    copy = pickle.loads(pickled)
    assert copy == statement
    assert (copy.sanitized, copy.summary, copy.shape, copy.traits) == (
        statement.sanitized,
        statement.summary,
        statement.shape,
        statement.traits,
    )
