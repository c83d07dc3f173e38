"""What differs between texts of one fingerprint: how long their lists are, and what each value is compared with."""

from functools import lru_cache
from typing import Final, NamedTuple

from dbprofile.sql.dialects import Dialect
from dbprofile.sql.kinds import (
    BOOLEAN,
    FOLDED,
    KEYWORD,
    NULL,
    NUMBER,
    OPERATOR,
    PARAMETER,
    PUNCTUATION,
    QUOTED,
    SIGN,
    is_value,
)
from dbprofile.sql.tokens import DEEPEST, Tokens, read_text, scan

EQUAL: Final = "equal"
LOWER_BOUND: Final = "lower bound"
UPPER_BOUND: Final = "upper bound"
IN: Final = "in"
LIMIT: Final = "limit"
OFFSET: Final = "offset"
OTHER: Final = "other"

_ROLES: Final = {"=": EQUAL, "<=>": EQUAL, ">": LOWER_BOUND, ">=": LOWER_BOUND, "<": UPPER_BOUND, "<=": UPPER_BOUND}
_MIRRORED: Final = {EQUAL: EQUAL, LOWER_BOUND: UPPER_BOUND, UPPER_BOUND: LOWER_BOUND}
_AFTER_ASSIGNMENTS: Final = frozenset({"WHERE", "FROM", "RETURNING", "SELECT", "ON", "ORDER", "LIMIT"})


class Position(NamedTuple):
    """The place of a parameter among the parameters of its statement: counted from 0, or its name."""

    position: int | str


class Value(NamedTuple):
    """A literal or parameter, and what the statement does with it."""

    role: str
    """`equal`, `lower bound`, `upper bound`, `in`, `limit`, `offset` or `other`."""
    column: str
    """The column it is compared with, as the canonical text writes it; empty where there is none."""
    position: int | str | None
    """Of a parameter: counted from 0, or its name."""
    hash: int | None
    """Of a literal, good within this process only; of a whole number it is the number."""


class Measure(NamedTuple):
    """The inside of one text."""

    longest_list: int
    """Elements of the longest `IN` list; 0 without one."""
    value_rows: int
    """Rows behind `VALUES`; 0 without them."""
    limit: int | Position | None
    """Of the outermost statement; a number, or the parameter that holds it."""
    offset: int | Position | None
    values: tuple[Value, ...]
    """Each literal and parameter, in the order of the text."""


def measure(sql: object, dialect: str | Dialect = "generic", paramstyle: str | None = None) -> Measure:
    """The lists, limits and values of a text. Never raises; a text that was measured lately is not read again."""
    text = sql if type(sql) is str else read_text(sql)
    return _cached(text, dialect, paramstyle) if len(text) <= 1024 else _measured(text, dialect, paramstyle)


def _measured(text: str, dialect: str | Dialect, paramstyle: str | None) -> Measure:
    return _Measuring(scan(text, dialect, paramstyle)).read()


# Members of one group share a text, or differ in literals that are each measured a few times in a row.
_cached = lru_cache(maxsize=256)(_measured)


class _Bracket:
    """One open bracket: what the values directly in it are compared with."""

    __slots__ = ("columns", "count", "is_list", "is_rows", "role", "start")

    def __init__(self, start: int, role: str = OTHER, columns: tuple[str, ...] = (), *, is_list: bool = False) -> None:
        self.start = start
        self.role = role
        self.columns = columns  # one for each element of a row, or one for all
        self.is_list = is_list
        self.is_rows = False  # rows may follow, behind VALUES
        self.count = 0  # commas seen


