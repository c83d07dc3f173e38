"""Texts made to be slow: each is read to its end, or to a limit, in time that grows with its length and no faster."""

import time

import pytest

from dbprofile.sql import Statement, measure
from dbprofile.sql.tokens import HEAD, LONGEST_TEXT, MOST_STEPS, scan
from tests.sql.generating import DIALECTS

REPEATED = (
    *("'", '"', "(", "-", "[1,", "/*", "/*!", "/*+", "*/", "$a", "$$", "$a$", "e'\\", 'u&"', "q'[", "`", "[a", "\\", "\u00a0", ";"),
    *("1,", "1.", ".1", "0x", "1e", "a or ", "x = ? or ", "when a then b ", "case when ", "union all ", "select 1 union ", "in (1,"),
    *("values (1),", "values (", "( a or ", "a.", "::int", "?::int(", "%(", "%(a", ":a", "a::", "a, ", "from a, ", "with a as (", ", (1"),
    *("'a' ", "-- \n", "/**/", "a_1", "[", "1::int[", "not null ", "end ", "update set a = 1, ", "delete a, ", "limit 1, ", "row(1), "),
)  # fmt: skip


def _everything(text: str, dialect: str) -> float:
    started = time.process_time()
    statement = Statement(text, dialect)
    assert statement.sanitized is not None
    assert statement.summary is not None
    assert statement.shape is not None
    assert statement.traits is not None
    measure(text, dialect)
    return time.process_time() - started


def _grows_too_fast(text: str, times: int, dialect: str) -> bool:
    """Whether four times the text takes much more than four times as long: eight times, where squares take sixteen."""
    small = min(_everything(text * times, dialect) for _ in range(2))
    return _everything(text * times * 4, dialect) > 8 * small + 0.005


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", REPEATED)
def test_time_grows_with_the_length_of_the_text(text: str, dialect: str) -> None:
    assert not all(_grows_too_fast(text, 500, dialect) for _ in range(4))


@pytest.mark.parametrize(
    "text",
    [" " * 9, "a" * 9, "1" * 9, "'a", '"a', "$$a", "/* a", "-- a", "é", "\x00", "?", "+", "=", "@", "#", "%", "|"],
)
def test_long_runs_are_read_in_one_go(text: str) -> None:
    for dialect in DIALECTS:
        assert not all(_grows_too_fast(text, 2000, dialect) for _ in range(4))


@pytest.mark.parametrize(
    "text", ["(", "[", "case when ", "case when (", "with a as (", "in (1, ", "( a or ", "select (", "/*+"]
)
def test_what_is_never_closed_is_no_burden_at_the_end(text: str) -> None:
    assert not all(_grows_too_fast(text, 5000, "postgresql") for _ in range(3))


@pytest.mark.parametrize("depth", [50, 99, 100, 101, 150])
def test_arms_fold_at_any_depth_that_is_followed(depth: int) -> None:
    opening, closing = "(CASE WHEN a THEN " * (depth // 2), " END)" * (depth // 2)
    text = f"SELECT {opening}b{closing}, CASE WHEN a = 1 THEN 2 WHEN a = 2 THEN 3 END FROM t"
    assert Statement(text).text.endswith(", CASE WHEN a = ? THEN ? END FROM t")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_deep_brackets_are_read_without_recursion(dialect: str) -> None:
    for depth in (99, 100, 101, 5000):
        statement = Statement("SELECT " + "(" * depth + "?" + ")" * depth + " FROM t", dialect)
        assert statement.text.count("(") == statement.text.count(")") == depth
        assert statement.tables == ("t",)
        assert statement.shape


def test_a_deep_list_is_still_a_list() -> None:
    one = Statement("SELECT 1 WHERE " + "(" * 500 + "a IN (1, 2)" + ")" * 500)
    two = Statement("SELECT 1 WHERE " + "(" * 500 + "a IN (1)" + ")" * 500)
    assert one == two


@pytest.mark.parametrize("separator", ["%s", "?", ":a", "%(a)s", "$1", "$1::int", "'x'", "1"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_list_of_fifty_thousand_is_one_step(separator: str, dialect: str) -> None:
    sql = "SELECT a FROM t WHERE b IN (" + ", ".join([separator] * 50_000) + ") AND c = 1"
    tokens = scan(sql, dialect, "qmark" if separator == "?" else None)
    assert len(tokens.kinds) < 30 or (dialect, separator) in {("mysql", "$1"), ("sqlite", "$1"), ("mysql", "$1::int")}
    assert Statement(sql, dialect).verb == "SELECT"


def test_only_the_head_of_an_endless_text_is_read() -> None:
    statement = Statement("SELECT a FROM t WHERE b = 1 AND " + "c = 2 AND " * (LONGEST_TEXT // 10))
    assert "truncated" in statement.flags
    assert statement.tables == ("t",)
    assert len(statement.text) <= HEAD


def test_scanning_stops_after_many_steps() -> None:
    tokens = scan("a " * (MOST_STEPS + 10))
    assert tokens.truncated
    assert len(tokens.kinds) == MOST_STEPS
    assert not scan("a " * MOST_STEPS).truncated


@pytest.mark.parametrize(
    "text", ["", ";", "\x00", "\ud800", "\ufeff", "\ufeffSELECT 1", b"\xff\xfe", b"", b"\x80SELECT"]
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_odd_texts_are_statements_too(text: str | bytes, dialect: str) -> None:
    statement = Statement.of(text, dialect)
    assert len(statement.fingerprint) == 16
    assert isinstance(statement.sanitized + statement.summary + statement.shape, str)


def test_the_texts_of_a_long_statement_are_made_at_once_and_the_statement_is_let_go() -> None:
    sql = "SELECT a FROM t WHERE b IN (" + ", ".join(f"'secret {number}'" for number in range(2000)) + ")"
    statement = Statement.of(sql, "postgresql")
    assert statement.sanitized.startswith("SELECT a FROM t WHERE b IN (?, ?")
    assert statement.summary == "SELECT t"
    assert statement._sql is None
