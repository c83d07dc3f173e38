"""What all tests share: temporary databases, and tests left out where a server they need does not answer."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from dbprofile import guard
from dbprofile.capture import listening, scope, unseen
from tests import services

# A run repeats itself; only a long one (DBPROFILE_TEXTS) looks for what no run has seen. A slow machine is no failure.
settings.register_profile("repeated", derandomize="DBPROFILE_TEXTS" not in os.environ, deadline=None)
settings.load_profile("repeated")

_left_out = pytest.StashKey[set[str]]()


@pytest.fixture(scope="module", params=services.DATABASES)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[services.TemporaryDatabase]:
    """An empty database for the tests of one module, on SQLite, PostgreSQL and MariaDB in turn."""
    with services.temporary_database(request.param, tmp_path_factory.mktemp("database")) as temporary:
        yield temporary


@pytest.fixture(scope="module")
def sqlite_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.TemporaryDatabase]:
    """An empty SQLite file for the tests of one module."""
    with services.temporary_database("sqlite", tmp_path_factory.mktemp("database")) as temporary:
        yield temporary


@pytest.fixture(scope="module")
def postgresql_database() -> Iterator[services.TemporaryDatabase]:
    """An empty PostgreSQL database for the tests of one module, which carry ``pytest.mark.service("postgresql")``."""
    with services.temporary_database("postgresql", Path()) as temporary:
        yield temporary


@pytest.fixture(scope="module")
def mariadb_database() -> Iterator[services.TemporaryDatabase]:
    """An empty MariaDB database for the tests of one module, which carry ``pytest.mark.service("mariadb")``."""
    with services.temporary_database("mariadb", Path()) as temporary:
        yield temporary


@pytest.fixture(autouse=True)
def _faults_surface() -> Iterator[None]:
    """A fault of ours fails the test in which it happens."""
    unseen.renew()  # threads of other tests would have used up the names
    guard.reset_faults()
    guard.reraising(True)
    yield
    guard.reraising(False)
    guard.reset_faults()
    # A fault that was put into leaving a scope leaves it behind, for whatever runs in this context next.
    scope._CURRENT.set(None)
    # Names of threads are kept for a process, a hundred at most: the threads of one test are no business of the next.
    unseen.renew()


@pytest.fixture(autouse=True)
def _listeners_leave() -> Iterator[None]:
    """A Profiler whose sinks hear of each statement listens until it is closed: that of one test hears nothing of the next."""
    before = listening.listeners
    yield
    listening.listeners = before


@pytest.fixture
def failing_open(_faults_surface: None) -> Iterator[None]:
    """Faults are swallowed, as they are in an application."""
    guard.reraising(False)
    yield
    guard.reraising(True)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """The URL of an empty Redis database, for a test that carries ``pytest.mark.service("redis")``."""
    with services.empty_redis() as url:
        yield url


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # These tests open scopes and install adapters themselves: our own plugin keeps out, unless it is not loaded at all.
    config.option.no_queries = True
    config.addinivalue_line("markers", "service(name): needs postgresql, mariadb or redis to answer")
    config.stash[_left_out] = set()


def _missing(config: pytest.Config) -> set[str]:
    return config.stash[_left_out]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects the tests of services that do not answer; with DBPROFILE_TEST_SERVICES=required refuses to go on."""
    kept: list[pytest.Item] = []
    dropped: list[pytest.Item] = []
    for item in items:
        missing = {mark.args[0] for mark in item.iter_markers("service") if services.absence(mark.args[0])}
        _missing(config).update(missing)
        (dropped if missing else kept).append(item)
    if not dropped:
        return
    if services.required():
        reasons = sorted(map(services.absence, _missing(config)))
        raise pytest.UsageError(*reasons, "DBPROFILE_TEST_SERVICES=required asks for all of them.")
    config.hook.pytest_deselected(items=dropped)
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Under xdist a worker hands what it left out to the run that prints the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = sorted(_missing(session.config))
    return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """Takes over what an xdist worker left out."""
    config, output = getattr(node, "config", None), getattr(node, "workeroutput", {})
    if isinstance(config, pytest.Config):
        _missing(config).update(output.get("left_out", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says in one line what was left out."""
    if missing := [services.SERVICES[name] for name in sorted(_missing(config))]:
        places = ", ".join(f"{service.title} at {service.place}" for service in missing)
        terminalreporter.write_line(f"Left out, for want of a server: {places}", yellow=True)
