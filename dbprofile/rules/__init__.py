"""What is wrong: one rule, one file, one test file, one docs page."""

from dbprofile.rules.autocommit_loop import AutocommitLoop
from dbprofile.rules.big_result import BigResult
from dbprofile.rules.blocking_query import BlockingQuery
from dbprofile.rules.cartesian_product import CartesianProduct
from dbprofile.rules.connection_churn import ConnectionChurn
from dbprofile.rules.deep_offset import DeepOffset
from dbprofile.rules.duplicate_query import DuplicateQuery
from dbprofile.rules.held_connection import HeldConnection
from dbprofile.rules.huge_in_list import HugeInList
from dbprofile.rules.idle_transaction import IdleTransaction
from dbprofile.rules.late_query import LateQuery
from dbprofile.rules.literal_sql import LiteralSQL
from dbprofile.rules.lock_failure import LockFailure
from dbprofile.rules.n_plus_one import NPlusOne
from dbprofile.rules.query_budget import QueryBudget
from dbprofile.rules.query_loop import QueryLoop
from dbprofile.rules.redundant_query import RedundantQuery
from dbprofile.rules.rule import Rule
from dbprofile.rules.slow_fetch import SlowFetch
from dbprofile.rules.slow_query import SlowQuery
from dbprofile.rules.unused_eager_load import UnusedEagerLoad
from dbprofile.rules.write_loop import WriteLoop

__all__ = [
    "DEFAULT_RULES",
    "OPTIONAL_RULES",
    "AutocommitLoop",
    "BigResult",
    "BlockingQuery",
    "CartesianProduct",
    "ConnectionChurn",
    "DeepOffset",
    "DuplicateQuery",
    "HeldConnection",
    "HugeInList",
    "IdleTransaction",
    "LateQuery",
    "LiteralSQL",
    "LockFailure",
    "NPlusOne",
    "QueryBudget",
    "QueryLoop",
    "RedundantQuery",
    "Rule",
    "SlowFetch",
    "SlowQuery",
    "UnusedEagerLoad",
    "WriteLoop",
]

#: What a Profiler asks unless it is told otherwise.
DEFAULT_RULES: tuple[Rule, ...] = (
    NPlusOne(),
    QueryLoop(),
    DuplicateQuery(),
    RedundantQuery(),
    WriteLoop(),
    QueryBudget(),
    SlowQuery(),
    SlowFetch(),
    UnusedEagerLoad(),
    CartesianProduct(),
    BigResult(),
    DeepOffset(),
    LiteralSQL(),
    HugeInList(),
    AutocommitLoop(),
    LockFailure(),
    BlockingQuery(),
    LateQuery(),
)

#: What it is asked if ``rules_on`` names them.
OPTIONAL_RULES: tuple[Rule, ...] = (UnusedEagerLoad(audit=True), IdleTransaction(), HeldConnection(), ConnectionChurn())
