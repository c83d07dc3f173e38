"""Visits the shop and prints what OpenTelemetry gets to know: ``python visit.py``."""

import asyncio
import os
from collections.abc import Iterable

import httpx
from collector import collector

PAGES = ("/orders", "/reports/2024")


async def visit(pages: Iterable[str]) -> None:
    """Ask for the pages, without a server, and send everything that waits in the exporters."""
    import app  # noqa: PLC0415 - its exporters read the endpoint when they are made

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.app), base_url="http://shop") as client:
        for page in pages:
            (await client.get(page)).raise_for_status()
    for provider in (app.loggers, app.tracers, app.meters):
        provider.shutdown()


if __name__ == "__main__":
    with collector() as endpoint:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        asyncio.run(visit(PAGES))
