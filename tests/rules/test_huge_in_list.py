import pytest

from dbprofile import Finding, Profiler, Severity
from dbprofile.rules import HugeInList
from tests.building import profile, read


def found(length: int) -> list[Finding]:
    sql = f"SELECT id FROM book WHERE id IN ({', '.join('?' * length)})"
    return list(Profiler(rules=[HugeInList()]).report(profile(read(sql, tuple(range(length))))).findings)


@pytest.mark.parametrize(("length", "codes"), [(1_000, []), (1_001, ["DBP307"])])
def test_more_than_a_thousand_values_are_huge(length: int, codes: list[str]) -> None:
    assert [finding.code for finding in found(length)] == codes


@pytest.mark.parametrize(("length", "severity"), [(10_000, Severity.INFO), (10_001, Severity.WARNING)])
def test_more_than_ten_thousand_are_a_warning(length: int, severity: Severity) -> None:
    (finding,) = found(length)

    assert (finding.severity, finding.message) == (severity, f"an IN list of {length:,} values")


def test_a_long_text_without_a_list_is_none() -> None:
    columns = ", ".join(f"column_{n}" for n in range(400))
    assert not Profiler(rules=[HugeInList()]).report(profile(read(f"SELECT {columns} FROM book"))).findings
