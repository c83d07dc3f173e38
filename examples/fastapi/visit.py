"""Visits the shop without a server: ``python visit.py`` asks for each page once, through FastAPI's whole stack."""

import asyncio
import os

import httpx

os.environ.setdefault("DBPROFILE", "1")  # FastAPI's own debug flag is off, and a pipe is no terminal

from shop.app import app
from shop.models import engine
from shop.stock import fill

PAGES = ("/", "/orders/", "/reports/sales/", "/orders/cured/")


async def _prepare() -> None:
    await fill()
    await engine.dispose()  # its connections belong to this event loop


def prepare() -> None:
    """Create the tables and the orders."""
    asyncio.run(_prepare())


async def _get(path: str) -> int:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        response = await client.get(path)
    await engine.dispose()
    return response.status_code


def get(path: str) -> int:
    """Ask for a page and return the status of the response."""
    return asyncio.run(_get(path))


def serve(port: int) -> None:
    """Serve the shop until interrupted."""
    import uvicorn  # noqa: PLC0415 - only needed to serve

    uvicorn.run(app, port=port)


if __name__ == "__main__":
    prepare()
    for page in PAGES:
        get(page)
