"""How many database queries each request makes, why, and how to fix it.

PYTEST_DONT_REWRITE
"""

from dbprofile.capture.database import Database
from dbprofile.capture.ignoring import ignore
from dbprofile.capture.profile import Profile
from dbprofile.capture.query import Query
from dbprofile.capture.scope import Scope, current_scope
from dbprofile.errors import ConfigurationError, DBProfileError
from dbprofile.findings.finding import Finding, Fix, Severity
from dbprofile.findings.report import Report
from dbprofile.profiler import Profiler, default_profiler, set_default_profiler
from dbprofile.recording import Recording, record
from dbprofile.sql.statement import Statement

__all__ = [
    "ConfigurationError",
    "DBProfileError",
    "Database",
    "Finding",
    "Fix",
    "Profile",
    "Profiler",
    "Query",
    "Recording",
    "Report",
    "Scope",
    "Severity",
    "Statement",
    "current_scope",
    "default_profiler",
    "ignore",
    "install",
    "record",
    "set_default_profiler",
]


def install(*, drivers: bool = False) -> None:
    """Install every adapter whose library is imported, or as soon as it is; see ``dbprofile.adapters.install``."""
    from dbprofile.adapters import install as install_adapters  # noqa: PLC0415 - wrapt and importlib.metadata cost 70 ms

    install_adapters(drivers=drivers)
