"""The adapter, installed for an application on a broker in memory."""

from collections.abc import Iterator

import pytest

import dbprofile_celery
from dbprofile import Profiler, Report, set_default_profiler
from tests.integrations.celery.working import App, Worker
from tests.sources import Connection, shop


@pytest.fixture
def app() -> Iterator[App]:
    """Its broker and its results live in the memory of this process."""
    app = App("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
    app.conf.task_publish_retry = False
    yield app
    with app.connection_for_write() as connection:
        connection.SimpleQueue("celery").clear()
    app.close()


@pytest.fixture
def worker(app: App) -> Worker:
    return Worker(app)


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def profiler(reports: list[Report]) -> Profiler:
    return Profiler(sinks=[reports.append])


@pytest.fixture
def installed(app: App, profiler: Profiler) -> Iterator[None]:
    dbprofile_celery.install(app, profiler=profiler)
    yield
    dbprofile_celery.uninstall()


@pytest.fixture
def no_default() -> Iterator[None]:
    set_default_profiler(None)
    yield
    set_default_profiler(None)


@pytest.fixture
def database() -> Iterator[Connection]:
    with shop() as connection:
        yield connection
