"""A scope round each request and each websocket message of an ASGI application: Starlette, FastAPI and any other.

PYTEST_DONT_REWRITE
"""

from dbprofile_asgi.scopes import ProfileMiddleware

__all__ = ["ProfileMiddleware"]
