"""Cursor: where the reader of a text stands, and what it expects at each level of brackets."""

from dbprofile.sql.marks import Mark, Structure
from dbprofile.sql.tokens import Tokens


class Frame:
    """One level of brackets: the statement that is being read there, and what is expected next."""

    __slots__ = (
        "body",
        "cte",
        "deletes",
        "expected",
        "inside_cte",
        "listed",
        "naming",
        "operation",
        "recursive",
        "start",
    )

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
        self.deletes = False  # the tables that rows are deleted from stand before FROM


class Cursor:
    """The state of one pass over the tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self.kinds = tokens.kinds
        self.spellings = tokens.spellings
        self.found = Structure()
        self.frame = Frame(start=True)
        self.stack: list[Frame] = []
        self.too_deep = 0
        self.resume = 0  # tokens before this index are already read

    def spelling(self, index: int) -> str:
        """The spelling of a token, or an empty text before the first and behind the last."""
        return self.spellings[index] if 0 <= index < len(self.spellings) else ""

    def kind(self, index: int) -> int:
        """The kind of a token, or -1 behind the last."""
        return self.kinds[index] if index < len(self.kinds) else -1

    def mark(self, role: str, *indexes: int) -> None:
        """Note an operation or a name."""
        self.found.marks.append(Mark(role, indexes))

    def expect(self, role: str, listed: str = "") -> None:
        """A name of this role comes next, and names of the other behind the commas that follow."""
        self.frame.expected = role
        self.frame.listed = listed
