"""Statements of DB-API drivers, written by hand and sent without an ORM: ``dbprofile_dbapi.install()``.

PYTEST_DONT_REWRITE
"""

from dbprofile_dbapi.queries import install, uninstall, unwrap, wrap

__all__ = ["install", "uninstall", "unwrap", "wrap"]
