"""The door for tests: count the queries of a block, and fail with the line that sent them. Knows no test framework."""

from dbprofile.testing.blocks import Keywords, QueryBlock, assert_queries, record_queries
from dbprofile.testing.counts import Bound, Count, at_least, at_most, between
from dbprofile.testing.log import ALL, CountedInt, QueryLog
from dbprofile.testing.scale import QueryScale
from dbprofile.testing.testcase import QueryAssertions, ScaleKeywords

__all__ = [
    "ALL",
    "Bound",
    "Count",
    "CountedInt",
    "Keywords",
    "QueryAssertions",
    "QueryBlock",
    "QueryLog",
    "QueryScale",
    "ScaleKeywords",
    "assert_queries",
    "at_least",
    "at_most",
    "between",
    "record_queries",
]
