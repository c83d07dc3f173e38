"""What is wrong: one rule, one file, one test file, one docs page."""

from dbprofile.rules.duplicate_query import DuplicateQuery
from dbprofile.rules.n_plus_one import NPlusOne
from dbprofile.rules.query_budget import QueryBudget
from dbprofile.rules.query_loop import QueryLoop
from dbprofile.rules.rule import Rule
from dbprofile.rules.slow_query import SlowQuery

__all__ = ["DEFAULT_RULES", "DuplicateQuery", "NPlusOne", "QueryBudget", "QueryLoop", "Rule", "SlowQuery"]

#: What a Profiler asks unless it is told otherwise.
DEFAULT_RULES: tuple[Rule, ...] = (NPlusOne(), QueryLoop(), DuplicateQuery(), QueryBudget(), SlowQuery())
