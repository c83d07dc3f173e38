"""A problem is told once, however often the page is loaded; its end is told once; another process knows it too."""

import logging
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from dbprofile import Profiler, Report, guard
from dbprofile.capture.callsite import CallSite
from dbprofile.output.sinks import LogSink
from dbprofile.output.told import Again, Fixed, Told
from tests.building import profile, read

BOOK = "SELECT id, title FROM book WHERE id = ?"


@pytest.fixture
def view(tmp_path: Path) -> Path:
    file = tmp_path / "views.py"
    file.write_text("for number in numbers:\n    title(number)\n")
    return file


def page(view: Path, number: int, turns: int = 6, name: str = "GET /books/") -> Report:
    site = CallSite(str(view), 2, "titles")
    queries = [read(BOOK, (n,), path=(site,)) for n in range(turns)]
    return Profiler().report(profile(*queries, number=number, name=name))


def edit(view: Path) -> None:
    view.write_text(view.read_text() + "# edited\n")
    later = view.stat().st_mtime_ns + 1_000_000
    os.utime(view, ns=(later, later))


@pytest.mark.parametrize("kept", [True, False], ids=["in a file", "in memory"])
def test_the_same_findings_are_told_once_and_counted_from_then_on(tmp_path: Path, view: Path, kept: bool) -> None:
    told = Told(str(tmp_path) if kept else None)

    assert told.of(page(view, 42)) is None
    assert told.of(page(view, 43)) == Again(42, 2)
    assert told.of(page(view, 45, turns=7)) == Again(42, 3)
    assert told.of(page(view, 46, name="GET /authors/")) is None


def test_after_an_edit_they_are_told_in_full_again(tmp_path: Path, view: Path) -> None:
    told = Told(str(tmp_path))
    told.of(page(view, 42))
    edit(view)

    assert told.of(page(view, 50)) is None
    assert told.of(page(view, 51)) == Again(50, 2)


def test_when_they_are_gone_after_an_edit_that_is_told_once(tmp_path: Path, view: Path) -> None:
    told = Told(str(tmp_path))
    told.of(page(view, 42))
    edit(view)

    assert told.of(page(view, 50, turns=1)) == Fixed(42, 6, 1)
    assert told.of(page(view, 51, turns=1)) is None


def test_a_request_that_takes_another_branch_fixes_nothing(tmp_path: Path, view: Path) -> None:
    told = Told(str(tmp_path))
    told.of(page(view, 42))

    assert told.of(page(view, 43, turns=1)) is None
    assert told.of(page(view, 44)) == Again(42, 2)


def test_a_process_that_was_reloaded_remembers(tmp_path: Path, view: Path) -> None:
    Told(str(tmp_path)).of(page(view, 42))

    assert Told(str(tmp_path)).of(page(view, 3)) == Again(42, 2)
    assert (tmp_path / ".dbprofile" / ".gitignore").read_text() == "*\n"
    assert b"title" not in (tmp_path / ".dbprofile" / "history.sqlite3").read_bytes().replace(b"titles", b"")


def test_tools_that_watch_drivers_do_not_see_the_file(
    tmp_path: Path, view: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watched(*_arguments: object, **_keywords: object) -> None:
        pytest.fail("it would be told as a database of the application's")

    monkeypatch.setattr(sqlite3, "connect", watched)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", watched)
    Told(str(tmp_path)).of(page(view, 42))
    assert Told(str(tmp_path)).of(page(view, 1)) == Again(42, 2)


def test_a_new_finding_beside_known_ones_tells_them_all(tmp_path: Path, view: Path) -> None:
    told = Told(str(tmp_path))
    told.of(page(view, 42))
    site = CallSite(str(view), 1, "authors")
    queries = [read("SELECT name FROM author WHERE id = ?", (n,), path=(site,)) for n in range(6)]
    report = Profiler().report(profile(*page(view, 43).profile.queries, *queries, number=43, name="GET /books/"))

    assert told.of(report) is None


@pytest.mark.parametrize("broken", ["a file in the way", "no database", "not allowed"])
def test_where_the_file_cannot_be_used_the_process_remembers_alone(
    tmp_path: Path, view: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.reraising(False)
    folder = tmp_path / ".dbprofile"
    if broken == "a file in the way":
        folder.write_text("")
    else:
        folder.mkdir()
        (folder / "history.sqlite3").write_text("nonsense " * 200)
        if broken == "not allowed":
            (folder / "history.sqlite3").unlink()
            (folder / "history.sqlite3").mkdir()
            folder.chmod(stat.S_IRWXU)
    told = Told(str(tmp_path))
    with caplog.at_level(logging.ERROR, "dbprofile"):
        assert told.of(page(view, 42)) is None
        assert told.of(page(view, 43)) == Again(42, 2)

    assert len([record for record in caplog.records if "told." in record.getMessage()]) == 1


def test_the_console_shows_the_block_then_one_line_then_that_it_is_fixed(
    tmp_path: Path, view: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sink = LogSink(root=str(tmp_path), told=Told(str(tmp_path)))
    with caplog.at_level(logging.INFO, "dbprofile"):
        sink(page(view, 42))
        sink(page(view, 43))
        edit(view)
        sink(page(view, 44, turns=1))
    first, second, third = (record.getMessage() for record in caplog.records)

    assert "LOOP" in first
    assert "same 1 finding as #42 (2x)" in second
    assert len(second.splitlines()) == 1
    assert third.splitlines()[1] == "  fixed since #42: 6 -> 1 query"


def test_without_a_memory_everything_is_told_each_time(view: Path, caplog: pytest.LogCaptureFixture) -> None:
    sink = LogSink()
    with caplog.at_level(logging.INFO, "dbprofile"):
        sink(page(view, 42))
        sink(page(view, 43))
    assert all("LOOP" in record.getMessage() for record in caplog.records)
