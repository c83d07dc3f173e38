"""Visits the shop without a server: ``python visit.py`` asks for each page once, through Flask's whole stack."""

import atexit
import logging

from shop import create_app
from shop.models import engine
from shop.stock import fill

PAGES = ("/", "/orders/", "/reports/sales/", "/orders/cured/")

app = create_app()
app.debug = True
atexit.register(engine.dispose)  # Python 3.13 warns of a connection that nobody closed


def prepare() -> None:
    """Create the tables and the orders."""
    fill()


def get(path: str) -> int:
    """Ask for a page and return the status of the response."""
    with app.test_client() as client, client.get(path) as response:
        return response.status_code


def serve(port: int) -> None:
    """Serve the shop until interrupted."""
    logging.getLogger("werkzeug").setLevel(logging.INFO)
    app.run(port=port, use_reloader=False)


if __name__ == "__main__":
    prepare()
    for page in PAGES:
        get(page)
