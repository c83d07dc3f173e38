"""Pairs of texts that are the same statement, and pairs that are not: what the canonical text promises, as a table."""

from typing import NamedTuple

import pytest

from dbprofile.sql.fingerprint import canonical, digest
from dbprofile.sql.tokens import scan

SAME, OTHER = True, False

DIALECTS = {
    "any": ("postgresql", "mysql", "sqlite"),
    "pg": ("postgresql",),
    "my": ("mysql",),
    "lite": ("sqlite",),
    "oracle": ("generic",),
}


class Pair(NamedTuple):
    where: str
    """A dialect or `any`, and the paramstyle behind a slash where it is known."""
    one: str
    two: str
    same: bool
    why: str


PAIRS = [
    Pair("any", "SELECT * FROM users WHERE id = 1", "SELECT * FROM users WHERE id = 2", SAME, "int literal"),  # 1
    Pair("any", "SELECT * FROM users WHERE id = 1", "SELECT * FROM users WHERE id = -1", SAME, "sign folded"),  # 2
    Pair("any", "SELECT id - 1 FROM users", "SELECT id - 2 FROM users", SAME, "binary minus, literal replaced"),  # 3
    Pair("any", "SELECT id -1 FROM users", "SELECT id - 1 FROM users", SAME, "binary minus glued to number"),  # 4
    Pair(
        "any",
        "SELECT * FROM users WHERE email = 'a'",
        "SELECT * FROM users WHERE email = 'bcd'",
        SAME,
        "string literal",
    ),  # 5
    Pair(
        "any",
        "SELECT * FROM users WHERE email = 'O''Brien'",
        "SELECT * FROM users WHERE email = 'x'",
        SAME,
        "doubled quote",
    ),  # 6
    Pair(
        "my",
        "SELECT * FROM users WHERE email = 'O\\'Brien' AND id = 1",
        "SELECT * FROM users WHERE email = 'x' AND id = 1",
        SAME,
        "MySQL backslash-escaped quote",
    ),  # 7
    Pair(
        "pg",
        "SELECT * FROM users WHERE email = 'a\\' AND id = 1",
        "SELECT * FROM users WHERE email = 'x' AND id = 1",
        SAME,
        "PG standard string ending in backslash",
    ),  # 8
    Pair(
        "pg",
        "SELECT * FROM users WHERE email = E'a\\'b' AND id = 1",
        "SELECT * FROM users WHERE email = 'x' AND id = 1",
        SAME,
        "PG E'' string with escaped quote",
    ),  # 9
    Pair(
        "pg",
        "SELECT * FROM users WHERE email = $$it's$$",
        "SELECT * FROM users WHERE email = 'x'",
        SAME,
        "dollar-quoted string",
    ),  # 10
    Pair(
        "any",
        "SELECT * FROM users WHERE email = '-- not a comment'",
        "SELECT * FROM users WHERE email = '/* nor this */'",
        SAME,
        "comment markers inside string",
    ),  # 11
    Pair("pg", "SELECT X'1F', B'101'", "SELECT X'2F', B'1'", SAME, "PG bit/hex strings"),  # 12
    Pair("lite", "SELECT x'1F'", "SELECT x'AABB'", SAME, "SQLite blob literal"),  # 13
    Pair(
        "my",
        'SELECT * FROM users WHERE name = "bob"',
        "SELECT * FROM users WHERE name = 'bob'",
        SAME,
        "MySQL double-quoted string is a literal",
    ),  # 14
    Pair(
        "pg",
        "SELECT * FROM users WHERE \"name\" = 'a'",
        "SELECT * FROM users WHERE \"email\" = 'a'",
        OTHER,
        "PG double-quoted identifiers differ",
    ),  # 15
    Pair("my", "SELECT 'a' 'b'", "SELECT 'c'", SAME, "MySQL adjacent string concat"),  # 16
    Pair(
        "any",
        "SELECT * FROM users WHERE name IS NULL",
        "SELECT * FROM users WHERE name IS NOT NULL",
        OTHER,
        "IS NULL vs IS NOT NULL",
    ),  # 17
    Pair(
        "any",
        "UPDATE users SET name = NULL WHERE id = 1",
        "UPDATE users SET name = 'a' WHERE id = 1",
        SAME,
        "NULL as a value",
    ),  # 18
    Pair(
        "any",
        "SELECT * FROM users WHERE name IS NULL",
        "SELECT * FROM users WHERE name = 'x'",
        OTHER,
        "IS NULL is not = ?",
    ),  # 19
    Pair("any", "SELECT TRUE", "SELECT FALSE", SAME, "booleans"),  # 20
    Pair(
        "pg",
        "SELECT * FROM users WHERE created_at > DATE '2024-01-01'",
        "SELECT * FROM users WHERE created_at > DATE '2025-01-01'",
        SAME,
        "typed literal",
    ),  # 21
    Pair(
        "pg",
        "SELECT * FROM orders WHERE status = 'a'::text",
        "SELECT * FROM orders WHERE status = 'a'",
        SAME,
        "cast on a literal",
    ),  # 22
    Pair(
        "any", "SELECT * FROM users WHERE id IN (1)", "SELECT * FROM users WHERE id IN (1,2,3)", SAME, "IN list length"
    ),  # 23
    Pair(
        "any",
        "SELECT * FROM users WHERE id IN (1,2)",
        "SELECT * FROM users WHERE id NOT IN (1,2)",
        OTHER,
        "IN vs NOT IN",
    ),  # 24
    Pair(
        "any",
        "SELECT * FROM users WHERE (id, status) IN ((1,'a'))",
        "SELECT * FROM users WHERE (id, status) IN ((1,'a'),(2,'b'))",
        SAME,
        "row-value IN list",
    ),  # 25
    Pair(
        "any",
        "INSERT INTO users (email, status) VALUES ('a','b')",
        "INSERT INTO users (email, status) VALUES ('a','b'),('c','d'),('e','f')",
        SAME,
        "multi-row VALUES",
    ),  # 26
    Pair(
        "pg",
        "INSERT INTO users (email, status, created_at) VALUES ('a','b', now())",
        "INSERT INTO users (email, status, created_at) VALUES ('a','b', now()),('c','d', now())",
        SAME,
        "VALUES rows with a function call",
    ),  # 27
    Pair(
        "pg",
        "SELECT * FROM users WHERE id = ANY(ARRAY[1,2])",
        "SELECT * FROM users WHERE id = ANY(ARRAY[1,2,3])",
        SAME,
        "ARRAY[] length",
    ),  # 28
    Pair(
        "pg",
        "SELECT * FROM users WHERE id = ANY('{1,2}')",
        "SELECT * FROM users WHERE id IN (1,2)",
        OTHER,
        "= ANY(param) kept apart from IN",
    ),  # 29
    Pair(
        "any",
        "UPDATE users SET name = CASE WHEN (id = 1) THEN 'a' ELSE name END WHERE id IN (1)",
        "UPDATE users SET name = CASE WHEN (id = 1) THEN 'a' WHEN (id = 2) THEN 'b' WHEN (id = 3) THEN 'c' ELSE name END WHERE id IN (1,2,3)",
        SAME,
        "Django bulk_update CASE arms",
    ),  # 30
    Pair(
        "any",
        "SELECT * FROM users WHERE (id = 1 OR id = 2)",
        "SELECT * FROM users WHERE (id = 1 OR id = 2 OR id = 3 OR id = 4)",
        SAME,
        "chain of identical OR arms",
    ),  # 31
    Pair(
        "any",
        "SELECT id FROM users WHERE id = 1 UNION ALL SELECT id FROM users WHERE id = 2",
        "SELECT id FROM users WHERE id = 1 UNION ALL SELECT id FROM users WHERE id = 2 UNION ALL SELECT id FROM users WHERE id = 3",
        SAME,
        "identical UNION ALL arms",
    ),  # 32
    Pair(
        "any",
        "SELECT coalesce(name, 'a') FROM users",
        "SELECT coalesce(name, email, 'a') FROM users",
        OTHER,
        "function arguments are not collapsed",
    ),  # 33
    Pair(
        "any",
        "SELECT * FROM users WHERE id = 1",
        "select  *\n\tfrom users\r\nwhere id=1 ;",
        SAME,
        "whitespace, case, semicolon",
    ),  # 34
    Pair(
        "any",
        "SELECT * FROM users -- it's me\nWHERE id = 1",
        "SELECT * FROM users WHERE id = 1",
        SAME,
        "line comment containing a quote",
    ),  # 35
    Pair(
        "any",
        "SELECT * FROM users WHERE id = 1 /*traceparent='00-5bd66ef5095369c7b0d1f8f4bd33716a-c532cb4098ac3dd2-01',controller='x'*/",
        "SELECT * FROM users WHERE id = 1 /*traceparent='00-aaaa-bbbb-01',controller='y'*/",
        SAME,
        "sqlcommenter tags",
    ),  # 36
    Pair(
        "my", "SELECT * FROM users # comment\nWHERE id = 1", "SELECT * FROM users WHERE id = 1", SAME, "MySQL # comment"
    ),  # 37
    Pair(
        "my", "SELECT /*+ MAX_EXECUTION_TIME(1000) */ * FROM users", "SELECT * FROM users", OTHER, "optimizer hint kept"
    ),  # 38
    Pair("any", "SELECT id FROM users", "SELECT ID FROM Users", SAME, "unquoted identifier case"),  # 39
    Pair("pg", 'SELECT "users"."id" FROM "users"', "SELECT users.id FROM users", SAME, "needless quotes"),  # 40
    Pair(
        "pg",
        'SELECT id AS "Id" FROM users',
        "SELECT id AS id FROM users",
        OTHER,
        "quoted mixed-case identifier differs",
    ),  # 41
    Pair("lite", "SELECT [users].[id] FROM [users]", 'SELECT "users"."id" FROM "users"', SAME, "SQLite brackets"),  # 42
    Pair("any", "SELECT * FROM users", "SELECT * FROM orders", OTHER, "other table"),  # 43
    Pair("any", "SELECT id FROM users", "SELECT id, email FROM users", OTHER, "other columns"),  # 44
    Pair("any", "SELECT * FROM users ORDER BY id ASC", "SELECT * FROM users ORDER BY id DESC", OTHER, "ASC/DESC"),  # 45
    Pair("any", "SELECT * FROM users LIMIT 10", "SELECT * FROM users LIMIT 500", SAME, "LIMIT value"),  # 46
    Pair(
        "any", "SELECT * FROM users LIMIT 10", "SELECT * FROM users LIMIT 10 OFFSET 20", OTHER, "OFFSET presence"
    ),  # 47
    Pair(
        "my", "SELECT * FROM users LIMIT 20, 10", "SELECT * FROM users LIMIT 10 OFFSET 20", SAME, "MySQL LIMIT m,n"
    ),  # 48
    Pair(
        "any",
        "SELECT * FROM users WHERE id = 1 AND status = 'a'",
        "SELECT * FROM users WHERE status = 'a' AND id = 1",
        OTHER,
        "AND order is kept (text fingerprint)",
    ),  # 49
    Pair(
        "any", "SELECT * FROM users u WHERE u.id = 1", "SELECT * FROM users v WHERE v.id = 1", OTHER, "aliases are kept"
    ),  # 50
    Pair("pg", "SELECT id FROM public.users", "SELECT id FROM users", OTHER, "schema qualification is kept"),  # 51
    Pair(
        "pg/pyformat",
        "SELECT * FROM users WHERE users.id = %(id_1)s",
        "SELECT * FROM users WHERE users.id = %(id_2)s",
        SAME,
        "pyformat names",
    ),  # 52
    Pair(
        "pg/pyformat",
        "SELECT * FROM users WHERE users.id IN (%(id_1_1)s, %(id_1_2)s)",
        "SELECT * FROM users WHERE users.id IN (%(id_1_1)s, %(id_1_2)s, %(id_1_3)s)",
        SAME,
        "SQLAlchemy expanding IN",
    ),  # 53
    Pair(
        "lite/qmark",
        "SELECT * FROM users WHERE id IN (?, ?)",
        "SELECT * FROM users WHERE id IN (?, ?, ?)",
        SAME,
        "qmark IN",
    ),  # 54
    Pair(
        "lite/qmark",
        "SELECT * FROM users LIMIT ? OFFSET ?",
        "SELECT * FROM users LIMIT 10 OFFSET 5",
        SAME,
        "qmark LIMIT",
    ),  # 55
    Pair(
        "pg/numeric_dollar",
        "SELECT * FROM users WHERE id = $1::BIGINT",
        "SELECT * FROM users WHERE id = $1",
        SAME,
        "asyncpg cast on parameter",
    ),  # 56
    Pair(
        "pg/format",
        "SELECT * FROM users WHERE email LIKE %s AND id %% 2 = 0",
        "SELECT * FROM users WHERE email LIKE 'a%%' AND id %% 3 = 0",
        SAME,
        "%% operator under format style",
    ),  # 57
    Pair(
        "pg/format",
        "SELECT * FROM orders WHERE meta ? 'a'",
        "SELECT * FROM orders WHERE meta ? 'b'",
        SAME,
        "JSONB ? operator is not a parameter",
    ),  # 58
    Pair(
        "pg/format",
        "SELECT * FROM orders WHERE meta ? 'a'",
        "SELECT * FROM orders WHERE meta ?| array['a']",
        OTHER,
        "JSONB ? vs ?\\|",
    ),  # 59
    Pair(
        "pg/format", "SELECT meta->>'a' FROM orders", "SELECT meta->>'b' FROM orders", SAME, "JSON key literal replaced"
    ),  # 60
    Pair(
        "pg/format",
        'INSERT INTO "users" ("email", "status") VALUES (%s, %s) RETURNING "users"."id"',
        'INSERT INTO "users" ("email", "status") VALUES (%s, %s), (%s, %s) RETURNING "users"."id"',
        SAME,
        "Django bulk_create",
    ),  # 61
    Pair("pg/format", 'SAVEPOINT "s139_x1"', 'SAVEPOINT "s140_x2"', SAME, "Django savepoint names"),  # 62
    Pair(
        "pg/format",
        'DECLARE "_django_curs_140_sync_1" NO SCROLL CURSOR WITH HOLD FOR SELECT 1',
        'DECLARE "_django_curs_141_sync_2" NO SCROLL CURSOR WITH HOLD FOR SELECT 1',
        SAME,
        "Django server-side cursor names",
    ),  # 63
    Pair(
        "any", "SELECT id FROM events_20240101", "SELECT id FROM events_20240102", SAME, "date-suffixed partition"
    ),  # 64
    Pair("any", "SELECT id FROM t1", "SELECT id FROM t2", OTHER, "short digit suffix"),  # 65
    Pair(
        "pg",
        "SELECT * FROM users WHERE name = 'é𝔘\u2028'",
        "SELECT * FROM users WHERE name = 'x'",
        SAME,
        "unicode string",
    ),  # 66
    Pair("my", "CALL report(1, 'a')", "CALL report(2, 'b')", SAME, "CALL with literals"),  # 67
    Pair(
        "pg", "EXPLAIN SELECT * FROM users WHERE id = 1", "SELECT * FROM users WHERE id = 1", OTHER, "EXPLAIN prefix"
    ),  # 68
    Pair(
        "any",
        "SELECT * FROM users WHERE id IN (" + ", ".join(map(str, range(50_000))) + ")",
        "SELECT * FROM users WHERE id IN (1, 2)",
        SAME,
        "IN list with 50,000 elements",
    ),  # 69
    Pair(
        "any",
        "SELECT * FROM users WHERE name = 'abc",
        "SELECT * FROM users WHERE name = 'abd",
        SAME,
        "truncated inside a string",
    ),  # 70
    Pair("any", "SELECT * FROM users /* trunc", "SELECT * FROM users", SAME, "truncated inside a comment"),  # 71
    Pair("any", "\x00\x01ÿþ SELECT 1", "\x00\x02ÿþ SELECT 1", SAME, "binary garbage: no exception, stable"),  # 72
    Pair("any", "SELECT 1; DROP TABLE users", "SELECT 1", OTHER, "multi-statement"),  # 73
]

