import pytest

from dbprofile import Profiler
from dbprofile.rules import LateQuery
from tests.building import profile


def messages(kind: str) -> list[str]:
    late = {"GET / (MainThread)": 2}
    report = Profiler(rules=[LateQuery()]).report(profile(kind=kind, late=late))
    return [finding.message for finding in report.findings]


def test_a_test_is_told_of_statements_that_came_after_their_request() -> None:
    assert messages("test") == ["2 queries of GET / (MainThread), which was over already"]


@pytest.mark.parametrize("kind", ["request", "task", "message", "background"])
def test_a_unit_that_only_saw_them_pass_is_not(kind: str) -> None:
    assert messages(kind) == []
