"""``dbprofile report``, ``compare`` and ``findings``, over files."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbprofile import Report
from dbprofile.cli import main
from dbprofile.output.renderers import json as json_renderer
from dbprofile.output.renderers import markdown, text
from tests.output import shop as shops
from tests.output.shop import Shop

BEFORE = 1_000_000_000.0
"""A moment before the shop's files were written."""

Save = Callable[..., str]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    with shops.opened(tmp_path) as shop:
        yield shop


@pytest.fixture
def save(shop: Shop) -> Save:
    """Writes a file of reports, and returns its name."""

    def saved(name: str, *reports: Report) -> str:
        (shop.root / name).write_text(json_renderer.render(reports, root=shop.root) + "\n", encoding="utf-8")
        return name

    return saved


def page(shop: Shop, number: int, *, cured: bool = False, status: int = 200, started: float = BEFORE) -> Report:
    """The page with the N+1, or as it is after the fix."""
    profile = shops.many_queries(shop).profile
    queries = [query for query in profile.queries if not cured or query.statement.tables != ("customer",)]
    return shop.report(
        replace(
            profile,
            number=number,
            queries=queries,
            started=started,
            seconds=0.02 if cured else profile.seconds,
            labels={**profile.labels, "http.response.status_code": status},
        )
    )


# --- report ---------------------------------------------------------------------------------------------------------


