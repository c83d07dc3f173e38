import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import CartesianProduct
from tests.building import profile, read

APART = "SELECT book.id FROM book, author WHERE author.name = ?"
JOINED = "SELECT book.id FROM book, author WHERE author.id = book.author_id"
SIDE_BY_SIDE = (
    "SELECT 1 FROM author LEFT JOIN book ON author.id = book.author_id LEFT JOIN prize ON author.id = prize.author_id"
)


def found(sql: str = APART, rows: int = 100, siblings: tuple[str, ...] = ()) -> list[Finding]:
    query = read(sql, ("Jo",), rows=rows)
    query.siblings = siblings
    return list(Profiler(rules=[CartesianProduct()]).report(profile(query)).findings)


@pytest.mark.parametrize(("rows", "codes"), [(99, []), (100, ["DBP303"])])
def test_a_hundred_rows_of_tables_that_nothing_joins_are_too_many(rows: int, codes: list[str]) -> None:
    assert [finding.code for finding in found(rows=rows)] == codes


@pytest.mark.parametrize(("rows", "severity"), [(999, Severity.WARNING), (1_000, Severity.CRITICAL)])
def test_a_thousand_are_critical(rows: int, severity: Severity) -> None:
    (finding,) = found(rows=rows)

    assert (finding.severity, finding.message) == (severity, f"{rows:,} rows: no condition joins book and author")


def test_collections_joined_side_by_side_multiply() -> None:
    (finding,) = found(SIDE_BY_SIDE, siblings=("Author.books", "Author.prizes"))

    assert finding.message == "100 rows: Author.books and Author.prizes are joined side by side and multiply each other"
    assert finding.fix is not None
    assert finding.fix.text == "load Author.prizes with a query of its own"


@pytest.mark.parametrize("sql", [JOINED, SIDE_BY_SIDE, "SELECT size.id FROM size CROSS JOIN colour"])
def test_what_is_joined_or_multiplied_on_purpose_is_no_product(sql: str) -> None:
    assert found(sql, 5_000) == []
