"""Other tools that watch Django, beside us in one process: what they count is the same with us, and what we count with them.

Each visit is made in a process of its own, because most of them patch Django or its drivers for good.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services import System, temporary_database
from tests.tree import REPOSITORY

Visit = Callable[..., dict[str, Any]]

#: Each neighbour, and whether our middleware stands outside its own, where it has one that is placed by hand.
NEIGHBOURS = pytest.mark.parametrize(
    ("neighbour", "first"),
    [
        ("toolbar", False),
        ("silk", True),
        ("silk", False),
        ("opentelemetry", True),
        ("sentry", True),
    ],
)
SYSTEMS_OF_SPANS = pytest.mark.parametrize(
    "system", ["sqlite", pytest.param("postgresql", marks=pytest.mark.service("postgresql"))]
)


def _visit(asked: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.integrations.django.neighbours", json.dumps(asked)],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, Any] = json.loads(done.stdout)
    return counts


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """Visit the shop beside a neighbour, on a database of the visit's own; once for all tests that ask alike."""
    made: dict[tuple[object, ...], dict[str, Any]] = {}
    folder: Path = tmp_path_factory.mktemp("neighbours")

    def visited(neighbour: str, *, ours: bool, first: bool = True, system: System = "sqlite") -> dict[str, Any]:
        asked = (neighbour, ours, first, system)
        if asked not in made:
            with temporary_database(system, folder) as database:
                entry = database.django_settings()
                made[asked] = _visit({"neighbour": neighbour, "ours": ours, "first": first, "database": entry})
        return made[asked]

    return visited


@NEIGHBOURS
def test_what_a_neighbour_counts_is_the_same_with_us_and_without(neighbour: str, first: bool, visit: Visit) -> None:
    without, beside = visit(neighbour, ours=False), visit(neighbour, ours=True, first=first)
    assert re.search("[67]", str(without["theirs"]["wsgi /orders/"])), "it counts nothing here"
    assert beside["theirs"] == without["theirs"]
    assert beside["answers"] == without["answers"]


@NEIGHBOURS
def test_what_we_count_and_find_is_the_same_with_a_neighbour_and_without(
    neighbour: str, first: bool, visit: Visit
) -> None:
    alone, beside = visit("nobody", ours=True), visit(neighbour, ours=True, first=first)
    assert alone["ours"]["asgi /orders/"][0].startswith("6 queries: DBP101 Order.customer 5x")
    assert all(len(reports) == 1 for reports in alone["ours"].values())
    assert beside["ours"] == alone["ours"]


@SYSTEMS_OF_SPANS
def test_the_instrumentation_of_a_driver_and_ours_leave_one_another_alone(system: System, visit: Visit) -> None:
    alone = visit("nobody", ours=True)
    without = visit("opentelemetry", ours=False, system=system)
    beside = visit("opentelemetry", ours=True, system=system)
    assert dict(without["theirs"]["wsgi /orders/"])["CLIENT SELECT"] >= 6
    assert beside["theirs"] == without["theirs"]
    assert beside["ours"] == alone["ours"]
