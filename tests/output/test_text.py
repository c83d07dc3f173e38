"""Whole reports, as people read them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbprofile import Finding, Fix, Profile, Report, Severity, Statement
from dbprofile.capture.callsite import CallSite
from dbprofile.output.renderers import text
from dbprofile.output.terminal import Terminal, cells
from tests.output import golden
from tests.output import shop as shops
from tests.output.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shops.opened(tmp_path) as shop:
        yield shop


def finding(severity: Severity = Severity.WARNING, **fields: object) -> Finding:
    known: dict[str, object] = {"code": "DBP102", "kind": "query_loop", "subject": "SELECT t", "count": 3}
    return Finding(**{"message": "3 queries in a loop", **known, "severity": severity, **fields})  # type: ignore[arg-type]


def lines(report: Report, terminal: Terminal | None = None, root: Path | None = None) -> list[str]:
    return text.render([report], terminal or Terminal(), root=root).split("\n")


def page(*findings: Finding, **fields: object) -> Report:
    return Report(Profile("request", "GET /", seconds=0.01, **fields), findings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("width", "mode"), golden.CASES)
def test_pages_of_the_shop_read_as_their_golden_files(tmp_path: Path, width: int, mode: str) -> None:
    assert golden.rendered(tmp_path, width, mode) == golden.file_of(width, mode).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", golden.WIDTHS)
def test_colour_changes_no_character(tmp_path: Path, width: int) -> None:
    coloured = golden.rendered(tmp_path, width, "colour")
    for code in ("0", "1", "2", "1;31", "1;33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")

    assert coloured == golden.rendered(tmp_path, width, "plain")


@pytest.mark.parametrize("width", golden.WIDTHS)
def test_ascii_text_is_ascii_throughout(tmp_path: Path, width: int) -> None:
    assert golden.rendered(tmp_path, width, "ascii").isascii()


def test_a_page_without_findings_is_one_line(shop: Shop) -> None:
    assert len(lines(shops.fine(shop))) == 1


def test_findings_of_severity_info_alone_are_only_counted() -> None:
    assert lines(page(finding(Severity.INFO), finding(Severity.INFO))) == [
        "dbprofile GET / | 0 queries | 10 ms | 2 findings"
    ]


def test_findings_of_severity_info_are_listed_beside_a_warning() -> None:
    shown = "\n".join(lines(page(finding(), finding(Severity.INFO, message="2 more in a loop"))))

    assert "2 more in a loop" in shown


@pytest.mark.parametrize("number", [2, 5, 8, 9, 12, 13, 200])
def test_no_report_fills_more_than_25_lines_and_none_of_its_findings_is_forgotten(number: int) -> None:
    statement, trigger = Statement.of("SELECT a FROM t"), CallSite("/app/a.py", 1, "f")
    found = [finding(message=f"loop {n}", statement=statement, trigger=trigger) for n in range(number)]
    shown = lines(page(*found))

    listed = sum("LOOP" in line for line in shown)
    said = [line for line in shown if line.startswith("  and ")]
    assert len(shown) <= text.LINES
    assert said == ([] if listed == number else [f"  and {number - listed} more"])


def test_several_reports_follow_each_other() -> None:
    assert text.render([page(), page()]).count("dbprofile GET /") == 2


HOSTILE = "\x1b[31m\r\n\u202e\u2066x\x00\x07\u2028\ud800"


def test_nothing_invisible_gets_through(tmp_path: Path) -> None:
    site = CallSite(f"/app/{HOSTILE}.py", 3, HOSTILE)
    statement = Statement.of(f'SELECT "{HOSTILE}" FROM "{HOSTILE}" WHERE a = 1')
    fix = Fix(HOSTILE, place=site, kind="add_call")
    one = finding(message=HOSTILE, trigger=site, callers=(site,), origin=site, statement=statement, fix=fix)
    report = Report(
        Profile("request", HOSTILE, untracked={HOSTILE: 1}, late={HOSTILE: 1}), [one, replace(one, code="DBP111")]
    )

    shown = text.render([report], Terminal(120), root=tmp_path)

    assert all(character.isprintable() or character == "\n" for character in shown)
    assert shown.count("\n") + 1 <= text.LINES
    assert r"\x1b[31m" in shown


def test_no_value_is_shown(shop: Shop) -> None:
    queries = [
        shops.query(f"SELECT a FROM t WHERE name = 'secret-{number}'", shop.sales, at=number + 1, ms=150, rows=1)
        for number in range(3)
    ]
    report = shop.report(shops.request("/", 1, tuple(queries), seconds=1))

    assert "SELECT a FROM t WHERE name = ?" in text.render([report])
    assert "secret" not in text.render([report])


WORDS = st.text(st.characters(codec="utf-8"), max_size=150)
SITES = st.builds(lambda line, name: CallSite("/app/a.py", line, name), st.integers(1, 9999), WORDS)


@st.composite
def findings(draw: st.DrawFn) -> Sequence[Finding]:
    return draw(
        st.lists(
            st.builds(
                finding,
                st.sampled_from(Severity),
                code=st.sampled_from(["DBP101", "DBP102", "DBP111", "DBP131", "DBP201", "DBP301"]),
                message=WORDS,
                seconds=st.floats(0, 1000),
                avoidable_seconds=st.floats(0, 1000),
                threshold=st.none() | st.floats(0, 100),
                trigger=st.none() | SITES,
                callers=st.lists(SITES, max_size=2),
                origin=st.none() | SITES,
                origin_rows=st.none() | st.integers(0, 10**9),
                statement=st.none() | st.builds(Statement.of, WORDS),
                fix=st.none()
                | st.builds(
                    Fix,
                    WORDS,
                    st.none() | SITES,
                    st.just(""),
                    st.sampled_from(["advice", "add_call"]),
                    certain=st.booleans(),
                ),
            ),
            max_size=6,
        )
    )


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=150
)
@given(findings(), WORDS, st.sampled_from(golden.WIDTHS), st.booleans())
def test_no_line_is_wider_than_asked(found: Sequence[Finding], name: str, width: int, ascii_only: bool) -> None:
    profile = Profile(
        "request", name, 123, seconds=1.5, untracked={"pool-1_0": 3}, labels={"http.response.status_code": 200}
    )

    shown = lines(Report(profile, found), Terminal(width, ascii=ascii_only))

    assert [line for line in shown if cells(line) > width] == []
