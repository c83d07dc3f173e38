"""The fixtures, and the types that tests annotate them with. None of them is autouse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, Unpack

import pytest

from dbprofile import ConfigurationError, testing
from dbprofile.testing import Count, Keywords, QueryBlock, QueryLog, QueryScale, ScaleKeywords
from dbprofile_pytest.scopes import body_of

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["AssertQueries", "QueryLog", "ScaleQueries", "assert_queries", "db_queries", "query_scale"]

_LEFT = (
    "the loop over query_scale was left before its end, so that nothing was compared: take out 'break' and 'return', or call "
    "pytest.skip()"
)


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


class ScaleQueries:
    """The type of the fixture ``query_scale``: called with sizes it is the loop, and inside the loop it is the block."""

    def __init__(self) -> None:
        self.scale: QueryScale | None = None

    def __call__(self, *sizes: int, **keywords: Unpack[ScaleKeywords]) -> QueryScale:
        """The rows to add, turn by turn; the arguments are those of ``dbprofile.testing.QueryScale``."""
        self.check()
        self.scale = QueryScale(*sizes, **keywords)
        return self.scale

    def check(self) -> None:
        """Fail if the loop was left early.

        Raises:
            AssertionError: says so.
        """
        __tracebackhide__ = True
        if self.scale is not None and self.scale.is_left:
            raise AssertionError(_LEFT)

    def __enter__(self) -> QueryLog:
        __tracebackhide__ = True
        return self._current().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self._current().__exit__(kind, error, traceback)

    async def __aenter__(self) -> QueryLog:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.__exit__(kind, error, traceback)

    def _current(self) -> QueryScale:
        __tracebackhide__ = True
        if self.scale is None:
            raise ConfigurationError(
                'query_scale has no sizes yet: write "for n in query_scale(2, 5):" round "with query_scale:"'
            )
        return self.scale


@pytest.fixture
def query_scale(request: pytest.FixtureRequest) -> Iterator[ScaleQueries]:
    """A scale test: the same action with few and with more rows must send the same number of queries."""
    scale = ScaleQueries()
    yield scale
    if not body_of(request.node).failed:
        scale.check()
