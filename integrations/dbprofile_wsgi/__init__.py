"""A scope round each request of a WSGI application.

PYTEST_DONT_REWRITE
"""

from dbprofile_wsgi.scopes import ProfileMiddleware

__all__ = ["ProfileMiddleware"]
