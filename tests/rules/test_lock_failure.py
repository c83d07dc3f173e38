import pytest

from dbprofile import Finding, Profiler
from dbprofile.rules import LockFailure
from tests.building import profile, write


def found(code: str | None) -> list[Finding]:
    query = write("UPDATE account SET amount = ? WHERE id = ?", (1, 2), ms=12)
    query.error, query.error_code = "OperationalError", code
    return list(Profiler(rules=[LockFailure()]).report(profile(query)).findings)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("40P01", "a deadlock, after 12 ms"),
        ("1213", "a deadlock, after 12 ms"),
        ("55P03", "a lock that was not to be had in time, after 12 ms"),
        ("1205", "a lock that was not to be had in time, after 12 ms"),
        ("SQLITE_BUSY", "a lock that was not to be had in time, after 12 ms"),
        ("40001", "a serialization failure, after 12 ms"),
    ],
)
def test_what_the_database_says_of_its_locks_is_told(code: str, message: str) -> None:
    assert [(finding.code, finding.message) for finding in found(code)] == [("DBP406", message)]


@pytest.mark.parametrize("code", [None, "23505", "SQLITE_CONSTRAINT_UNIQUE"])
def test_other_failures_are_none(code: str | None) -> None:
    assert found(code) == []
