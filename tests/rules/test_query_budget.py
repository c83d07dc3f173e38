from collections.abc import Mapping

import pytest

from dbprofile import Profiler, Severity
from dbprofile.rules import QueryBudget
from tests.building import profile, read


def severities(number: int, budget: int | Mapping[str, int] | None, kind: str = "request") -> list[Severity]:
    queries = [read(f"SELECT {n} FROM t") for n in range(number)]
    return [
        finding.severity
        for finding in Profiler(rules=[QueryBudget(budget)]).report(profile(*queries, kind=kind)).findings
    ]


@pytest.mark.parametrize(
    ("number", "expected"), [(10, []), (11, [Severity.WARNING]), (19, [Severity.WARNING]), (20, [Severity.CRITICAL])]
)
def test_a_request_over_its_budget_is_reported(number: int, expected: list[Severity]) -> None:
    assert severities(number, 10) == expected


def test_without_a_budget_the_rule_is_silent() -> None:
    assert severities(1_000, None) == []


def test_a_number_is_for_requests_a_table_for_each_kind() -> None:
    assert severities(11, 10, kind="task") == []
    assert severities(11, {"task": 10}, kind="task") == [Severity.WARNING]
