"""A backend of the project's own: its cursors are what they were, and each statement is seen once."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.db.models import Count

from dbprofile import Profiler, record
from tests.integrations.django.own_backend.base import NamedCursor
from tests.integrations.django.shop.models import Region

pytestmark = pytest.mark.usefixtures("shop")


@pytest.fixture
def own() -> Iterator[Any]:
    """The shop through the project's own backend."""
    entry = {**connections.settings["default"], "ENGINE": f"{__package__}.own_backend"}
    connections.settings["own"] = entry
    wrapper: Any = connections["own"]
    yield wrapper
    wrapper.close()
    del connections["own"], connections.settings["own"]


def _work(wrapper: Any) -> list[object]:
    regions = Region.objects.using("own").order_by("pk")
    seen: list[object] = []
    with wrapper.cursor("audit") as cursor:
        seen.extend((isinstance(cursor, NamedCursor), cursor.name))
        cursor.execute("SELECT name FROM shop_region WHERE name > %s ORDER BY id", ["Region 3"], label="late ones")
        seen.extend((cursor.label, list(cursor)))
        cursor.execute("SELECT name FROM shop_region ORDER BY id")
        seen.extend((cursor.fetchone(), cursor.fetchmany(1), cursor.fetchall()))
    with wrapper.cursor() as cursor:
        cursor.executemany("UPDATE shop_region SET name = name WHERE name = %s", [("Region 1",), ("Region 2",)])
        seen.extend((cursor.name, cursor.rowcount))
    seen.append([region.name for region in regions])
    seen.append([region.name for region in regions.iterator(chunk_size=2)])
    seen.append(regions.aggregate(number=Count("pk")))
    return seen


NAMES = [f"Region {number}" for number in range(1, 6)]
SEEN = [
    *(True, "audit"),
    *("late ones", [{"name": name} for name in NAMES[3:]]),
    *((NAMES[0],), [(NAMES[1],)], [(name,) for name in NAMES[2:]]),
    *(None, 2),
    *(NAMES, NAMES, {"number": 5}),
]


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
def test_cursors_of_a_projects_own_are_what_they_were(own: Any, debug: bool) -> None:
    own.force_debug_cursor = debug
    for _ in ("a first connection", "another"):
        with record("block", profiler=Profiler()) as recorded:
            assert _work(own) == SEEN
        own.close()
        assert recorded.query_count == 6
        assert {query.database.name for query in recorded.queries} == {"own"}
        assert not {finding.kind for finding in recorded.findings} & {"n_plus_one", "query_loop", "write_loop"}
