"""QueryAssertions: the assertions as methods, for unittest.TestCase and everything made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from dbprofile.testing.blocks import assert_queries

if TYPE_CHECKING:
    from dbprofile.testing.blocks import Keywords, QueryBlock
    from dbprofile.testing.counts import Count

__all__ = ["QueryAssertions"]


class QueryAssertions:
    """A mixin: ``class OrderTests(QueryAssertions, TestCase)``."""

    def assertQueries(self, n: Count | None = None, **keywords: Unpack[Keywords]) -> QueryBlock:  # noqa: N802 - as unittest names
        """Fail unless the block sends the queries that are expected; the arguments are those of ``assert_queries``."""
        return assert_queries(n, **keywords)

    def assertNoNPlusOne(self, **keywords: Unpack[Keywords]) -> QueryBlock:  # noqa: N802 - as unittest names
        """Fail if the application sends queries in a loop; the keywords are those of ``assert_queries``."""
        keywords["nplusone"] = False
        return assert_queries(**keywords)
