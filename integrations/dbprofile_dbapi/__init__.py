"""Statements of raw DB-API drivers: ``dbprofile_dbapi.install()``, or ``wrap(connection)`` for a single connection.

PYTEST_DONT_REWRITE
"""

from dbprofile_dbapi.proxies import unwrap
from dbprofile_dbapi.queries import install, uninstall, wrap

__all__ = ["install", "uninstall", "unwrap", "wrap"]
