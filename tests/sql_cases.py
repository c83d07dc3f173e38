"""The cases of OpenTelemetry's semantic conventions for query text and summary, and ours where they say nothing."""

from typing import NamedTuple


class Case(NamedTuple):
    name: str
    sql: str
    texts: tuple[str, ...]
    """What the sanitised text may be; the conventions leave a choice once."""
    summary: str


OFFICIAL = [
    Case("numeric_literal_integers", "SELECT 12, -12, +12", ("SELECT ?, ?, ?",), "SELECT"),
    Case(
        "numeric_literal_with_decimal_point",
        "SELECT 12.34, -12.34, +12.34, .01, -.01",
        ("SELECT ?, ?, ?, ?, ?",),
        "SELECT",
    ),
    Case("numeric_literal_exponential", "SELECT 12.34e56, -12.34e56, +12.34e56", ("SELECT ?, ?, ?",), "SELECT"),
    Case(
        "numeric_literal_negative_exponential",
        "SELECT 12.34e-56, -12.34e-56, +12.34e-56",
        ("SELECT ?, ?, ?",),
        "SELECT",
    ),
    Case("arithmetic_on_numeric_literals", "SELECT 99+100", ("SELECT ??",), "SELECT"),
    Case("hex_literal", "SELECT 0xDEADBEEF, 0XdeadBEEF", ("SELECT ?, ?",), "SELECT"),
    Case("string_literal", "SELECT 'hello'", ("SELECT ?",), "SELECT"),
    Case("string_literal_escaped_single_quote", "SELECT 'My name''s not important'", ("SELECT ?",), "SELECT"),
    Case("string_with_embedded_newline", "SELECT 'My name is \n not important'", ("SELECT ?",), "SELECT"),
    Case(
        "numbers_in_identifiers",
        "SELECT c3po, r2d2 FROM covid19 WHERE n1h1=1234",
        ("SELECT c3po, r2d2 FROM covid19 WHERE n1h1=?",),
        "SELECT covid19",
    ),
    Case(
        "periods_in_identifiers",
        "SELECT a FROM dbo.Table JOIN dbo.AnotherTable",
        ("SELECT a FROM dbo.Table JOIN dbo.AnotherTable",),
        "SELECT dbo.Table dbo.AnotherTable",
    ),
    Case(
        "insert_into",
        "INSERT INTO X VALUES(1, 23456, 123.456, 99+100)",
        ("INSERT INTO X VALUES(?, ?, ?, ??)",),
        "INSERT X",
    ),
    Case("uuid", "SELECT { guid '01234567-89ab-cdef-0123-456789abcdef' }", ("SELECT { guid ? }",), "SELECT"),
    Case(
        "in_clause",
        "SELECT * FROM table WHERE value IN (123, 456, 'abc')",
        ("SELECT * FROM table WHERE value IN (?)", "SELECT * FROM table WHERE value IN (?, ?, ?)"),
        "SELECT table",
    ),
    Case(
        "comments",
        "SELECT column -- end of line comment\nFROM /* block \n comment */ table",
        ("SELECT column \nFROM  table",),
        "SELECT table",
    ),
    Case(
        "insert_into_select",
        "INSERT INTO shipping_details\n(order_id,\naddress)\nSELECT order_id,\naddress\nFROM   orders\nWHERE  order_id = 1",
        (
            "INSERT INTO shipping_details\n(order_id,\naddress)\nSELECT order_id,\naddress\nFROM   orders\nWHERE  order_id = ?",
        ),
        "INSERT shipping_details SELECT orders",
    ),
    Case(
        "select_nested_query",
        "SELECT order_date\nFROM   (SELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)",
        ("SELECT order_date\nFROM   (SELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)",),
        "SELECT SELECT orders customers",
    ),
    Case(
        "select_nested_query_case_preserved",
        "SELEcT order_date\nFROM   (sELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)",
        ("SELEcT order_date\nFROM   (sELECT *\nFROM   orders o\nJOIN customers c\nON o.customer_id = c.customer_id)",),
        "SELEcT sELECT orders customers",
    ),
    Case("case_preserved", "SELEcT order_date\nFROM ORders", ("SELEcT order_date\nFROM ORders",), "SELEcT ORders"),
    Case(
        "cross_join",
        "SELECT * FROM Orders o CROSS JOIN OrderDetails od",
        ("SELECT * FROM Orders o CROSS JOIN OrderDetails od",),
        "SELECT Orders OrderDetails",
    ),
    Case(
        "cross_join_comma_separated_syntax",
        "SELECT * FROM Orders o, OrderDetails od",
        ("SELECT * FROM Orders o, OrderDetails od",),
        "SELECT Orders OrderDetails",
    ),
    Case(
        "create_table",
        "CREATE  TABLE MyTable (\n    ID NOT NULL IDENTITY(1,1) PRIMARY KEY\n)",
        ("CREATE  TABLE MyTable (\n    ID NOT NULL IDENTITY(?,?) PRIMARY KEY\n)",),
        "CREATE TABLE MyTable",
    ),
    Case(
        "alter_table",
        "ALTER  TABLE MyTable ADD Name varchar(255)",
        ("ALTER  TABLE MyTable ADD Name varchar(?)",),
        "ALTER TABLE MyTable",
    ),
    Case("drop_table", "DROP  TABLE MyTable", ("DROP  TABLE MyTable",), "DROP TABLE MyTable"),
]

SUMMARIES = [
    (
        "WITH recent AS (SELECT id FROM orders), big AS (SELECT id FROM invoice) SELECT * FROM recent JOIN customer c ON c.id = recent.id",
        "SELECT orders SELECT invoice SELECT customer",
    ),
    ("SELECT id FROM a UNION ALL SELECT id FROM b", "SELECT a SELECT b"),
    (
        "MERGE INTO stock USING delivery d ON d.id = stock.id WHEN MATCHED THEN UPDATE SET n = 1 WHEN NOT MATCHED THEN INSERT VALUES (1)",
        "MERGE stock delivery",
    ),
    ("DELETE FROM cart WHERE id = 1; UPDATE stock SET n = n - 1", "DELETE cart UPDATE stock"),
    ("UPDATE orders SET total = 0 FROM customer WHERE customer.id = orders.customer_id", "UPDATE orders customer"),
    ("INSERT INTO tag (name) VALUES ('x') ON CONFLICT (name) DO UPDATE SET n = 2", "INSERT tag"),
    ("SELECT EXTRACT(YEAR FROM created) FROM orders WHERE a IS DISTINCT FROM b", "SELECT orders"),
    ("SELECT * FROM generate_series(1, 10) g JOIN orders o ON true", "SELECT orders"),
    ("CREATE TABLE IF NOT EXISTS audit AS SELECT * FROM log", "CREATE TABLE audit SELECT log"),
    ("SAVEPOINT s1234_x1", "SAVEPOINT"),
]
