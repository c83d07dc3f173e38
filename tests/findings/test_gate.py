"""What a person may write to say which findings fail a run."""

import pytest

from dbprofile.errors import ConfigurationError
from dbprofile.findings.finding import Finding, Severity
from dbprofile.findings.gate import Gate

KNOWN = ["DBP101", "DBP102", "DBP201"]
LOOP = Finding("DBP102", "query_loop", Severity.INFO, "orders", "a loop", 3)
SLOW = Finding("DBP201", "slow_query", Severity.WARNING, "orders", "slow", 1)


@pytest.mark.parametrize(
    ("wanted", "stopped"),
    [
        ("", []),
        (" , ", []),
        ("DBP102", [LOOP]),
        ("dbp201, DBP101", [SLOW]),
        ("DBP1xx", [LOOP]),
        ("dbp1XX,DBP2xx", [LOOP, SLOW]),
        ("info", [LOOP, SLOW]),
        ("warning", [SLOW]),
        ("critical", []),
        ("critical,WARNING", [SLOW]),
        ("DBP102,warning", [LOOP, SLOW]),
    ],
)
def test_codes_families_and_a_severity_stop_findings(wanted: str, stopped: list[Finding]) -> None:
    assert Gate.of(wanted, KNOWN).stopped([LOOP, SLOW]) == stopped


@pytest.mark.parametrize("wanted", ["DBP103", "DBP9xx", "DBP1", "DBP", "N+1", "all", "DBP101;DBP102"])
def test_what_is_no_code_is_refused_with_those_that_are(wanted: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"DBP101, DBP102, DBP201, families as DBP1xx, and info, warning, critical"
    ):
        Gate.of(wanted, KNOWN)
