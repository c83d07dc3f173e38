"""Visits the shop without a server: ``python visit.py`` asks for each page once, through Django's whole stack."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
django.setup()

from django.core.management import call_command  # noqa: E402 - Django must be set up first
from django.test import Client  # noqa: E402
from shop.stock import fill  # noqa: E402

PAGES = ("/", "/orders/", "/reports/sales/", "/orders/cured/")


def prepare() -> None:
    """Create the tables and the orders."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    fill()


def get(path: str) -> int:
    """Ask for a page and return the status of the response."""
    return Client().get(path).status_code


def serve(port: int) -> None:
    """Serve the shop until interrupted."""
    call_command("runserver", f"127.0.0.1:{port}", use_reloader=False)


if __name__ == "__main__":
    prepare()
    for page in PAGES:
        get(page)
