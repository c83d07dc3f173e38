"""SQLAlchemy's statements, with the relation and the row that asked for each: ``dbprofile_sqlalchemy.install()``.

PYTEST_DONT_REWRITE
"""

from dbprofile_sqlalchemy.queries import install, uninstall

__all__ = ["install", "uninstall"]
