import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import BigResult
from tests.building import profile, read, write


def found(sql: str = "SELECT id FROM book", rows: int = 1_000) -> list[Finding]:
    return list(Profiler(rules=[BigResult()]).report(profile(read(sql, rows=rows))).findings)


@pytest.mark.parametrize(("rows", "codes"), [(999, []), (1_000, ["DBP304"])])
def test_a_thousand_rows_are_many(rows: int, codes: list[str]) -> None:
    assert [finding.code for finding in found(rows=rows)] == codes


@pytest.mark.parametrize(("rows", "severity"), [(9_999, Severity.INFO), (10_000, Severity.WARNING)])
def test_ten_thousand_are_a_warning(rows: int, severity: Severity) -> None:
    (finding,) = found(rows=rows)

    assert (finding.severity, finding.message) == (severity, f"{rows:,} rows, and no limit")


def test_a_page_is_as_big_as_somebody_wanted() -> None:
    assert found("SELECT id FROM book LIMIT 5000", 5_000) == []


def test_rows_that_a_write_gives_back_are_no_result() -> None:
    inserted = write("INSERT INTO book (title) VALUES (?) RETURNING id", (1,))
    inserted.rows = 5_000

    assert not Profiler(rules=[BigResult()]).report(profile(inserted)).findings
