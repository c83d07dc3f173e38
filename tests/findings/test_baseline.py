"""Known findings that may stay: what is the same, what is worse, what is stale; and the file."""

import json
from pathlib import Path

import pytest

from dbprofile import ConfigurationError, Finding, Profiler
from dbprofile.capture.callsite import CallSite
from dbprofile.findings.baseline import Baseline
from tests.building import profile, read

BOOK = "SELECT id, title FROM book WHERE id = ?"
ROOT = "/app"


def loop(turns: int, *, line: int = 5, function: str = "titles", values: int = 0) -> Finding:
    site = CallSite("/app/shop/views.py", line, function)
    queries = [read(BOOK, (values + n,), path=(site,)) for n in range(turns)]
    (finding,) = (each for each in Profiler().report(profile(*queries)).findings if each.code == "DBP102")
    return finding


def accepted(*findings: Finding) -> Baseline:
    baseline = Baseline(root=ROOT)
    for finding in findings:
        baseline.covers(finding)
    return baseline.accepted()


def test_the_same_finding_is_known_whatever_its_line_and_its_values() -> None:
    baseline = accepted(loop(5))

    assert baseline.covers(loop(5, line=50, values=1_000))
    assert not baseline.covers(loop(5, function="others"))


def test_fewer_are_known_and_more_are_worse() -> None:
    baseline = accepted(loop(5))

    assert baseline.covers(loop(4))
    assert not baseline.covers(loop(6))
    assert baseline.is_worse(loop(6))
    assert not baseline.is_worse(loop(6, function="others"))


@pytest.mark.parametrize("function", ["titles.<locals>.<listcomp>", "titles.<locals>.<lambda>"])
def test_a_comprehension_is_its_function_which_newer_versions_say_anyway(function: str) -> None:
    assert accepted(loop(5)).covers(loop(5, function=function))


def test_what_was_not_seen_is_stale_and_shrinking_drops_it() -> None:
    baseline = accepted(loop(5), loop(5, function="others"))
    baseline.covers(loop(4))

    assert [key.trigger for key in baseline.stale()] == ["shop/views.py:others"]
    shrunk = baseline.shrunk()
    assert len(shrunk) == 1
    assert not shrunk.covers(loop(5))


def test_shrinking_adds_nothing() -> None:
    baseline = accepted(loop(5))
    baseline.covers(loop(9))
    baseline.covers(loop(5, function="others"))

    assert baseline.shrunk().covers(loop(5))
    assert not baseline.shrunk().covers(loop(6))
    assert len(baseline.shrunk()) == 1


def test_the_file_is_sorted_has_no_values_and_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "dbprofile-baseline.jsonl"
    accepted(loop(5, values=777), loop(3, function="a")).write(file)
    header, *entries = map(json.loads, file.read_text().splitlines())

    assert header == {"dbprofile": 1, "kind": "baseline"}
    assert [list(entry) for entry in entries] == [["code", "subject", "origin", "trigger", "worst", "reason"]] * 2
    assert [entry["trigger"] for entry in entries] == ["shop/views.py:a", "shop/views.py:titles"]
    assert "777" not in file.read_text()
    assert Baseline.read(file, ROOT).covers(loop(5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "is no JSON"),
        ('{"kind": "report"}', "is no baseline"),
        ('{"dbprofile": 1, "kind": "baseline"}\n{"code": "DBP101"}', ":2 lacks one of"),
    ],
)
def test_a_broken_file_is_an_error_that_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b.jsonl").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        Baseline.read(tmp_path / "b.jsonl")


def test_a_profiler_tells_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("")
    site = CallSite(str(tmp_path / "views.py"), 5, "titles")

    def judged(profiler: Profiler, turns: int) -> list[str]:
        queries = [read(BOOK, (n,), path=(site,)) for n in range(turns)]
        return [finding.code for finding in profiler.report(profile(*queries)).findings]

    seen = Baseline(root=str(tmp_path))
    for finding in Profiler().report(profile(*[read(BOOK, (n,), path=(site,)) for n in range(5)])).findings:
        seen.covers(finding)
    seen.accepted().write(tmp_path / "known.jsonl")
    profiler = Profiler(baseline="known.jsonl")

    assert judged(profiler, 5) == []
    assert judged(profiler, 6) == ["DBP102"]
