"""A shop's database, hooked through the core's door, and the repository as the project under test."""

import sqlite3
from collections.abc import Iterator

import pytest

from dbprofile import hooks
from dbprofile.testing.project import Project, set_project
from tests.sources import shop
from tests.tree import REPOSITORY


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with shop() as opened:
        yield opened


@pytest.fixture(autouse=True)
def project() -> Iterator[Project]:
    current = Project(root=REPOSITORY)
    before = set_project(current)
    yield current
    set_project(before)


@pytest.fixture(autouse=True)
def _source() -> Iterator[None]:
    """The hooked driver is a source of queries like any adapter."""
    hooks.register_fixes("testing", lambda _problem: None)
    yield
    hooks.unregister_fixes("testing")
