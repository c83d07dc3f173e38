"""What a statement does, read off its tokens by position and bracket depth: operations, tables, throw-away names."""

from collections.abc import Callable
from typing import Final, NamedTuple

from dbprofile.sql.kinds import HINT, KEYWORD, NAME, PUNCTUATION, QUOTED, is_value
from dbprofile.sql.tokens import Tokens, lower_name
from dbprofile.sql.words import (
    DATABASE_OBJECTS,
    DEFINITIONS,
    MODIFIERS,
    OBJECT_MODIFIERS,
    OPERATIONS,
    ROW_CHANGES,
    SET_OPERATORS,
    SOFT_KEYWORDS,
    STATEMENT_WORDS,
)

DEEPEST: Final = 100
"""Brackets nested deeper are ordinary tokens."""

OPERATION: Final = "operation"
READ: Final = "read"
WRITE: Final = "write"
OBJECT: Final = "object"
"""Something named that is no table: an index, a role, a function."""


class Mark(NamedTuple):
    """An operation or a name of the statement: its role, and its tokens without the dots between them."""

    role: str
    indexes: tuple[int, ...]


class Structure:
    """What `read_structure()` found."""

    __slots__ = ("locks", "marks", "multiple", "throwaways", "verb")

    def __init__(self) -> None:
        self.verb = ""
        self.marks: list[Mark] = []
        """Operations and targets in the order of the text."""
        self.throwaways: set[int] = set()
        """Tokens that name a savepoint, cursor or prepared statement."""
        self.multiple = False
        """There is more than one statement."""
        self.locks = False
        """It takes locks on rows or tables."""


class _Frame:
    """One level of brackets: the statement that is being read there, and what is expected next."""

    __slots__ = ("body", "cte", "deleted", "expected", "inside_cte", "listed", "naming", "operation", "recursive", "start")

    def __init__(self, *, start: bool, inside_cte: bool = False) -> None:
        self.operation = ""
        self.start = start  # a statement may start here
        self.expected = ""  # the role of the name that should come next
        self.listed = ""  # the role of names behind the commas of this list
        self.naming = False  # the next name is a throw-away
        self.cte = ""  # the CTE list: "" none, "name" expected, a name in "head", "done" behind a body
        self.body = ""  # the name of the CTE whose body this bracket is
        self.inside_cte = inside_cte
        self.recursive = False
        self.deleted: list[str] = []


def read_structure(tokens: Tokens) -> Structure:
    """Operations, targets and throw-away names of a text, in one pass."""
    return _Reader(tokens).read()
