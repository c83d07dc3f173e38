"""The shop on a database, the profiles of its requests, and what a block of code is found to do."""

from collections.abc import Callable, Iterator

import pytest
from django.test import override_settings

from dbprofile import Profiler, Report, record
from tests import ledger, services
from tests.integrations.django import project
from tests.integrations.django.account import Account, opened
from tests.integrations.django.shop.models import fill

#: Parents in the shop, at which a loop shows.
PARENTS = 5


@pytest.fixture(scope="module", params=services.DATABASES)
def any_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[services.TemporaryDatabase]:
    """The tables of the shop on SQLite, PostgreSQL and MariaDB in turn."""
    with (
        project.database_access(request),
        services.temporary_database(request.param, tmp_path_factory.mktemp("database")) as database,
        project.using(database),
    ):
        yield database


@pytest.fixture(scope="module")
def sqlite(
    request: pytest.FixtureRequest, sqlite_database: services.TemporaryDatabase
) -> Iterator[services.TemporaryDatabase]:
    with project.database_access(request), project.using(sqlite_database):
        yield sqlite_database


@pytest.fixture
def shop(sqlite: services.TemporaryDatabase) -> Iterator[None]:
    """A shop on SQLite."""
    fill(PARENTS)
    yield
    project.close()


@pytest.fixture
def any_shop(any_database: services.TemporaryDatabase) -> Iterator[services.TemporaryDatabase]:
    """A shop on each database in turn."""
    fill(PARENTS)
    yield any_database
    project.close()


@pytest.fixture(scope="module")
def told_shop(any_database: services.TemporaryDatabase) -> Iterator[services.TemporaryDatabase]:
    """A shop on each database in turn that is filled once, for tests that leave its rows; the database tells what it was sent."""
    with ledger.telling(any_database):
        project.close()
        fill(PARENTS)
        yield any_database


@pytest.fixture
def account(told_shop: services.TemporaryDatabase) -> Iterator[Account]:
    """What is sent from now on, on new connections."""
    with opened() as account:
        yield account


@pytest.fixture
def reports() -> Iterator[list[Report]]:
    """The reports of the requests that the test sends."""
    delivered: list[Report] = []
    with override_settings(DBPROFILE={"profiler": Profiler(sinks=[delivered.append])}):
        yield delivered


Judge = Callable[[Callable[[], object]], Report]


@pytest.fixture
def judge() -> Judge:
    """What a block is found to do."""
    profiler = Profiler()

    def judged(block: Callable[[], object]) -> Report:
        with record("block", profiler=profiler) as recording:
            block()
        return recording.report

    return judged
