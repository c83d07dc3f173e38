from collections.abc import Iterator

import pytest

from dbprofile import Finding, Fix, Profiler, Severity
from dbprofile.capture.query import Query
from dbprofile.findings.fixes import Problem, register_fixes, unregister_fixes
from dbprofile.rules import NPlusOne
from tests.building import LOOP, MAIN, VIEW, lazy, origin_of, profile, read


@pytest.fixture
def problems() -> Iterator[list[Problem]]:
    """A provider that proposes a join, and what it was asked."""
    asked: list[Problem] = []

    def provider(problem: Problem) -> Fix:
        asked.append(problem)
        return Fix("Order.objects.select_related('customer')", place=problem.origin, kind="add_call", leaves=0)

    register_fixes("testing", provider)
    yield asked
    unregister_fixes("testing")


def orders_and_customers(number: int) -> list[Query]:
    orders = read("SELECT id FROM orders", rows=number, path=(VIEW, MAIN))
    return [orders, *(lazy("Order.customer", parent, origin_of(orders)) for parent in range(number))]


def found(*queries: Query, minimum: int = 2) -> list[Finding]:
    return list(Profiler(rules=[NPlusOne(minimum)]).report(profile(*queries)).findings)


def test_a_finding_names_relation_places_and_fix(problems: list[Problem]) -> None:
    (finding,) = found(*orders_and_customers(6))

    assert (finding.code, finding.subject, finding.count) == ("DBP101", "Order.customer", 6)
    assert (finding.trigger, finding.origin, finding.origin_rows) == (LOOP, VIEW, 6)
    assert finding.callers == (MAIN,)
    assert finding.message == "6 queries that one JOIN replaces"
    assert finding.fix is not None
    assert finding.avoidable_seconds == finding.seconds == pytest.approx(0.006)
    (problem,) = problems
    assert [link.name for link in problem.chain] == ["Order.customer"]


def test_without_a_provider_the_message_still_says_what_and_how_often() -> None:
    (finding,) = found(*orders_and_customers(3))

    assert finding.message == "3 queries for Order.customer, one for each row"
    assert finding.fix is None


@pytest.mark.parametrize(
    ("number", "severity"), [(2, Severity.INFO), (5, Severity.WARNING), (49, Severity.WARNING), (50, Severity.CRITICAL)]
)
def test_severity_follows_the_number(number: int, severity: Severity) -> None:
    assert [finding.severity for finding in found(*orders_and_customers(number))] == [severity]


def test_a_long_time_is_as_bad_as_a_great_number() -> None:
    queries = orders_and_customers(3)
    for query in queries[1:]:
        query.seconds = 0.04

    assert [finding.severity for finding in found(*queries)] == [Severity.CRITICAL]


def test_the_minimum_can_be_raised() -> None:
    assert found(*orders_and_customers(4), minimum=5) == []


def test_row_by_row_locking_is_information_only() -> None:
    queries = orders_and_customers(60)
    for query in queries[1:]:
        query.locks = True

    assert [finding.severity for finding in found(*queries)] == [Severity.INFO]
