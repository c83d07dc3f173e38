"""SQL text and the facts in it: what is the same statement, what it touches, how it is shown without its values.

PYTEST_DONT_REWRITE
"""

from dbprofile.sql.statement import Measure, Position, Statement, Traits, Value, measure

__all__ = ["Measure", "Position", "Statement", "Traits", "Value", "measure"]
