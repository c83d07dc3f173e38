import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dbprofile.cli import main
from dbprofile.sql import Statement
from tests.tree import REPOSITORY

SQL = 'SELECT "o"."id" FROM "orders" AS "o" WHERE "o"."total" > 5 AND "o"."id" IN (1, 2)'


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Standard input, to be filled by the test."""
    stream = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(stream))
    return stream


def _give(stream: io.BytesIO, data: bytes) -> None:
    stream.write(data)
    stream.seek(0)


def test_a_file_is_described_in_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "statement.sql"
    file.write_text(SQL)
    assert main(["fingerprint", str(file), "--dialect", "postgresql"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "text         SELECT o.id FROM orders AS o WHERE o.total > ? AND o.id IN (?+)",
        f"fingerprint  {Statement.of(SQL).fingerprint}",
        'summary      SELECT "orders"',
        "shape        SELECT orders WHERE total > ? AND id IN (...)",
        "tables       orders",
        "written",
        "flags",
    ]


def test_standard_input_is_described_in_json(given: io.BytesIO, capsys: pytest.CaptureFixture[str]) -> None:
    _give(given, b"DELETE FROM a WHERE b = 'x'; SELECT c FROM d")
    assert main(["fingerprint", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert list(facts)[:2] == ["dbprofile", "kind"]
    assert facts == {
        "dbprofile": 1,
        "kind": "statement",
        "text": "DELETE FROM a WHERE b = ?; SELECT c FROM d",
        "fingerprint": Statement.of("DELETE FROM a WHERE b = 'x'; SELECT c FROM d").fingerprint,
        "summary": "DELETE a SELECT d",
        "shape": "DELETE a WHERE b = ?; SELECT d",
        "tables": ["a", "d"],
        "written": ["a"],
        "flags": ["multi"],
    }


def test_the_dialect_decides_what_a_string_is(given: io.BytesIO, capsys: pytest.CaptureFixture[str]) -> None:
    _give(given, b'SELECT "secret", a ? b')
    assert main(["fingerprint", "-", "--dialect", "mariadb", "--paramstyle", "format"]) == 0
    assert "SELECT ?, a ? b" in capsys.readouterr().out


@pytest.mark.parametrize("data", [b"", b" \n", b"-- nothing\n", b";"])
def test_an_empty_input_is_a_mistake(given: io.BytesIO, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    _give(given, data)
    assert main(["fingerprint"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "no SQL given" in captured.err


def test_a_missing_file_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fingerprint", str(tmp_path / "missing.sql")]) == 2
    assert "missing.sql: No such file or directory" in capsys.readouterr().err


def test_a_folder_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fingerprint", str(tmp_path)]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_an_unknown_dialect_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["fingerprint", "--dialect", "dbase"])
    assert stopped.value.code == 2
    assert "postgresql" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_binary_input_is_described_too(
    given: io.BytesIO, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    _give(given, bytes(range(256)) * 4)
    assert main(["fingerprint", *arguments]) == 0
    out = capsys.readouterr().out
    assert all(letter.isprintable() for letter in out.replace("\n", ""))


def test_a_huge_input_is_read_up_to_a_limit(given: io.BytesIO, capsys: pytest.CaptureFixture[str]) -> None:
    _give(given, b"SELECT a FROM t WHERE b = 1" + b" AND c = 2" * 500_000)
    assert main(["fingerprint", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["flags"] == ["truncated"]
    assert facts["tables"] == ["t"]


def test_a_terminal_without_the_letters_still_shows_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "statement.sql"
    file.write_text('SELECT "größe" FROM t', encoding="utf-8")
    command = [sys.executable, "-m", "dbprofile", "fingerprint", str(file)]
    environment = {"PYTHONIOENCODING": "ascii", "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=REPOSITORY)
    assert 'SELECT "gr??e" FROM t' in done.stdout


def test_the_documentation_shows_what_is_printed(given: io.BytesIO, capsys: pytest.CaptureFixture[str]) -> None:
    page = (REPOSITORY / "docs" / "statements.md").read_text(encoding="utf-8")
    command, shown = page.partition("```console\n$ ")[2].partition("```")[0].split("\n", 1)
    sql = command.partition('"')[2].partition('"')[0]
    _give(given, sql.encode())
    assert main(command.partition("| dbprofile ")[2].split()) == 0
    assert capsys.readouterr().out == shown
