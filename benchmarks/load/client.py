"""A client that keeps some connections busy, checks each answer, and notes how long it took."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from itertools import count

from benchmarks.load.application import statements_of

__all__ = ["Outcome", "load", "wait_for"]

#: Requests after which a connection is given up: one worker of a server would keep all those that it took first.
KEPT = 50


@dataclass
class Outcome:
    """What came back."""

    seconds: float = 0.0
    errors: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds within which this share of the requests was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def load(port: int, requests: int, at_once: int) -> Outcome:
    """Send so many requests, so many at once, over connections that are kept."""
    outcome, numbers = Outcome(), count()
    began = time.perf_counter()
    await asyncio.gather(*(_client(port, requests, numbers, outcome) for _ in range(at_once)))
    outcome.seconds = time.perf_counter() - began
    return outcome


async def wait_for(port: int, seconds: float = 20.0) -> None:
    """Until the server answers.

    Raises:
        TimeoutError: if it does not.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > until:
                raise TimeoutError(f"nothing answers on port {port}") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def _client(port: int, requests: int, numbers: count[int], outcome: Outcome) -> None:
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    sent = 0
    while (number := next(numbers)) < requests:
        began = time.perf_counter()
        try:
            if reader is None or writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /orders/{number} HTTP/1.1\r\nHost: shop\r\n\r\n".encode())
            status, body, kept = await _answer(reader)
            if (status, body) != (200, str(statements_of(number))):
                outcome.errors.append(f"{number}: {status} {body[:80]!r}")
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            outcome.errors.append(f"{number}: {error!r}")
            kept = False
        outcome.latencies.append(time.perf_counter() - began)
        sent += 1
        if writer is not None and (not kept or sent % KEPT == 0):
            writer.close()
            reader = writer = None
    if writer is not None:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, str, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
    fields = dict(line.split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(fields["content-length"]))
    return int(head[0].split()[1]), body.decode(), fields.get("connection") != "close"
