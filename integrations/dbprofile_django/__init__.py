"""dbprofile for Django: every statement of every connection, a scope for each request, fixes in the words of its ORM.

PYTEST_DONT_REWRITE
"""

from dbprofile_django.queries import install, uninstall
from dbprofile_django.scopes import ProfileMiddleware

__all__ = ["ProfileMiddleware", "install", "uninstall"]
