"""The fixtures, and the types that tests annotate them with. None of them is autouse."""

from __future__ import annotations

from typing import Protocol, Unpack

import pytest

from dbprofile import testing
from dbprofile.testing import Count, Keywords, QueryBlock, QueryLog
from dbprofile_pytest.scopes import body_of

__all__ = ["AssertQueries", "QueryLog", "assert_queries", "db_queries"]


class AssertQueries(Protocol):
    """The type of the fixture ``assert_queries``: that of ``dbprofile.testing.assert_queries``."""

    def __call__(self, n: Count | None = None, **keywords: Unpack[Keywords]) -> QueryBlock:
        """A block that fails unless it sends the queries that are expected."""


@pytest.fixture(scope="session")  # Hypothesis refuses function-scoped fixtures
def assert_queries() -> AssertQueries:
    """``dbprofile.testing.assert_queries``: a block that fails unless it sends the queries that are expected."""
    return testing.assert_queries


@pytest.fixture
def db_queries(request: pytest.FixtureRequest) -> QueryLog:
    """The queries that the body of the test sends: live while it runs, without those of set-up and tear-down."""
    return body_of(request.node).log
