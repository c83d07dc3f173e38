"""Other tools that watch SQLAlchemy or its drivers, beside us in one process: what they count is the same with us, and what we count with them."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests import services
from tests.tree import REPOSITORY

Visits = dict[str, dict[str, Any]]
Visit = Callable[[str, str], Visits]

_POSTGRESQL = pytest.mark.service("postgresql")
NEIGHBOURS = pytest.mark.parametrize(
    ("neighbour", "driver"),
    [
        ("opentelemetry", "pysqlite"),
        pytest.param("opentelemetry", "asyncpg", marks=_POSTGRESQL),
        pytest.param("commenter", "psycopg2", marks=_POSTGRESQL),
        ("drivers", "pysqlite"),
        pytest.param("drivers", "psycopg2", marks=_POSTGRESQL),
        pytest.param("drivers", "asyncpg", marks=_POSTGRESQL),
        ("sentry", "pysqlite"),
        pytest.param("sentry", "asyncpg", marks=_POSTGRESQL),
    ],
)
DOORS = pytest.mark.parametrize("door", ["dialect events", "cursor events"])


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    """The three visits beside a neighbour, on a database of their own; made once."""
    made: dict[tuple[str, str], Visits] = {}
    folder = tmp_path_factory.mktemp("neighbours")

    def visits(neighbour: str, driver: str) -> Visits:
        if (neighbour, driver) not in made:
            with services.temporary_database("sqlite" if driver == "pysqlite" else "postgresql", folder) as database:
                made[neighbour, driver] = _told(neighbour, database.sqlalchemy_url(driver))
        return made[neighbour, driver]

    return visits


def _told(*arguments: str) -> Visits:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.integrations.sqlalchemy.neighbours", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    visits: Visits = json.loads(done.stdout)
    return visits


@DOORS
@NEIGHBOURS
def test_what_a_neighbour_counts_is_the_same_with_us_and_without(
    neighbour: str, driver: str, door: str, visit: Visit
) -> None:
    visits = visit(neighbour, driver)
    without = visits["without us"]
    assert sum(number for *_, words, number in without["theirs"]["_loop"] if words.startswith("SELECT author")) >= 5
    assert visits[door]["theirs"] == without["theirs"]
    assert visits[door]["answers"] == without["answers"]
    assert {report[0] for reports in without["ours"].values() for report in reports} == {0}


@DOORS
@NEIGHBOURS
def test_what_we_count_and_find_is_the_same_with_a_neighbour_and_without(
    neighbour: str, driver: str, door: str, visit: Visit
) -> None:
    alone, beside = visit("nobody", driver)[door], visit(neighbour, driver)[door]
    ((count, unfinished, findings, _),) = alone["ours"]["_loop"]
    assert (count, unfinished, findings) == (6, 0, ["DBP101 Book.author 5x"])
    assert beside["ours"] == alone["ours"]
    assert beside["answers"] == alone["answers"]
