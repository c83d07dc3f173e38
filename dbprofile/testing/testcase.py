"""QueryAssertions: the assertions as methods, for unittest.TestCase and everything made of it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack, overload

from dbprofile.errors import ConfigurationError
from dbprofile.testing.blocks import assert_queries
from dbprofile.testing.scale import SIZES, QueryScale

if TYPE_CHECKING:
    from typing import Any, Literal

    from dbprofile.testing.blocks import Keywords, QueryBlock
    from dbprofile.testing.counts import Count

__all__ = ["QueryAssertions", "ScaleKeywords"]


class ScaleKeywords(TypedDict, total=False):
    """The keywords of ``QueryScale``, for functions that pass them on."""

    allow: Literal["linear"] | None
    on: str
    ignore: Sequence[str]
    using: str | Sequence[str]
    fresh: bool


class QueryAssertions:
    """A mixin: ``class OrderTests(QueryAssertions, TestCase)``."""

    @overload
    def assertQueries(self, n: Count | None = None, **keywords: Unpack[Keywords]) -> QueryBlock: ...

    @overload
    def assertQueries(
        self, n: Count, function: Callable[..., object], *args: Any, **keywords: Unpack[Keywords]
    ) -> None: ...

    def assertQueries(  # noqa: N802 - as unittest names
        self,
        n: Count | None = None,
        function: Callable[..., object] | None = None,
        *args: Any,
        **keywords: Unpack[Keywords],
    ) -> QueryBlock | None:
        """Fail unless a block sends the queries that are expected; the keywords are those of ``assert_queries``.

        With a function, as in ``assertQueries(2, self.client.get, "/orders/")``, it is called and checked at once, in the way of
        Django's ``assertNumQueries``.
        """
        __tracebackhide__ = True
        block = assert_queries(n, **keywords)
        if function is None:
            return block
        with block:
            _called(function, *args)
        return None

    def assertNoNPlusOne(self, **keywords: Unpack[Keywords]) -> QueryBlock:  # noqa: N802 - as unittest names
        """Fail if the application sends queries in a loop; the keywords are those of ``assert_queries``."""
        keywords["nplusone"] = False
        return assert_queries(**keywords)

    def assertConstantQueries(  # noqa: N802 - as unittest names
        self,
        make: Callable[[int], object],
        run: Callable[[], object],
        sizes: Sequence[int] = SIZES,
        **keywords: Unpack[ScaleKeywords],
    ) -> None:
        """Fail unless an action sends the same queries however many rows there are.

        Args:
            make: adds so many rows.
            run: the action.
            sizes: rows of the runs, at least 2 and increasing.
            keywords: those of ``QueryScale``.
        """
        __tracebackhide__ = True
        scale = QueryScale(*sizes, **keywords)
        for n in scale:
            _called(make, n)
            with scale:
                _called(run)


def _called(function: Callable[..., object], *args: object) -> None:
    __tracebackhide__ = True
    result = function(*args)
    if inspect.iscoroutine(result):
        result.close()
        raise ConfigurationError(
            f"{function!r} is async: write an 'async with' block, or a loop over QueryScale, instead"
        )
