"""What holds for every text: nothing raises, nothing leaks, quick and slow ways agree, and a text is its own form."""

import os
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbprofile.sql import Statement, measure
from dbprofile.sql.fingerprint import canonical, digest
from dbprofile.sql.tokens import scan
from tests.sql.generating import DIALECTS, FRAGMENTS, PARAMSTYLES, SECRET, random_text, random_texts, statements
from tests.sql.sending import corpus
from tests.sql.test_shape import SHAPES

THOROUGH = int(os.environ.get("DBPROFILE_TEXTS", "0"))
"""Texts to try in a long run, instead of a few hundred for each dialect and paramstyle."""


@pytest.mark.parametrize("paramstyle", PARAMSTYLES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_raises(dialect: str, paramstyle: str | None) -> None:
    for text in random_texts(seed=1, count=THOROUGH or 250):
        statement = Statement(text, dialect, paramstyle)
        assert isinstance(statement.sanitized + statement.summary + statement.shape + statement.traits.tail, str)
        assert len(statement.fingerprint) == 16
        measure(text, dialect, paramstyle)


def _broken(sql: str, source: random.Random) -> str:
    """A statement with some of its words lost, doubled, moved, or replaced by fragments."""
    words = re.findall(r"\w+|\s+|.", sql, re.DOTALL)
    for _ in range(source.randint(1, 6)):
        at = source.randrange(len(words) + 1)
        change = source.randrange(4)
        if change == 0:
            del words[at : at + source.randint(1, 4)]
        elif change == 1:
            words[at:at] = words[at : at + source.randint(1, 8)]
        elif change == 2:
            words.insert(at, source.choice(words or [" "]))
        else:
            words.insert(at, source.choice(FRAGMENTS))
    return "".join(words)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_broken_statements_do_not_raise(dialect: str) -> None:
    source = random.Random(6)
    statements = [sql for sql, _ in SHAPES] + [sent.sql for sent in corpus()]
    for _ in range(THOROUGH or 1500):
        text = _broken(source.choice(statements), source)
        paramstyle = source.choice(PARAMSTYLES)
        statement = Statement(text, dialect, paramstyle)
        assert isinstance(statement.sanitized + statement.summary + statement.shape + statement.traits.tail, str)
        measure(text, dialect, paramstyle)
        assert canonical(scan(text, dialect, paramstyle, fast=False)) == statement.text, text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_random_bytes_do_not_raise(dialect: str) -> None:
    source = random.Random(2)
    for _ in range(THOROUGH or 300):
        statement = Statement.of(source.randbytes(source.randint(0, 200)), dialect)
        assert isinstance(statement.sanitized + statement.summary + statement.shape, str)


@pytest.mark.parametrize("sql", [None, 5, ["SELECT 1"], object(), memoryview(b"SELECT 1"), bytearray(b"SELECT 1")])
def test_anything_is_taken_for_a_text(sql: object) -> None:
    assert isinstance(Statement.of(sql).text, str)


@pytest.mark.parametrize("paramstyle", PARAMSTYLES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_fast_path_changes_no_outcome(dialect: str, paramstyle: str | None) -> None:
    for text in random_texts(seed=3, count=THOROUGH or 250):
        fast, slow = (canonical(scan(text, dialect, paramstyle, fast=fast)) for fast in (True, False))
        assert fast == slow, text


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "text", ["0:: VALUES (1, 'a'), (2, %s)", "VALUES (1, 'a') [t]", "VALUES (1) [1]", "VALUES (1) - 5"]
)
def test_the_fast_path_changes_no_outcome_of_what_once_went_wrong(text: str, dialect: str) -> None:
    assert canonical(scan(text, dialect)) == canonical(scan(text, dialect, fast=False))


_ITEMS = (
    *("1", "-1", "+ 2", "1.5", "1e5", "0x1F", "'a'", "'it''s'", "'a\\b'", "'a' 'b'", "%s", "?", "$1", "$2::int", ":a", ":a::int", "%(a)s"),
    *("NULL", "true", "b", "f(1)", "DATE '1'", "(1, 2)", "(%s)", "('a', b)", "ROW(1)", "1 /* x */", '"x"', "'a'::text", "1::double precision", ""),
)  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_fast_path_changes_no_list(dialect: str) -> None:
    source = random.Random(4)
    for _ in range(THOROUGH or 1500):
        commas = source.choice([",", ", ", " , "])
        items = commas.join(source.choice(_ITEMS) for _ in range(source.randint(1, 4)))
        rows = commas.join(
            "(" + commas.join(source.choice(_ITEMS) for _ in range(2)) + ")" for _ in range(source.randint(1, 3))
        )
        text = source.choice(
            [
                f"SELECT a FROM t WHERE b IN ({items}) OR c",
                f"IN ({rows})",
                f"INSERT INTO t VALUES {rows}",
                f"VALUES {rows}, {items}",
            ]
        )
        text = text[: source.randint(len(text) // 2, len(text) + 10)]
        paramstyle = source.choice(PARAMSTYLES)
        fast, slow = (canonical(scan(text, dialect, paramstyle, fast=fast)) for fast in (True, False))
        assert fast == slow, text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_literal_of_a_random_statement_survives(dialect: str) -> None:
    @settings(max_examples=THOROUGH or 150, deadline=None)
    @given(sql=statements(dialect), cut=st.integers(0, 400))
    def check(sql: str, cut: int) -> None:
        for text in (sql, sql[:cut]):
            statement = Statement(text, dialect)
            shown = (statement.text, statement.sanitized, statement.summary, statement.shape, statement.traits.tail)
            for written in shown:
                assert SECRET not in written.lower()
                assert not re.search(r"[0-9]{9}", written)

    check()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_values_make_no_difference(dialect: str) -> None:
    @settings(max_examples=THOROUGH or 100, deadline=None)
    @given(sql=statements(dialect))
    def check(sql: str) -> None:
        numbered = re.sub(r"[0-9]{16}", "7", sql)
        assert Statement(numbered, dialect) == Statement(sql, dialect)
        assert Statement(sql + " ;\n", dialect) == Statement(sql, dialect)

    check()


def test_a_cut_text_never_folds_into_something_that_raises() -> None:
    source = random.Random(5)
    for _ in range(THOROUGH or 200):
        text = random_text(source, longest=15)
        for end in range(len(text)):
            assert digest(canonical(scan(text[:end], "postgresql"))) == Statement(text[:end], "postgresql").fingerprint
