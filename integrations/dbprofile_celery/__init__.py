"""dbprofile for Celery: a scope round each task, in a worker and in the process that calls it eagerly.

PYTEST_DONT_REWRITE
"""

from dbprofile_celery.scopes import install, uninstall

__all__ = ["install", "uninstall"]
