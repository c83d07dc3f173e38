"""What silences a finding, and that it silences nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import dbprofile
from dbprofile import ConfigurationError, Profiler, Report, hooks
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.ignoring import ignored_here
from dbprofile.capture.provenance import Provenance
from dbprofile.findings.comments import comment_for
from tests.building import SQLITE, profile, read

BOOK = "SELECT id, title FROM book WHERE id = ?"
SOURCE = """\
def titles(ids):
    found = []
    for number in ids:
        found.append(
            title(number)
        )
    return found


def others(ids):  # dbprofile: ignore[DBP102] a report, once a night
    for number in ids:
        title(number)
"""


def loop(site: CallSite | None = None, number: int = 3) -> list[dbprofile.Query]:
    site = site or CallSite("/app/shop/views.py", 5, "titles")
    queries = [read(BOOK, (n,), path=(site,)) for n in range(number)]
    for query in queries:
        query.call_site = site
    return queries


def judged(queries: list[dbprofile.Query], *, route: str = "", kind: str = "request", **settings: Any) -> Report:
    labels: Mapping[str, object] = {"http.route": route} if route else {}
    return Profiler(**settings).report(profile(*queries, kind=kind, labels=labels))


def told(report: Report) -> list[str]:
    return [finding.code for finding in report.findings]


# --- comments -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [4, 5, 6], ids=["first line", "middle", "last line"])
def test_a_comment_on_any_line_of_the_statement_silences_its_code(tmp_path: Path, line: int) -> None:
    lines = SOURCE.splitlines()
    lines[line - 1] += "  # dbprofile: ignore[DBP102, DBP111] three at most"
    (tmp_path / "views.py").write_text("\n".join(lines))
    report = judged(loop(CallSite(str(tmp_path / "views.py"), 5, "titles")))

    assert told(report) == []
    (silenced,) = report.silenced
    assert (silenced.finding.code, silenced.reason) == ("DBP102", "three at most")
    assert silenced.by.endswith(f"views.py:{line}")


def test_a_comment_on_the_def_silences_the_function_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "views.py").write_text(SOURCE)
    here, there = (CallSite(str(tmp_path / "views.py"), line, name) for line, name in ((12, "others"), (5, "titles")))

    assert told(judged(loop(here))) == []
    assert told(judged(loop(there))) == ["DBP102"]


@pytest.mark.parametrize(
    "comment", ["# dbprofile: ignore", "# dbprofile: ignore[DBP101]", "'# dbprofile: ignore[DBP102]'"]
)
def test_a_comment_without_the_code_silences_nothing_nor_does_a_text(tmp_path: Path, comment: str) -> None:
    lines = SOURCE.splitlines()
    lines[4] += f"  {comment}" if comment.startswith("#") else f" or {comment}"
    (tmp_path / "views.py").write_text("\n".join(lines))
    profiler = Profiler()
    report = profiler.report(profile(*loop(CallSite(str(tmp_path / "views.py"), 5, "titles"))))

    assert told(report) == ["DBP102"]
    if comment == "# dbprofile: ignore":
        assert any("names no code" in line for line in profiler.silence.stale())


def test_a_comment_in_a_template_silences_its_line_alone(tmp_path: Path) -> None:
    page = tmp_path / "orders.html"
    page.write_text("{{ a }} {# dbprofile: ignore[DBP102] known #}\n{{ b }}\n")

    def at(line: int) -> CallSite:
        return CallSite(str(page), line, template="orders.html", tag="a")

    assert told(judged(loop(at(1)))) == []
    assert told(judged(loop(at(2)))) == ["DBP102"]


def test_a_file_that_is_changed_is_read_again(tmp_path: Path) -> None:
    page = tmp_path / "views.py"
    page.write_text("x = 1\n")
    site = CallSite(str(page), 1)
    assert comment_for(site, "DBP102") is None
    page.write_text("x = 12  # dbprofile: ignore[DBP102]\n")

    assert comment_for(site, "DBP102") is not None


# --- settings -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "silent"),
    [
        ({"code": "DBP102"}, True),
        ({"code": "DBP101"}, False),
        ({"code": "DBP102", "path": "*/shop/*"}, True),
        ({"code": "DBP102", "path": "*/other/*"}, False),
        ({"package": "shop"}, True),
        ({"package": "sho"}, False),
        ({"route": "/orders/*"}, True),
        ({"route": "/carts/*"}, False),
        ({"scope": "request"}, True),
        ({"scope": "task"}, False),
        ({"code": "DBP102", "max": 3}, True),
        ({"code": "DBP102", "max": 2}, False),
        ({"code": "DBP102", "relation": "Order.*"}, False),
    ],
)
def test_a_table_silences_what_matches_all_of_its_keys(table: dict[str, object], silent: bool) -> None:
    report = judged(loop(), route="/orders/{number}", ignore=[{**table, "reason": "known"}])

    assert told(report) == ([] if silent else ["DBP102"])
    assert [each.by for each in report.silenced] == (["settings ignore[0]"] if silent else [])


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"cod": "DBP101"}, "Did you mean 'code'"),
        ({"code": 101}, "is of the wrong type"),
        ({"max": 3}, "would silence everything"),
        ({"reason": "just so"}, "would silence everything"),
    ],
)
def test_a_wrong_table_is_an_error_at_once(table: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message.replace("[", r"\[")):
        Profiler(ignore=[table])


def test_a_table_that_matched_nothing_is_stale() -> None:
    profiler = Profiler(ignore=[{"code": "DBP102"}, {"relation": "Order.customer"}])
    profiler.report(profile(*loop()))

    assert profiler.silence.stale() == ["settings ignore[1] matched nothing"]


# --- blocks -----------------------------------------------------------------------------------------------------------------


def send(number: int) -> None:
    scope = hooks.receiver()
    assert scope is not None
    watch = hooks.start(scope, BOOK, (number,), SQLITE)
    assert watch is not None
    watch.query.provenance = Provenance(path=(CallSite("/app/shop/views.py", 5, "titles"),))
    hooks.stop(watch)


def test_a_block_silences_its_codes_for_queries_that_all_start_in_it() -> None:
    with dbprofile.record() as inside, dbprofile.ignore("DBP102", reason="three at most"):
        for number in range(3):
            send(number)
    with dbprofile.record() as partly:
        for number in range(3):
            if number:
                send(number)
            else:
                with dbprofile.ignore("DBP102"):
                    send(number)
    with dbprofile.record() as another, dbprofile.ignore("DBP101"):
        for number in range(3):
            send(number)

    assert (told(inside.report), [each.by for each in inside.report.silenced]) == ([], ["ignore()"])
    assert inside.query_count == 3
    assert told(partly.report) == told(another.report) == ["DBP102"]


def test_a_block_for_one_relation_silences_no_other() -> None:
    with dbprofile.record() as recording, dbprofile.ignore("DBP102", relation="Order.customer"):
        for number in range(3):
            send(number)
    assert told(recording.report) == ["DBP102"]


def test_blocks_inside_each_other_add_up_and_end_where_they_end() -> None:
    with dbprofile.record() as recording:
        with dbprofile.ignore("DBP102"), dbprofile.ignore("DBP101"):
            for number in range(3):
                send(number)
        assert ignored_here() is None
    assert told(recording.report) == []


def test_functions_coroutines_and_generators_are_decorated() -> None:
    @dbprofile.ignore("DBP102")
    def plain() -> None:
        send(1)

    @dbprofile.ignore("DBP102")
    async def coroutine() -> None:
        await asyncio.sleep(0)
        send(2)

    @dbprofile.ignore("DBP102")
    def generator() -> Iterator[None]:
        send(3)
        yield

    @dbprofile.ignore("DBP102")
    async def stream() -> AsyncIterator[None]:
        send(4)
        yield

    async def all_of_them() -> None:
        plain()
        await coroutine()
        for _ in generator():
            assert ignored_here() is None
        async for _ in stream():
            assert ignored_here() is None

    with dbprofile.record() as recording:
        asyncio.run(all_of_them())
    assert recording.query_count == 4
    assert all(query.ignored is not None for query in recording.queries)


@pytest.mark.parametrize("codes", [(), ("N+1",), (101,)])
def test_a_block_needs_codes(codes: Any) -> None:
    with pytest.raises(ConfigurationError, match='"DBP101'):
        dbprofile.ignore(*codes)
