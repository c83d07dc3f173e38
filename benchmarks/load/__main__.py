"""``python -m benchmarks.load``: 50,000 requests, 20 at once, under uvicorn and gunicorn, in each mode.

Needs PostgreSQL at ``--database`` and both servers (``pip install uvicorn gunicorn``). Prints requests per second and p50, p95 and
p99 as ratios to the application without us, and what the workers have counted: requests with a wrong number of statements, and
their memory after warm-up and at the end. Modes take turns in rounds, so that a machine that changes its speed changes them alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks.load.client import Outcome, load, wait_for

MODES = ("none", "counters", "full")
SERVERS: Mapping[str, Sequence[str]] = {
    "uvicorn": (
        *("uvicorn", "benchmarks.load.application:asgi", "--factory", "--workers", "2"),
        *("--log-level", "warning", "--port"),
    ),
    "gunicorn": (
        *("gunicorn", "benchmarks.load.application:wsgi()", "--workers", "2", "--threads", "10", "--keep-alive", "5"),
        *("--log-level", "warning", "--config", "python:benchmarks.load.gunicorn", "--bind"),
    ),
}
ROOT = Path(__file__).parents[2]


def prepare(database: str) -> None:
    """Make the table that the application reads."""
    engine = create_engine(database)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS load_customer"))
        connection.execute(text("CREATE TABLE load_customer (id integer PRIMARY KEY, name text NOT NULL)"))
        connection.execute(text("INSERT INTO load_customer SELECT n, 'customer ' || n FROM generate_series(1, 8) n"))
    engine.dispose()


@contextmanager
def served(server: str, mode: str, database: str, tallies: str, warm: int) -> Iterator[int]:
    """The application under a server; yields the port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    address = str(port) if server == "uvicorn" else f"127.0.0.1:{port}"
    environment = {
        **os.environ,
        "LOAD_DATABASE": database,
        "LOAD_MODE": mode,
        "LOAD_TALLIES": tallies,
        "LOAD_WARM": str(warm),
    }
    process = subprocess.Popen([sys.executable, "-m", *SERVERS[server], address], cwd=ROOT, env=environment)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(30)


def run(server: str, mode: str, database: str, requests: int, at_once: int) -> tuple[Outcome, list[dict[str, int]]]:
    """Load the application once: what came back, and what each worker has counted."""
    with tempfile.TemporaryDirectory() as tallies:
        with served(server, mode, database, tallies, warm=min(1_000, requests // 20 + 1)) as port:
            asyncio.run(wait_for(port))
            outcome = asyncio.run(load(port, requests, at_once))
        return outcome, [json.loads(file.read_text(encoding="utf-8")) for file in Path(tallies).glob("*.json")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a command. Fails on an error, on a wrong count, and on a request that was not counted."""
    parser = argparse.ArgumentParser("python -m benchmarks.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--database", default=os.environ.get("LOAD_DATABASE"), required="LOAD_DATABASE" not in os.environ
    )
    parser.add_argument("--server", choices=tuple(SERVERS), action="append")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--requests", type=int, default=50_000)
    parser.add_argument("--at-once", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args(arguments)
    prepare(given.database)
    failed = False
    print(
        f"{'server':<10}{'mode':<10}{'requests/s':>11}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}  {'ratios':<21} counted"
    )
    for server in given.server or SERVERS:
        rounds: dict[str, list[Outcome]] = {mode: [] for mode in given.mode or MODES}
        counted: dict[str, list[dict[str, int]]] = {mode: [] for mode in rounds}
        for _ in range(given.rounds):
            for mode, outcomes in rounds.items():
                outcome, tallies = run(server, mode, given.database, given.requests, given.at_once)
                outcomes.append(outcome)
                counted[mode] += tallies
        for mode, outcomes in rounds.items():
            said, right = _counted(mode, counted[mode], given.requests * given.rounds)
            errors = [error for outcome in outcomes for error in outcome.errors]
            failed = failed or bool(errors) or not right
            print(_line(server, mode, outcomes, rounds.get("none", outcomes)), said)
            for error in errors[:5]:
                print("  error:", error)
    return int(failed)


def _line(server: str, mode: str, outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> str:
    shown, others = _figures(outcomes), _figures(base)
    ratios = (
        " ".join(f"{one / other:.2f}" for one, other in zip(shown, others, strict=True)) if outcomes is not base else ""
    )
    return f"{server:<10}{mode:<10}{shown[0]:>11.0f}{shown[1]:>8.1f}{shown[2]:>8.1f}{shown[3]:>8.1f}  {ratios:<21}"


def _figures(outcomes: Sequence[Outcome]) -> list[float]:
    """Requests per second, and p50, p95 and p99 in milliseconds: of several rounds the medians."""
    rows = [
        (outcome.per_second, *(1000 * outcome.percentile(share) for share in (0.5, 0.95, 0.99))) for outcome in outcomes
    ]
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def _counted(mode: str, tallies: Sequence[Mapping[str, int]], requests: int) -> tuple[str, bool]:
    if mode == "none":
        return "", True
    seen = sum(tally["requests"] for tally in tallies)
    wrong = sum(tally["wrong"] for tally in tallies)
    untracked = sum(tally["untracked"] for tally in tallies)
    grown = [
        f"{tally['warm_kilobytes'] // 1024} -> {tally['kilobytes'] // 1024} MB in {tally['requests']}"
        for tally in tallies
        if tally["warm_kilobytes"]
    ]
    said = f"{seen} of {requests} requests, {wrong} wrong, {untracked} statements untracked; workers {', '.join(grown)}"
    return said, seen == requests and wrong == 0 and untracked == 0


if __name__ == "__main__":
    sys.exit(main())
