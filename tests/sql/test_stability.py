"""A fingerprint is the same on every machine: kept in files, it must be found again by the next Python."""

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from dbprofile.sql import Statement
from tests.sql.sending import CORPUS, Sent, corpus
from tests.tree import CORE

VERSIONS = ("3.11", "3.12", "3.13")

AGAIN = """
import json, sys
from dbprofile.sql import Statement
sent = json.load(open(sys.argv[1], encoding="utf-8"))
print(json.dumps([Statement.of(sql, dialect, style).fingerprint for _, dialect, style, sql, _ in sent]))
"""


def _again(python: str, seed: str) -> list[str]:
    """The fingerprints of the corpus, made by another process."""
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(CORE.parent)}
    command = [python, "-c", AGAIN, str(CORPUS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    fingerprints: list[str] = json.loads(done.stdout)
    return fingerprints


def _python(version: str) -> str | None:
    pyenv = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob(f"versions/{version}.*/bin/python"))
    # The path may hold a shim of pyenv, which fails for a version that is not switched on.
    return str(pyenv[-1]) if pyenv else shutil.which(f"python{version}")


@pytest.fixture(scope="module")
def statements() -> list[Sent]:
    return corpus()


def test_the_corpus_is_large_and_varied(statements: list[Sent]) -> None:
    assert len(statements) >= 200
    assert {sent.library for sent in statements} == {"django", "sqlalchemy"}
    assert {sent.dialect for sent in statements} == {"postgresql", "mysql", "sqlite"}


def test_fingerprints_are_those_that_were_written_down(statements: list[Sent]) -> None:
    for sent in statements:
        assert Statement.of(sent.sql, sent.dialect, sent.paramstyle).fingerprint == sent.fingerprint, sent.sql


@pytest.mark.parametrize("seed", ["0", "1", "4294967295", "random"])
def test_fingerprints_do_not_depend_on_the_seed_of_hashes(statements: list[Sent], seed: str) -> None:
    assert _again(sys.executable, seed) == [sent.fingerprint for sent in statements]


@pytest.mark.parametrize("version", VERSIONS)
def test_fingerprints_do_not_depend_on_the_version_of_python(statements: list[Sent], version: str) -> None:
    python = _python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    assert _again(python, "7") == [sent.fingerprint for sent in statements]


def test_what_is_sent_has_no_literal_in_its_texts(statements: list[Sent]) -> None:
    for sent in statements:
        statement = Statement.of(sent.sql, sent.dialect, sent.paramstyle)
        for text in (statement.text, statement.sanitized, statement.summary, statement.shape):
            assert "inlined" not in text
            assert "'" not in text


def test_every_table_of_what_is_sent_is_known(statements: list[Sent]) -> None:
    for sent in statements:
        statement = Statement.of(sent.sql, sent.dialect, sent.paramstyle)
        control = statement.verb in {"BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK"}
        assert bool(statement.tables) is not control, sent.sql
        assert bool(statement.written) is (statement.verb in {"INSERT", "UPDATE", "DELETE"}), sent.sql
        names = {name.strip('"').rpartition(".")[2] for name in statement.tables}
        assert all(name == "order" or name.startswith(("shop_", "auth_", "django_")) for name in names), sent.sql


def test_statements_that_differ_have_different_fingerprints(statements: list[Sent]) -> None:
    texts = defaultdict(set)
    for sent in statements:
        texts[sent.fingerprint].add(Statement.of(sent.sql, sent.dialect, sent.paramstyle).text)
    assert all(len(found) == 1 for found in texts.values())
    assert len(texts) > 80


def test_the_same_question_is_the_same_statement_on_every_database(statements: list[Sent]) -> None:
    databases = defaultdict(set)
    for sent in statements:
        databases[sent.library, sent.fingerprint].add(sent.dialect)
    assert sum(len(found) == 3 for found in databases.values()) > 30
