"""What the hooks cost a statement, counted in calls by the benchmark, in an interpreter of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CEILINGS = {
    "sqlalchemy": {"off": (3, 6), "counters": (22, 28), "full": (25, 29)},
    "django": {"off": (3, 6), "counters": (15, 19), "full": (22, 23)},
}
"""At most so many calls in Python, and in C, added to a statement. To be lowered with every gain."""


@pytest.fixture(scope="module")
def added() -> dict[str, dict[str, tuple[float, float]]]:
    command = [sys.executable, "-m", "benchmarks.bench_calls"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60)
    found: dict[str, dict[str, tuple[float, float]]] = json.loads(answer.stdout)
    return found


@pytest.mark.parametrize("mode", ["off", "counters", "full"])
@pytest.mark.parametrize("library", CEILINGS)
def test_a_statement_costs_no_more_calls_than_it_did(
    added: dict[str, dict[str, tuple[float, float]]], library: str, mode: str
) -> None:
    (python, c), (most_python, most_c) = added[library][mode], CEILINGS[library][mode]
    assert python <= most_python
    assert c <= most_c
