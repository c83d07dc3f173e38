"""Reports that are written, and read again by another process on another day."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbprofile import ConfigurationError, Profile, Report
from dbprofile.capture.counters import Counter
from dbprofile.output.renderers.json import document, render
from dbprofile.output.renderers.text import render as text_of
from dbprofile.output.saved import read_saved, reports_in
from dbprofile.output.terminal import Terminal
from tests.output import shop as shops
from tests.output.golden import PAGES
from tests.output.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shops.opened(tmp_path) as shop:
        yield shop


def again(report: Report, shop: Shop) -> Report:
    """A report that was written and read."""
    (read,) = reports_in(render([report], root=shop.root), "a file", shop.root)
    return read


def refusal(text: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        reports_in(text, "page.json", "/")
    return str(refused.value)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("width", [80, 120])
def test_it_reads_as_it_did_in_the_terminal(page: Any, width: int, shop: Shop) -> None:
    report = page(shop)
    terminal = Terminal(width, colour=True)

    assert text_of([again(report, shop)], terminal, root=shop.root) == text_of([report], terminal, root=shop.root)


@pytest.mark.parametrize("page", PAGES)
def test_it_is_written_anew_as_it_was(page: Any, shop: Shop) -> None:
    report = page(shop)
    first = document(report, root=shop.root, queries=True)
    second = document(again(report, shop), root=shop.root, queries=True)

    assert list(second) == list(first)
    assert rounded(second) == rounded(first)


def rounded(value: Any) -> Any:
    """Without the last digits: sums of what was summed before differ in them."""
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 9) if isinstance(value, float) else value


def test_what_was_silenced_stays_so(shop: Shop) -> None:
    shop.reports = type(shop.reports)(ignore=[{"code": "DBP101", "reason": "three at most"}])
    report = again(shops.many_queries(shop), shop)

    assert [finding.code for finding in report.findings] == ["DBP111"]
    (silenced,) = report.silenced
    assert (silenced.finding.code, silenced.by, silenced.reason) == ("DBP101", "settings ignore[0]", "three at most")
    assert len(silenced.finding.queries) == 50


def test_statements_that_were_only_counted_are_counted_again(shop: Shop) -> None:
    counter = Counter("SELECT a FROM t WHERE b = 1", shops.DATABASE)
    counter.count, counter.seconds, counter.longest, counter.rows, counter.errors = 7, 0.5, 0.2, 3, 1
    detailed = shops.query("SELECT a FROM t WHERE b = 2", at=1, ms=250, rows=2)
    report = Report(Profile("request", "GET /", queries=[detailed], counters=[counter]))

    (found,) = again(report, shop).profile.counters

    assert (found.count, found.rows, found.errors, found.longest) == (7, 3, 1, 0.25)
    assert found.seconds == pytest.approx(0.5)


def test_the_line_and_the_findings_of_a_report_without_queries_are_there(shop: Shop) -> None:
    report = shops.many_queries(shop)
    (read,) = reports_in(render([report], root=shop.root, queries=False), "a log", shop.root)
    shown, before = (text_of([each], root=shop.root).splitlines() for each in (read, report))

    assert shown[0] == before[0]
    assert shown[-1] == before[-1]
    assert 'Order.objects.filter(open=True).select_related("customer")  54 -> 4' in "\n".join(shown)
    assert "only counted" not in shown[0]
    assert "        shop/middleware.py:12 in SiteMiddleware.__call__" in "\n".join(shown)


def test_a_report_of_an_earlier_version_lacks_nothing_that_matters(shop: Shop) -> None:
    old = json.loads(render([shops.many_queries(shop)], root=shop.root))
    for finding in old["findings"]:
        del finding["queries"], finding["statement"]["tables"]
        if finding["fix"]:
            del finding["fix"]["replaces"]
    for query in old["queries"]:
        del query["parameters"], query["parameter_count"], query["infrastructure"]

    (read,) = reports_in(json.dumps(old), "old.json", shop.root)

    assert "54 -> 4" in text_of([read], root=shop.root)


def test_a_file_holds_several_reports_one_a_line(shop: Shop, tmp_path: Path) -> None:
    file = tmp_path / "page.json"
    file.write_text(render([shops.fine(shop), shops.slow(shop)], root=shop.root) + "\n\n", encoding="utf-8")

    assert [report.profile.number for report in read_saved(str(file), shop.root)] == [41, 43]


def test_an_object_that_a_tool_has_laid_out_is_read_too(shop: Shop) -> None:
    laid_out = json.dumps(document(shops.fine(shop), root=shop.root, queries=True), indent=2)

    assert [report.profile.number for report in reports_in(laid_out, "page.json", shop.root)] == [41]


# --- what is no report ----------------------------------------------------------------------------------------------

FOREIGN = {
    "no JSON": "GET / 200\n",
    "another object": '{"name": "GET /"}',
    "a list": "[]",
    "a number": "1",
    "a version that is none": '{"dbprofile": true, "kind": "request"}',
    "nested without end": "[" * 100_000,
}


@pytest.mark.parametrize("text", FOREIGN.values(), ids=FOREIGN)
def test_what_is_not_ours_is_refused_with_the_way_to_make_one(text: str) -> None:
    assert refusal(text) == "dbprofile: page.json is no saved report; `dbprofile run --json FILE` writes one"


def test_an_empty_file_is_refused() -> None:
    assert refusal(" \n").startswith("dbprofile: page.json is empty")


def test_a_later_version_is_refused_with_the_remedy() -> None:
    said = refusal('{"dbprofile": 2, "kind": "request"}')
    assert "a later version of dbprofile, in format 2, and this one reads format 1" in said
    assert "--upgrade" in said


@pytest.mark.parametrize(("kind", "named"), [("tests", "the record of a test run"), ("baseline", "a baseline")])
def test_other_files_of_ours_are_called_by_their_name(kind: str, named: str) -> None:
    assert f"page.json is {named}, and no saved report" in refusal(json.dumps({"dbprofile": 1, "kind": kind}))


def test_a_file_that_was_cut_off_is_damaged(shop: Shop) -> None:
    whole = render([shops.fine(shop)], root=shop.root)

    assert refusal(whole[: len(whole) // 2]) == "dbprofile: page.json is damaged: it ends too early"


def test_the_line_at_fault_is_named(shop: Shop) -> None:
    line = render([shops.fine(shop)], root=shop.root)
    assert refusal(f"{line}\n{line[:100]}\n").startswith("dbprofile: line 2 of page.json is damaged: it ends too early")


def test_lines_of_a_server_between_ours_are_passed_over(shop: Shop) -> None:
    line = render([shops.slow(shop)], root=shop.root, queries=False, beside={"pid": 7})
    log = f'Watching for file changes\n[25/Nov/2026] "GET / HTTP/1.1" 200 12\nINFO dbprofile {line}\n{{}}\n{line}\n'

    assert [report.profile.number for report in reports_in(log, "server.log", shop.root)] == [43, 43]


DAMAGES: list[tuple[list[Any], Any, str]] = [
    (["name"], None, "name is missing; it is a text"),
    (["kind"], "x\x1b[31m", "kind is not a word"),
    (["query_count"], -1, "query_count is not a whole number from 0 on"),
    (["query_count"], 1e9, "query_count is not a whole number from 0 on"),
    (["query_count"], 10**400, "query_count is not a whole number from 0 on"),
    (["seconds"], float("nan"), "seconds is not a number from 0 on"),
    (["seconds"], 10**400, "seconds is not a number"),
    (["seconds"], True, "seconds is not a number"),
    (["started"], "yesterday", "started is no moment of RFC 3339"),
    (["labels"], {"a": []}, "labels.a is not a text or a number"),
    (["untracked"], {"a": "b"}, "untracked.a is not a whole number"),
    (["queries"], {}, "queries is not a list"),
    (["queries", 0], 1, "queries[0] is no object"),
    (["queries", 0, "fingerprint"], "0", "queries name a statement that is not in statements"),
    (["findings", 0, "code"], "\x1b]0;", "findings[0].code is not a word"),
    (["findings", 0, "severity"], "bad", "a finding has none of the severities info, warning, critical"),
    (["findings", 0, "queries"], [0, 54], "findings[0].queries is not a list of whole numbers below 54"),
    (["findings", 0, "trigger", "line"], "14", "findings[0].trigger.line is not a whole number"),
    (["statements", 0, "tables"], [1], "statements[0].tables is not a list of texts"),
    (["findings", 0, "fix", "certain"], 1, "findings[0].fix.certain is not true or false"),
]


@pytest.mark.parametrize(("path", "value", "said"), DAMAGES, ids=lambda part: str(part)[:40])
def test_a_damaged_field_is_named(path: list[Any], value: Any, said: str, shop: Shop) -> None:
    found: Any = document(shops.many_queries(shop), root=shop.root, queries=True)
    found = json.loads(json.dumps(found))
    *above, last = path
    inner = found
    for step in above:
        inner = inner[step]
    inner[last] = value

    assert refusal(json.dumps(found)).startswith(f"dbprofile: page.json is damaged: {said}")


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read .*missing.json: No such file"):
        read_saved(str(tmp_path / "missing.json"), tmp_path)
    with pytest.raises(ConfigurationError, match="cannot read"):
        read_saved(str(tmp_path), tmp_path)
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    with pytest.raises(ConfigurationError, match="no text at all"):
        read_saved(str(tmp_path / "picture"), tmp_path)
