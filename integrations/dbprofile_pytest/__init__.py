"""The pytest plugin: query assertions as fixtures and markers, a gate, and one line of summary.

PYTEST_DONT_REWRITE
"""

from dbprofile_pytest.fixtures import AssertQueries, QueryLog, ScaleQueries

__all__ = ["AssertQueries", "QueryLog", "ScaleQueries"]
