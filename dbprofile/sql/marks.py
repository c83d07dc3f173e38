"""Marks: what is known of a text's operations and names, and which names denote one table."""

from typing import Final, NamedTuple

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
    """What a text does, as `dbprofile.sql.structure` reads it."""

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


def same_table(one: str, other: str) -> bool:
    """Whether two names denote one table: equal, or equal in the last part where one of them has no schema."""
    if one == other:
        return True
    if "." in one and "." in other:
        return False
    return one.rpartition(".")[2] == other.rpartition(".")[2]
