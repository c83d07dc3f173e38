"""Many requests at once: each statement is in the profile of the request that sent it."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import AsyncClient, Client, override_settings

from dbprofile import Profiler, Report
from tests.integrations.django import project
from tests.integrations.django.shop.models import fill
from tests.services import TemporaryDatabase

REQUESTS = 50
#: Statements of a page that carry the number of its request.
STATEMENTS = 10


@pytest.fixture
def numbered() -> Iterator[list[Report]]:
    """The reports of the requests; their parameters are kept, because the numbers are among them."""
    delivered: list[Report] = []
    with override_settings(DBPROFILE={"profiler": Profiler(sinks=[delivered.append], show_values=True)}):
        yield delivered


@pytest.fixture
def two_systems(any_database: TemporaryDatabase) -> Iterator[None]:
    fill(1)
    yield
    project.close()


def numbers_of(report: Report) -> list[int]:
    """The numbers that the statements of one request carry."""
    values = [query.values for query in report.profile.queries if "request_number" in query.sql]
    return [int(value[0]) for value in values if isinstance(value, (list, tuple))]


def check(delivered: list[Report], expected: dict[int, int]) -> None:
    assert len(delivered) == REQUESTS
    found: dict[int, int] = {}
    for report in delivered:
        numbers = numbers_of(report)
        (number,) = set(numbers)
        found[number] = len(numbers)
        assert not report.profile.untracked
        assert not report.profile.late
    assert found == expected


def _visit(number: int) -> int:
    try:
        return Client().get(f"/numbered/{number}/").status_code
    finally:
        connection.close()


@pytest.mark.usefixtures("two_systems")
def test_fifty_requests_in_threads(numbered: list[Report]) -> None:
    with ThreadPoolExecutor(max_workers=16) as pool:
        statuses = list(pool.map(_visit, range(REQUESTS)))
    assert set(statuses) == {200}
    check(numbered, dict.fromkeys(range(REQUESTS), STATEMENTS))


@pytest.mark.usefixtures("two_systems")
async def test_fifty_requests_in_tasks(numbered: list[Report]) -> None:
    responses = await asyncio.gather(*(AsyncClient().get(f"/async/numbered/{number}/") for number in range(REQUESTS)))
    assert {response.status_code for response in responses} == {200}
    check(numbered, dict.fromkeys(range(REQUESTS), STATEMENTS))


@pytest.mark.usefixtures("two_systems")
async def test_fifty_synchronous_views_of_an_asynchronous_server(numbered: list[Report]) -> None:
    responses = await asyncio.gather(*(AsyncClient().get(f"/numbered/{number}/") for number in range(REQUESTS)))
    assert {response.status_code for response in responses} == {200}
    check(numbered, dict.fromkeys(range(REQUESTS), STATEMENTS))
