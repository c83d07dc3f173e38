import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import DeepOffset
from tests.building import profile, read


def found(sql: str, *values: object) -> list[Finding]:
    return list(Profiler(rules=[DeepOffset()]).report(profile(read(sql, values))).findings)


@pytest.mark.parametrize(("offset", "codes"), [(999, []), (1_000, ["DBP305"])])
def test_an_offset_of_a_thousand_is_deep_as_a_literal_and_as_a_parameter(offset: int, codes: list[str]) -> None:
    assert [f.code for f in found(f"SELECT id FROM book ORDER BY id LIMIT 20 OFFSET {offset}")] == codes
    assert [f.code for f in found("SELECT id FROM book ORDER BY id LIMIT ? OFFSET ?", 20, offset)] == codes


@pytest.mark.parametrize(("offset", "severity"), [(9_999, Severity.INFO), (10_000, Severity.WARNING)])
def test_ten_thousand_are_a_warning(offset: int, severity: Severity) -> None:
    (finding,) = found("SELECT id FROM book ORDER BY id LIMIT 20 OFFSET ?", offset)

    assert (finding.severity, finding.message) == (severity, f"skips {offset:,} rows to read its page")


def test_pages_of_one_place_are_one_finding_that_shows_the_deepest() -> None:
    pages = [read("SELECT id FROM book LIMIT 20 OFFSET ?", (offset,)) for offset in (500, 1_500, 2_500)]
    (finding,) = Profiler(rules=[DeepOffset()]).report(profile(*pages)).findings

    assert (finding.count, finding.message) == (2, "skips 2,500 rows to read its page")


def test_an_offset_that_is_not_known_is_left_alone() -> None:
    assert found("SELECT id FROM book LIMIT 20 OFFSET ?", "2000") == []
    assert found("SELECT id FROM book LIMIT 20 OFFSET ?", None) == []
