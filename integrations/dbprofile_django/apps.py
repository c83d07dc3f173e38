"""The application for INSTALLED_APPS: it installs the hooks and registers the checks, and asks the database nothing."""

from django.apps import AppConfig
from django.core.checks import register

from dbprofile_django.checks import check_middleware, check_settings
from dbprofile_django.queries import install

__all__ = ["DBProfileConfig"]


class DBProfileConfig(AppConfig):
    """``INSTALLED_APPS += ["dbprofile_django"]``: no models, no migrations."""

    name = "dbprofile_django"
    label = "dbprofile_django"
    verbose_name = "dbprofile"

    def ready(self) -> None:
        """Install; the models of all applications are loaded by now, so those of Django's own can be known."""
        install()
        register(check_settings)
        register(check_middleware)