def test_a_report_is_shown_as_in_the_terminal(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    report = shops.many_queries(shop)

    assert main(["report", save("page.json", report)]) == 0
    assert capsys.readouterr().out == text.render([report], root=shop.root) + "\n"


def test_it_is_shown_as_markdown(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    report = shops.slow(shop)

    assert main(["report", save("page.json", report), "--format", "markdown"]) == 0
    assert capsys.readouterr().out == markdown.render([report], root=shop.root) + "\n"


def test_it_is_written_to_a_file_without_colour(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", save("page.json", shops.slow(shop)), "-o", "page.txt"]) == 0
    assert capsys.readouterr().out == ""
    assert (shop.root / "page.txt").read_text("utf-8").startswith("dbprofile GET /reports/sales/ 200 | 4 queries")


def test_colour_is_there_where_it_is_asked_for(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", save("page.json", shops.slow(shop)), "--color"]) == 0
    assert "\x1b[1;33m" in capsys.readouterr().out


def test_what_is_written_as_json_can_be_read_from_a_pipe(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["report", save("pages.json", shops.fine(shop), shops.slow(shop)), "--format", "json"]) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(capsys.readouterr().out.encode())))
    assert main(["report", "-"]) == 0
    assert capsys.readouterr().out.count("dbprofile GET ") == 2


@pytest.mark.parametrize("words", [["report"], ["compare"], ["compare", "a"], ["findings"]])
def test_a_file_is_needed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2


@pytest.mark.parametrize("verb", [["report"], ["findings"], ["compare", "page.json"]])
def test_a_wrong_file_is_wrong_usage(
    verb: list[str], shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    save("page.json", shops.fine(shop))
    for name in ("missing.json", "shop/views.py", "shop"):
        assert main([*verb, name]) == 2
        assert capsys.readouterr().err.startswith("dbprofile: ")


def test_a_file_that_cannot_be_written_is_wrong_usage(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", save("page.json", shops.fine(shop)), "-o", "no/such/folder.txt"]) == 2
    assert capsys.readouterr().err == "dbprofile: cannot write no/such/folder.txt: No such file or directory\n"


def test_a_terminal_without_the_letters_shows_the_rest(shop: Shop, save: Save) -> None:
    save("page.json", replace_name(shops.many_queries(shop), "GET /größe/"))
    for format_ in ("text", "markdown"):
        done = shell("report", "page.json", "--format", format_, folder=shop.root, PYTHONIOENCODING="ascii")
        assert (done.returncode, done.stderr) == (0, "")
        assert "GET /gr\\xf6\\xdfe/" in done.stdout


def test_a_reader_that_has_seen_enough_ends_it_quietly(shop: Shop, save: Save) -> None:
    save("page.json", *[shops.many_queries(shop)] * 200)
    command = [sys.executable, "-m", "dbprofile", "report", "page.json"]
    with subprocess.Popen(command, cwd=shop.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_said_in_one_line(shop: Shop, save: Save) -> None:
    save("page.json", shops.many_queries(shop))
    command = [sys.executable, "-m", "dbprofile", "report", "page.json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, cwd=shop.root, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "dbprofile: cannot write to standard output: No space left on device\n",
    )


def test_closed_streams_are_no_crash(
    shop: Shop, save: Save, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = save("page.json", shops.many_queries(shop))
    monkeypatch.setattr(sys, "stdin", None)
    assert main(["report", "-"]) == 2
    assert capsys.readouterr().err == "dbprofile: there is no standard input; name a file\n"
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["report", name]) == 0
    assert main(["findings", name]) == 1


def replace_name(report: Report, name: str) -> Report:
    return replace(report, profile=replace(report.profile, name=name))


def shell(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dbprofile", *words]
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60)


# --- compare --------------------------------------------------------------------------------------------------------

COMPARED = """\
GET /orders/: 54 -> 4 queries, 61 -> 14 ms db

  50 -> 0  SELECT … FROM customer WHERE id = ? LIMIT ?                 shop/templates/orders.html:14

  gone  DBP101  N+1  50 queries that one JOIN replaces  shop/templates/orders.html:14
"""


def test_two_reports_are_compared_by_what_explains_the_difference(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", save("a.json", page(shop, 1)), save("b.json", page(shop, 2, cured=True))]) == 0
    assert capsys.readouterr().out == COMPARED


def test_more_queries_fail_where_that_is_asked_for(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    sick, cured = save("a.json", page(shop, 1)), save("b.json", page(shop, 2, cured=True))
    assert main(["compare", cured, sick]) == 0
    assert main(["compare", "--fail-on-more", cured, sick]) == 1
    assert main(["compare", "--fail-on-more", sick, cured]) == 0
    assert main(["compare", "--fail-on-more", sick, sick]) == 0
    out = capsys.readouterr().out
    assert "  new   DBP101  N+1  50 queries that one JOIN replaces" in out
    assert out.endswith("GET /orders/: 54 -> 54 queries, 61 -> 61 ms db\n  the same statements, each as often\n")


def test_pages_of_two_names_are_told_apart(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", save("a.json", shops.fine(shop)), save("b.json", shops.slow(shop))]) == 0
    out = capsys.readouterr().out
    assert out.startswith("GET /orders/ -> GET /reports/sales/: 3 -> 4 queries, 3.1 ms -> 1.84 s db\n")
    assert "  0 -> 1  SELECT sum(amount) FROM payment" in out


def test_a_file_of_several_reports_cannot_be_compared(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    many = save("a.json", shops.fine(shop), shops.slow(shop))
    assert main(["compare", many, many]) == 2
    assert "a.json holds 2 reports, and one can be compared" in capsys.readouterr().err


def test_long_names_and_hostile_statements_stay_on_their_lines(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "GET /" + "x" * 200 + "\x1b[31m\n"
    table = "t\x1b[31m\n" + "y" * 200
    queries = tuple(shops.query(f'SELECT a{n} FROM "{table}"', shop.sales, at=n + 1, ms=1) for n in range(30))
    long = shop.report(shops.request(name, 1, queries, seconds=1))
    assert main(["compare", save("a.json", shops.fine(shop)), save("b.json", replace_name(long, name))]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert all(len(line) <= 100 for line in out.splitlines())
    assert "  and 13 more statements" in out


# --- findings -------------------------------------------------------------------------------------------------------


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and what is listed."""
    code = main(["findings", *words, "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (found["dbprofile"], found["kind"]) == (1, "findings")
    return code, found["findings"]


def codes(findings: Sequence[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [(one["code"], one["status"], one["times"]) for one in findings]


def test_each_finding_is_listed_once_the_worst_first(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    name = save("log.json", shops.slow(shop), page(shop, 1), page(shop, 2), shops.untracked(shop))

    assert main(["findings", name]) == 1
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if "  DBP" in line] == ["N+1", "SLOW", "DUP"]
    assert "\n    in  request GET /orders/ #2, 2x\n" in out
    assert out.endswith("\n3 findings: 1 critical, 1 warning, 1 info\n")


def test_no_finding_is_no_failure(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", save("fine.json", shops.fine(shop))]) == 0
    assert capsys.readouterr().out == "0 findings\n"


def test_a_finding_is_open_until_five_calls_are_without_it(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    later = 4_000_000_000.0  # no file has changed since
    calls = [page(shop, 1, started=later), *(page(shop, n, cured=True, started=later) for n in range(2, 6))]
    name = save("calls.json", *calls)
    assert codes(listed(capsys, name, "--code", "DBP101")[1]) == [("DBP101", "open", 1)]

    failed = save("failed.json", page(shop, 6, cured=True, status=500, started=later))
    assert listed(capsys, name, failed, "--code", "DBP101")[0] == 1

    fifth = save("fifth.json", page(shop, 7, cured=True, started=later))
    assert listed(capsys, name, fifth, "--code", "DBP101") == (0, [])
    code, found = listed(capsys, name, fifth, "--code", "DBP101", "--status", "fixed")
    assert (code, codes(found)) == (0, [("DBP101", "fixed", 1)])


def test_one_call_is_enough_after_its_file_was_edited(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = save("a.json", page(shop, 1)), save("b.json", page(shop, 2, cured=True))
    assert codes(listed(capsys, before, after, "--code", "DBP101", "--status", "fixed")[1]) == [("DBP101", "fixed", 1)]
    assert codes(listed(capsys, before, after)[1]) == [("DBP111", "open", 2)]
    # It came back.
    assert ("DBP101", "open", 2) in codes(listed(capsys, before, after, before)[1])


def test_what_a_call_was_without_is_new_when_it_comes(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    name = save("calls.json", page(shop, 1, cured=True), page(shop, 2))
    code, found = listed(capsys, name, "--status", "new")
    assert (code, codes(found)) == (1, [("DBP101", "new", 1)])
    assert main(["findings", name, "--status", "new"]) == 1
    assert capsys.readouterr().out.endswith(" #2, new\n\n1 new finding: 1 critical\n")


@pytest.mark.parametrize(
    ("wanted", "found"), [("dbp1xx", 2), ("critical", 1), ("DBP111", 1), ("DBP2xx", 0), ("DBP402", 0)]
)
def test_the_list_holds_the_codes_that_are_asked_for(
    wanted: str, found: int, shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    code, listing = listed(capsys, save("a.json", page(shop, 1)), "--code", wanted)
    assert (code, len(listing)) == (int(found > 0), found)


def test_a_code_that_nobody_has_is_wrong_usage(shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["findings", save("a.json", page(shop, 1)), "--code", "DBP1"]) == 2
    assert "'DBP1' is no code of a finding" in capsys.readouterr().err


def test_a_listed_finding_has_place_cure_and_where_it_was_met(
    shop: Shop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(capsys, save("a.json", page(shop, 7)), "--code", "DBP101")[1][0]
    assert found["trigger"]["file"] == "shop/templates/orders.html"
    assert found["fix"]["place"]["line"] == 27
    assert found["unit"] == {"kind": "request", "name": "GET /orders/", "number": 7}
    assert "queries" not in found
