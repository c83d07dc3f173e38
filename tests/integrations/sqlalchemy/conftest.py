"""The adapter, installed through each of its doors; engines whose driver tells what it was really sent."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine, StaticPool, create_engine

import dbprofile_sqlalchemy
from tests.integrations.sqlalchemy.library import DRIVERS, Library, opened
from tests.integrations.sqlalchemy.models import fill
from tests.services import System


@pytest.fixture
def installed() -> Iterator[None]:
    dbprofile_sqlalchemy.install()
    yield
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture(params=["dialect events", "cursor events"])
def each_door(request: pytest.FixtureRequest) -> Iterator[str]:
    dbprofile_sqlalchemy.install(cursor_events=request.param == "cursor events")
    yield request.param
    dbprofile_sqlalchemy.uninstall()


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[System, str], Library]]:
    """The library of a driver, opened when it is first asked for."""
    found: dict[str, Library] = {}
    with ExitStack() as stack:

        def library(system: System, driver: str) -> Library:
            if driver not in found:
                found[driver] = stack.enter_context(opened(system, driver, tmp_path_factory.mktemp("library")))
            return found[driver]

        yield library


@pytest.fixture(params=DRIVERS)
def library(request: pytest.FixtureRequest, libraries: Callable[[System, str], Library]) -> Library:
    """Five authors on every driver in turn, for tests that leave them as they are; and the account of what was sent since the test began."""
    library = libraries(*request.param)
    library.forget()
    return library


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Five authors in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    fill(engine, 5)
    yield engine
    engine.dispose()