MORE_PAIRS = [
    # Comments, strings and numbers in their dialects
    Pair("pg", "SELECT 1 /* a /* b */ c */ FROM t", "SELECT 1 FROM t", SAME, "nested comment"),
    Pair("my", "SELECT 1 --1 FROM t", "SELECT 1 - -1 FROM t", SAME, "two signs are no MySQL comment"),
    Pair("my", "SELECT 1 /*!50001 + 2 */ FROM t", "SELECT 1 /*!80000 + 3 */ FROM t", SAME, "version of a code comment"),
    Pair("my", "SELECT 1 /*! + 2 */ FROM t", "SELECT 1 FROM t", OTHER, "a code comment is code"),
    Pair("lite", "SELECT 1 /*! + 2 */ FROM t", "SELECT 1 FROM t", SAME, "a code comment is a comment elsewhere"),
    Pair("my", "SELECT /*+ SET_VAR(x='a') */ 1", "SELECT /*+ SET_VAR(x='b') */ 1", SAME, "literal in a hint"),
    Pair(
        "my", "SELECT * FROM t WHERE a = _utf8mb4'x'", "SELECT * FROM t WHERE a = 'y'", SAME, "introducer of a string"
    ),
    Pair("pg", "SELECT $tag$ it's $$ -- $tag$, 1", "SELECT 'x', 1", SAME, "tagged dollar quote"),
    Pair("pg", "SELECT U&'d\\0061t'", "SELECT 'x'", SAME, "Unicode string"),
    Pair("oracle", "SELECT q'[it's]', q'!don't!' FROM dual", "SELECT 'a', 'b' FROM dual", SAME, "custom quotes"),
    Pair("pg", "SELECT 'a'\n'b'", "SELECT 'c'", SAME, "strings joined over a line break"),
    Pair("lite", "SELECT 'a' 'b'", "SELECT 'c'", OTHER, "SQLite joins no strings"),
    Pair("pg", "SELECT 1_000, 0x1F, 0o17, 0b11, 1.5e-3, .5", "SELECT 1, 2, 3, 4, 5, 6", SAME, "forms of numbers"),
    Pair("any", "SELECT 2fa_code FROM t", "SELECT 3fa_code FROM t", OTHER, "a word may start with a digit"),
    Pair(
        "lite", 'SELECT * FROM t WHERE a = "x"', "SELECT * FROM t WHERE a = 'y'", SAME, "SQLite string in double quotes"
    ),
    Pair("lite", 'SELECT * FROM t WHERE a IN ("x", "y")', "SELECT * FROM t WHERE a IN (1)", SAME, "the same in a list"),
    Pair(
        "lite", 'SELECT * FROM t WHERE a = "t"."x"', 'SELECT * FROM t WHERE a = "t"."y"', OTHER, "a dot makes it a name"
    ),
    Pair("lite", 'SELECT "x" FROM t', 'SELECT "y" FROM t', OTHER, "and so does any other place"),
    Pair("my", "SELECT `users`.`id` FROM `users`", "SELECT users.id FROM users", SAME, "needless backticks"),
    Pair("pg", 'SELECT * FROM "order"', "SELECT * FROM order", OTHER, "a quoted keyword is a name"),
    Pair("pg", 'SELECT "a""b" FROM t', 'SELECT "a""c" FROM t', OTHER, "doubled quote in a name"),
    Pair("any", "SELECT t.order FROM t", "SELECT t.ORDER FROM t", SAME, "a keyword behind a dot is a name"),
    # Values
    Pair("any", "SELECT * FROM t WHERE a NOT NULL", "SELECT * FROM t WHERE a NOT 1", OTHER, "NULL stays behind NOT"),
    Pair("any", "SELECT * FROM t WHERE a = -5", "SELECT * FROM t WHERE a = + 5", SAME, "a sign apart from its number"),
    Pair("any", "SELECT (a) - 5 FROM t", "SELECT (a) FROM t", OTHER, "a minus behind a bracket subtracts"),
    Pair(
        "any",
        "SELECT CASE WHEN a THEN b END -1",
        "SELECT CASE WHEN a THEN b END - 2",
        SAME,
        "a minus behind END subtracts",
    ),
    Pair("pg", "SELECT 'a'::character varying(10)[]", "SELECT 'a'", SAME, "cast to a type of two words"),
    Pair("pg", "SELECT 'a'::timestamp(3) with time zone", "SELECT 'a'", SAME, "cast to a type with its zone"),
    Pair("pg", "SELECT 'a'::pg_catalog.numeric(10, 2)::text", "SELECT 'a'", SAME, "cast upon cast, with a schema"),
    Pair("pg", "SELECT a::text FROM t", "SELECT a FROM t", OTHER, "cast of a column"),
    Pair("any", "SELECT CAST(1 AS int)", "SELECT CAST(1 AS text)", OTHER, "CAST of a value stays"),
    Pair(
        "pg/named",
        "SELECT * FROM t WHERE a = :a AND b = :b",
        "SELECT * FROM t WHERE a = :b AND b = 1",
        SAME,
        "named parameters",
    ),
    Pair("pg/format", "SELECT a[1:n] FROM t", "SELECT a[2:n] FROM t", SAME, "a slice is no parameter"),
    Pair("oracle/numeric", "SELECT * FROM t WHERE a = :1", "SELECT * FROM t WHERE a = :2", SAME, "numbered parameters"),
    Pair(
        "lite",
        "SELECT * FROM t WHERE a = $a AND b = @b AND c = ?3",
        "SELECT * FROM t WHERE a = 1 AND b = 2 AND c = 3",
        SAME,
        "SQLite's own",
    ),
    Pair(
        "pg/qmark",
        "SELECT * FROM t WHERE a = ?",
        "SELECT * FROM t WHERE a = 1",
        SAME,
        "a question mark where the driver takes it",
    ),
    # Names
    Pair(
        "any",
        "SELECT logs_2024_01.id FROM logs_2024_01",
        "SELECT logs_2025_02.id FROM logs_2025_02",
        SAME,
        "a partition qualifies columns",
    ),
    Pair("any", "SELECT id FROM app_01.events_01", "SELECT id FROM app_02.events_02", SAME, "numbered schema"),
    Pair("any", "SELECT price_2024 FROM t", "SELECT price_2025 FROM t", OTHER, "numbered column"),
    Pair("any", "SELECT id FROM covid19", "SELECT id FROM covid20", OTHER, "digits that belong to a name"),
    Pair("any", "SELECT id FROM v_12x", "SELECT id FROM v_13x", OTHER, "digits that go on as letters"),
    Pair("any", "SELECT id AS a FROM t", "SELECT id AS b FROM t", OTHER, "output names"),
    # Lists and rows
    Pair("any", "SELECT f(1, 2)", "SELECT f(1, 2, 3)", OTHER, "arguments"),
    Pair(
        "any",
        "SELECT * FROM t WHERE a IN (1, b)",
        "SELECT * FROM t WHERE a IN (1, 2, b)",
        OTHER,
        "a list that is not all literals",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE a IN (1 /* x */, 2)",
        "SELECT * FROM t WHERE a IN (1)",
        SAME,
        "a comment in a list",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE a IN (NULL, TRUE, -1, 'x')",
        "SELECT * FROM t WHERE a IN (1)",
        SAME,
        "all kinds of literals in a list",
    ),
    Pair(
        "any",
        "INSERT INTO t VALUES (1, f(2)), (3, 4), (5, f(6))",
        "INSERT INTO t VALUES (1, f(2)), (3, 4)",
        SAME,
        "an equal row further back",
    ),
    Pair(
        "my",
        "INSERT INTO t VALUES ROW(1, 2), ROW(3, 4)",
        "INSERT INTO t VALUES ROW(1, 2)",
        SAME,
        "rows with their name",
    ),
    Pair("pg", "SELECT ARRAY['a', 'b'], x[1]", "SELECT ARRAY['c'], x[2]", SAME, "arrays and subscripts"),
    Pair(
        "pg",
        "SELECT * FROM t WHERE a IN ($1::BIGINT, $2::BIGINT)",
        "SELECT * FROM t WHERE a IN ($1::BIGINT)",
        SAME,
        "a list of parameters with casts",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE a IN (SELECT b, (c + 1), (c + 1))",
        "SELECT * FROM t WHERE a IN (SELECT b, (c + 1))",
        OTHER,
        "outputs of a sub-select are no rows",
    ),
    # Repetitions
    Pair(
        "any",
        "SELECT CASE WHEN a = 1 THEN 2 WHEN b = 1 THEN 2 END",
        "SELECT CASE WHEN a = 1 THEN 2 END",
        OTHER,
        "different arms",
    ),
    Pair(
        "any",
        "SELECT CASE WHEN a = 1 THEN CASE WHEN b = 1 THEN 2 WHEN b = 2 THEN 3 END WHEN a = 2 THEN CASE WHEN b = 3 THEN 4 END END",
        "SELECT CASE WHEN a = 1 THEN CASE WHEN b = 1 THEN 2 END END",
        SAME,
        "a nested CASE belongs to its arm",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE a = 1 AND x = 1 OR x = 2",
        "SELECT * FROM t WHERE a = 1 AND x = 1",
        OTHER,
        "operands with their AND",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE (a = 1 AND b = 2 OR a = 3 AND b = 4) AND c",
        "SELECT * FROM t WHERE (a = 1 AND b = 2) AND c",
        SAME,
        "whole operands",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE (a = 1 AND b = 2) OR (a = 3 AND b = 4)",
        "SELECT * FROM t WHERE (a = 1 AND b = 2)",
        SAME,
        "operands in brackets",
    ),
    Pair(
        "any",
        "SELECT * FROM t WHERE a = 1 OR b = 1 OR a = 2",
        "SELECT * FROM t WHERE a = 1 OR b = 1",
        OTHER,
        "equal but no neighbours",
    ),
    Pair("any", "SELECT 1 UNION SELECT 2", "SELECT 1 UNION ALL SELECT a", OTHER, "different arms of a union"),
    Pair(
        "any",
        "SELECT a FROM t WHERE a = 1 UNION SELECT a FROM t WHERE a = 2 ORDER BY a LIMIT 3",
        "SELECT a FROM t WHERE a = 1 ORDER BY a LIMIT 3",
        SAME,
        "the order belongs to the whole union",
    ),
    Pair(
        "any", "INSERT INTO t SELECT 1 UNION ALL SELECT 2", "INSERT INTO t SELECT 1", SAME, "rows inserted as a union"
    ),
    Pair(
        "any",
        "WITH x AS (SELECT 1) SELECT a FROM x UNION SELECT a FROM x",
        "WITH x AS (SELECT 1) SELECT a FROM x",
        SAME,
        "arms behind a CTE",
    ),
    Pair("any", "(SELECT 1) UNION (SELECT 2)", "(SELECT 1)", SAME, "arms in brackets"),
    # Throw-away names
    Pair("any", "RELEASE SAVEPOINT s1", "RELEASE SAVEPOINT s2", SAME, "released savepoint"),
    Pair("any", "RELEASE s1", "RELEASE s2", SAME, "released savepoint, in short"),
    Pair("any", "ROLLBACK TO SAVEPOINT s1", "ROLLBACK TO SAVEPOINT s2", SAME, "savepoint rolled back to"),
    Pair("any", "ROLLBACK WORK TO s1", "ROLLBACK WORK TO s2", SAME, "the same with a noise word"),
    Pair("pg", 'FETCH FORWARD 100 FROM "c1"', 'FETCH FORWARD 200 FROM "c2"', SAME, "cursor fetched from"),
    Pair("pg", "MOVE 5 FROM c1", "MOVE 6 FROM c2", SAME, "cursor moved"),
    Pair("pg", "CLOSE c1", "CLOSE c2", SAME, "cursor closed"),
    Pair("pg", "CLOSE c1", "CLOSE ALL", OTHER, "all of them"),
    Pair("pg", "DEALLOCATE PREPARE p1", "DEALLOCATE PREPARE p2", SAME, "prepared statement dropped"),
    Pair("pg", "PREPARE p1 AS SELECT 1", "PREPARE p2 AS SELECT 2", SAME, "statement prepared"),
    Pair("pg", "EXECUTE p1 (1)", "EXECUTE p2 (2)", SAME, "prepared statement executed"),
    Pair("pg", "PREPARE TRANSACTION 'a'", "PREPARE TRANSACTION 'b'", SAME, "a transaction is no statement"),
    # Spelling
    Pair("any", "SELECT * FROM t WHERE a <> 1", "SELECT * FROM t WHERE a != 1", SAME, "two spellings of unequal"),
    Pair("lite", "SELECT * FROM t WHERE a == 1", "SELECT * FROM t WHERE a = 1", SAME, "two spellings of equal"),
    Pair("my/format", "SELECT a %% 2", "SELECT a % 2", SAME, "a doubled percent sign"),
    Pair("lite/qmark", "SELECT a %% 2", "SELECT a % 2", OTHER, "which is doubled for some drivers only"),
    Pair("any", ";; SELECT 1;", "SELECT 1", SAME, "leading and trailing semicolons"),
    Pair("any", "SELECT DISTINCT a FROM t", "SELECT a FROM t", OTHER, "DISTINCT"),
    Pair("any", "SELECT a FROM t FOR UPDATE", "SELECT a FROM t", OTHER, "FOR UPDATE"),
    Pair("any", "SELECT\u00a0a\ufeffFROM\x00t", "SELECT a FROM t", SAME, "white space that is easily overlooked"),
    # Texts that were cut
    Pair("any", "SELECT * FROM t WHERE a IN (1, 2, ", "SELECT * FROM t WHERE a IN (1)", SAME, "cut in a list"),
    Pair("any", "INSERT INTO t VALUES (1, 'a'), (2, ", "INSERT INTO t VALUES (1, 'a')", SAME, "cut in a row"),
    Pair(
        "any",
        "SELECT * FROM (SELECT a FROM t WHERE (b = 1",
        "SELECT * FROM (SELECT a FROM t WHERE (b = 2))",
        SAME,
        "cut in brackets",
    ),
]


def _cases() -> list[object]:
    return [
        pytest.param(pair, dialect, id=f"{pair.why}, {dialect}")
        for pair in [*PAIRS, *MORE_PAIRS]
        for dialect in DIALECTS[pair.where.partition("/")[0]]
    ]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])
@pytest.mark.parametrize(("pair", "dialect"), _cases())
def test_only_the_same_statement_has_the_same_fingerprint(pair: Pair, dialect: str, fast: bool) -> None:
    paramstyle = pair.where.partition("/")[2] or None
    one, two = (canonical(scan(text, dialect, paramstyle, fast=fast)) for text in (pair.one, pair.two))
    if pair.same:
        assert one == two
    else:
        assert one != two
    assert (digest(one) == digest(two)) is pair.same
