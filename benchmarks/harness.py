"""Workers over a pipe, measured in pairs, and the table. Knows no library.

Every instrument runs in a process of its own, and each of its chunks stands between two chunks of ``none``: what counts is the
ratio to the mean of its two neighbours, so that a machine that changes its speed changes nothing. Times are CPU time of the whole
process, pinned to one core, with the cyclic garbage collector off.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

__all__ = ["Bench", "Row", "main"]

RESULTS = Path(__file__).parent / "results"

#: How many statements an instrument has seen so far; ``None`` for one that does not say.
Seen = Callable[[], int] | None
Instrument = Callable[[], AbstractContextManager[Seen]]
#: Prepares once, in the process of the instrument, and returns what runs a number of units.
Workload = Callable[[], Callable[[int], None]]


@dataclass(frozen=True)
class Load:
    """A workload, the size of its chunks, and how many statements a unit sends."""

    prepare: Workload
    units: int
    statements: int


@dataclass
class Bench:
    """One host library: its workloads and its instruments, each a decorated function."""

    name: str
    libraries: Sequence[str]
    """Distributions whose versions are printed."""
    instruments: dict[str, Instrument] = field(default_factory=dict)
    loads: dict[str, Load] = field(default_factory=dict)

    def instrument(self, name: str) -> Callable[[Callable[[], Iterator[Seen]]], Instrument]:
        """Register a generator that sets an instrument up, yields how many statements it has seen, and takes it down."""

        def register(function: Callable[[], Iterator[Seen]]) -> Instrument:
            self.instruments[name] = instrument = contextmanager(function)
            return instrument

        return register

    def workload(self, name: str, *, units: int, statements: int) -> Callable[[Workload], Workload]:
        """Register a workload: chunks of so many units, of so many statements each."""

        def register(function: Workload) -> Workload:
            self.loads[name] = Load(function, units, statements)
            return function

        return register


# --- in the worker --------------------------------------------------------------------------------------------------


def _work(bench: Bench, instrument: str, workload: str) -> None:
    """Answer each line ``chunk`` with the CPU nanoseconds of one, and ``seen`` with the statements seen."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    load = bench.loads[workload]
    with bench.instruments[instrument]() as seen:
        run = load.prepare()
        run(load.units)
        gc.collect()
        gc.freeze()
        gc.disable()
        before = seen() if seen is not None else 0
        units = 0
        for line in sys.stdin:
            if line.strip() == "seen":
                share = (seen() - before) / (units * load.statements) if seen is not None else None
                _answer(share)
            else:
                started = time.process_time_ns()
                run(load.units)
                spent = time.process_time_ns() - started
                units += load.units
                gc.collect()
                _answer(spent)


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


# --- in the parent --------------------------------------------------------------------------------------------------


class _Worker:
    """The other end of the pipe."""

    def __init__(self, bench: Bench, instrument: str, workload: str) -> None:
        command = [sys.executable, "-m", f"benchmarks.{bench.name}", "--worker", instrument, workload]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question: str) -> float | None:
        """Send a line, read a number."""
        if self._process.stdin is None or self._process.stdout is None:
            return None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the worker has stopped")
        number: float | None = json.loads(answer)
        return number

    def stop(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(30)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    workload: str
    instrument: str
    ratio: float
    """Median of chunk / mean of its two neighbours of ``none``."""
    added: float
    """Microseconds added to each statement."""
    seen: float | None
    """Statements seen / sent; ``None`` for an instrument that does not say."""
    rounds: Sequence[float]


def measure(bench: Bench, workload: str, instrument: str, *, rounds: int, generations: int) -> Row:
    """Pair one instrument with ``none``, in fresh processes for each generation."""
    load = bench.loads[workload]
    ratios: list[float] = []
    nothing: list[float] = []
    seen: float | None = None
    for _ in range(generations):
        none, other = _Worker(bench, "none", workload), _Worker(bench, instrument, workload)
        try:
            before = none.ask("chunk") or 1.0
            for _ in range(rounds):
                spent = other.ask("chunk") or 1.0
                after = none.ask("chunk") or 1.0
                ratios.append(spent / ((before + after) / 2))
                nothing.append(after)
                before = after
            seen = other.ask("seen")
        finally:
            none.stop()
            other.stop()
    ratio = statistics.median(ratios)
    base = statistics.median(nothing) / (load.units * load.statements) / 1000
    return Row(workload, instrument, ratio, base * (ratio - 1), seen, ratios)


def main(bench: Bench, arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark as a command: print the table, and keep it with the raw rounds under ``results``."""
    parser = argparse.ArgumentParser(f"python -m benchmarks.{bench.name}")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=15, help="pairs for each generation (default 15)")
    parser.add_argument("--generations", type=int, default=3, help="fresh processes for each row (default 3)")
    parser.add_argument("--only", action="append", default=[], help="a workload or an instrument; may be repeated")
    parser.add_argument("--keep", action="store_true", help="write the table and the rounds to results/")
    given = parser.parse_args(arguments)
    if given.worker:
        _work(bench, *given.worker)
        return 0
    wanted_loads = [name for name in bench.loads if name in given.only] or list(bench.loads)
    wanted = [name for name in bench.instruments if name in given.only] or list(bench.instruments)
    rows: list[Row] = []
    failed: dict[str, str] = {}
    head = _head(bench)
    sys.stdout.write(f"{head}\n\n{_HEADING}\n")
    for workload in wanted_loads:
        for instrument in (name for name in wanted if name != "none"):
            try:
                row = measure(bench, workload, instrument, rounds=given.rounds, generations=given.generations)
            except (RuntimeError, BrokenPipeError) as error:
                failed[f"{instrument} on {workload}"] = str(error)
                continue
            rows.append(row)
            sys.stdout.write(_line(row) + "\n")
            sys.stdout.flush()
    for name, why in failed.items():
        sys.stdout.write(f"not measured: {name}: {why}\n")
    if given.keep:
        _keep(bench, head, rows)
    return 0


_HEADING = f"{'workload':<14}{'instrument':<16}{'ratio':>7}{'added us':>10}{'seen':>7}"


def _line(row: Row) -> str:
    seen = "-" if row.seen is None else f"{row.seen:.2f}"
    return f"{row.workload:<14}{row.instrument:<16}{row.ratio:>7.3f}{row.added:>10.2f}{seen:>7}"


def _head(bench: Bench) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in bench.libraries)
    return f"{bench.name}: Python {platform.python_version()}, {versions}, dbprofile {version('dbprofile')}"


def _keep(bench: Bench, head: str, rows: Sequence[Row]) -> None:
    RESULTS.mkdir(exist_ok=True)
    name = f"{bench.name}-{platform.machine()}-{'.'.join(platform.python_version_tuple()[:2])}"
    table = "\n".join([head, "", _HEADING, *map(_line, rows), ""])
    (RESULTS / f"{name}.txt").write_text(table, encoding="utf-8")
    raw: Mapping[str, object] = {
        "dbprofile": 1,
        "kind": "benchmark",
        "versions": head,
        "rows": [[row.workload, row.instrument, row.ratio, row.added, row.seen, list(row.rounds)] for row in rows],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
