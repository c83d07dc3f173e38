"""A scope round each request of a Flask application.

PYTEST_DONT_REWRITE
"""

from dbprofile_flask.scopes import DBProfile

__all__ = ["DBProfile"]