class _Measuring:
    """One pass over the tokens of a text."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.spellings = tokens.spellings
        self.bracket = _Bracket(-1)
        self.stack: list[_Bracket] = []
        self.too_deep = 0
        self.closed: tuple[int, int] = (-1, -1)  # the bracket that was closed last
        self.parameters = 0
        self.assigns = False
        self.longest_list = 0
        self.value_rows = 0
        self.limit: int | Position | None = None
        self.offset: int | Position | None = None
        self.values: list[Value] = []

    def read(self) -> Measure:
        for index, kind in enumerate(self.kinds):
            spelling = self.spellings[index]
            if is_value(kind):
                if kind != NULL or self._spelling(index - 1) not in {"IS", "NOT"}:
                    self._value(index)
            elif kind == FOLDED:
                self._folded(index)
            elif kind == PUNCTUATION:
                if spelling == "(":
                    self._open(index)
                elif spelling == ")":
                    self._close(index)
                elif spelling == ",":
                    self.bracket.count += 1
            elif kind == KEYWORD:
                self._keyword(index, spelling)
        while self.stack:
            self._close(len(self.kinds))
        return Measure(self.longest_list, self.value_rows, self.limit, self.offset, tuple(self.values))

    def _spelling(self, index: int) -> str:
        return self.spellings[index] if 0 <= index < len(self.spellings) else ""

    def _keyword(self, index: int, word: str) -> None:
        if word == "SET" or (word == "UPDATE" and self._spelling(index - 2) == "DUPLICATE"):
            self.assigns = True
        elif word in _AFTER_ASSIGNMENTS:
            self.assigns = False
        self.bracket.is_rows = word == "VALUES" or (self.bracket.is_rows and word == "ROW")

    # -- brackets

    def _open(self, index: int) -> None:
        if len(self.stack) >= DEEPEST:
            self.too_deep += 1
            return
        before = self._spelling(index - 1)
        outer = self.bracket
        if before == "IN":
            bracket = _Bracket(index, IN, self._compared(index - 1), is_list=self._spelling(index + 1) != "SELECT")
        elif outer.is_list and before in {"(", ","}:
            bracket = _Bracket(index, IN, outer.columns)
        elif outer.is_rows and before in {"VALUES", ",", "ROW"}:
            self.value_rows += 1
            bracket = _Bracket(index)
        elif before in _ROLES:
            role = OTHER if self.assigns else _ROLES[before]
            bracket = _Bracket(index, role, self._compared(index - 1))
        else:
            bracket = _Bracket(index)
        self.stack.append(outer)
        self.bracket = bracket

    def _close(self, index: int) -> None:
        if self.too_deep:
            self.too_deep -= 1
        elif self.stack:
            inner = self.bracket
            if inner.is_list and index > inner.start + 1:
                self._list(inner.count + 1)
            self.closed = (inner.start, index)
            self.bracket = self.stack.pop()

    def _list(self, length: int) -> None:
        self.longest_list = max(self.longest_list, length)

    def _folded(self, index: int) -> None:
        """A list or rows that the scanner took in one step: its values are found by the pattern that took it."""
        written = self.tokens.text[self.tokens.starts[index] : self.tokens.ends[index]]
        pattern = self.tokens.lexicon.value
        is_rows = self.spellings[index] == "(?+)"
        rows = pattern.sub("", written).count("(") if is_rows else 0
        inner = self.bracket
        in_list = inner.is_list
        if is_rows and not in_list:
            self.value_rows += rows
        elements = 0
        column = inner.columns[0] if inner.columns and not is_rows else ""
        for found in pattern.finditer(written):
            elements += 1
            literal = found[0]
            position = self._position(literal) if found[1] else None
            hashed = None if found[1] else _hash(literal.partition("::")[0] if literal[0] != "'" else literal)
            self.values.append(Value(IN if in_list else OTHER, column, position, hashed))
        if in_list:
            inner.count += (rows if is_rows else elements) - 1

    # -- values

    def _value(self, index: int) -> None:
        role, column = self._role(index)
        text = self.tokens.text[self.tokens.starts[index] : self.tokens.ends[index]]
        kind = self.kinds[index]
        position: int | str | None = None
        hashed: int | None = None
        number: int | Position | None = None
        if kind == PARAMETER:
            position = self._position(text)
            number = Position(position)
        else:
            if kind == NUMBER and self._is_negative(index):
                text = "-" + text
            hashed = hash({"true": True, "false": False}[text.lower()]) if kind == BOOLEAN else _hash(text)
            hashed = hash(None) if kind == NULL else hashed
            number = int(text) if kind == NUMBER and text.isdecimal() and len(text) < 20 else None
        if not self.stack:
            if role == LIMIT:
                self.limit = number
            elif role == OFFSET:
                self.offset = number
        self.values.append(Value(role, column, position, hashed))

    def _role(self, index: int) -> tuple[str, str]:
        at = index - 1
        if at >= 0 and self.kinds[at] == SIGN:
            at -= 1
        before = self._spelling(at)
        after = self._after_cast(index + 1)
        if before in {"LIMIT", "OFFSET", "TOP", "top"}:
            pair = before == "LIMIT" and self._spelling(index + 1) == "," and is_value(self._kind(index + 2))
            return (OFFSET if before == "OFFSET" or pair else LIMIT), ""
        if before in {"first", "next"} and self._spelling(at - 1) == "FETCH":
            return LIMIT, ""
        if before == "," and self._spelling(at - 2) == "LIMIT":
            return LIMIT, ""
        if before in _ROLES:
            columns = self._compared(at)
            role = OTHER if self.assigns and not self.stack else _ROLES[before]
            return role, columns[0] if len(columns) == 1 else ""
        if before == "BETWEEN":
            return LOWER_BOUND, self._first(self._compared(at))
        if before == "AND" and self._spelling(at - 2) == "BETWEEN":
            return UPPER_BOUND, self._first(self._compared(at - 2))
        mirrored = _MIRRORED.get(_ROLES.get(self._spelling(after), ""))
        if mirrored and not (self.assigns and not self.stack):
            return mirrored, self._column_from(after + 1)
        return self._of_bracket(index)

    def _of_bracket(self, index: int) -> tuple[str, str]:
        """The role that the bracket gives to a value that stands alone in it, or in its row."""
        bracket = self.bracket
        alone = self._spelling(index - 1) in {"(", ","} or self.kinds[index - 1] == SIGN
        if not alone or bracket.role == OTHER:
            return OTHER, ""
        columns = bracket.columns
        if len(columns) > 1:
            return bracket.role, columns[bracket.count] if bracket.count < len(columns) else ""
        return bracket.role, self._first(columns)

    @staticmethod
    def _first(columns: tuple[str, ...]) -> str:
        return columns[0] if columns else ""

    def _compared(self, operator: int) -> tuple[str, ...]:
        """The columns on the left of an operator: one name, or the names of a row."""
        at = operator - 1
        while self._spelling(at) in {"NOT", "BETWEEN"}:
            at -= 1
        if self._spelling(at) == ")" and self.closed[1] == at:
            return self._row_columns(*self.closed)
        column = self._column_to(at)
        return (column,) if column else ()

    def _row_columns(self, start: int, end: int) -> tuple[str, ...]:
        if start and self.kinds[start - 1] <= QUOTED:
            return ()  # a call
        columns = [""]
        for index in range(start + 1, min(end, start + 64)):
            spelling = self.spellings[index]
            if spelling == ",":
                columns.append("")
            elif self.kinds[index] <= QUOTED or spelling == ".":
                columns[-1] += spelling
            else:
                return ()
        return tuple(columns)

    def _column_to(self, at: int) -> str:
        """The dotted name that ends at a token."""
        if at < 0 or self.kinds[at] > QUOTED:
            return ""
        start = at
        while start >= 2 and self.spellings[start - 1] == "." and self.kinds[start - 2] <= QUOTED:
            start -= 2
        return "".join(self.spellings[start : at + 1])

    def _column_from(self, at: int) -> str:
        """The dotted name that starts at a token."""
        if self._kind(at) > QUOTED:
            return ""
        end = at
        while self._spelling(end + 1) == "." and self._kind(end + 2) <= QUOTED:
            end += 2
        return "" if self._spelling(end + 1) == "(" else "".join(self.spellings[at : end + 1])

    def _after_cast(self, at: int) -> int:
        while self._spelling(at) == "::":
            at += 2
        return at

    def _is_negative(self, index: int) -> bool:
        if index < 1 or self.kinds[index - 1] != SIGN or self.spellings[index - 1] != "-":
            return False
        before = self._kind(index - 2) if index > 1 else OPERATOR
        return before in {OPERATOR, SIGN, KEYWORD} or self._spelling(index - 2) in {"(", ",", "["}

    def _kind(self, index: int) -> int:
        return self.kinds[index] if 0 <= index < len(self.kinds) else OPERATOR

    def _position(self, written: str) -> int | str:
        """The place of a parameter: by its number or name if it has one, else by its turn."""
        written = written.partition("::")[0]
        turn = self.parameters
        self.parameters += 1
        if written.startswith("%("):
            return written[2:-2]
        name = written[1:]
        if written[0] in "?$:" and name.isdecimal():
            return int(name) - 1 if len(name) < 10 else name
        return turn if written[0] in "%?" else name


def _hash(literal: str) -> int:
    """The hash of a literal's value; of a whole number it is the number, so that its order shows."""
    try:
        return hash(int(literal))
    except ValueError:
        pass
    try:
        return hash(float(literal))
    except ValueError:
        return hash(literal[1:-1] if literal[:1] == "'" else literal)
