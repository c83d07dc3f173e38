"""Visits the shop without a server: ``python visit.py`` asks for each page once."""

from wsgiref.util import setup_testing_defaults

from shop import PAGES, application, fill


def get(path: str) -> bytes:
    """Ask for a page and return its body."""
    environ: dict[str, object] = {"PATH_INFO": path}
    setup_testing_defaults(environ)
    body = application(environ, lambda _status, _headers, _error=None: bytes)
    try:
        return b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()


if __name__ == "__main__":
    fill()
    for page in PAGES:
        get(page)
