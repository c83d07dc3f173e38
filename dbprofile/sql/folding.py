"""Folding: lists, rows, arms and repeated conditions that differ only in their number become one."""

from typing import Final

from dbprofile.sql.kinds import FOLDED, KEYWORD, NAME, PUNCTUATION, QUOTED
from dbprofile.sql.tokens import DEEPEST
from dbprofile.sql.words import CALLED_KEYWORDS, SET_OPERATORS

GLUED: Final = "\b"
"""Before the text of a bracket that follows without a space; no token starts with it."""
_TIGHT_BEFORE: Final = frozenset({",", ".", ";", ")", "]", "::"})
_TIGHT_AFTER: Final = frozenset({"(", "[", ".", "::"})
_TAIL: Final = frozenset("ORDER LIMIT OFFSET FETCH FOR RETURNING".split())
"""What follows the last arm of a `UNION` and belongs to all of them."""
_BOUNDARIES: Final = (
    frozenset(
        """
        CROSS DO ELSE END FROM FULL GROUP HAVING INNER JOIN LEFT NATURAL ON RIGHT SELECT SET THEN USING VALUES WHEN
        WHERE WINDOW WITH
        """.split()
    )
    | SET_OPERATORS
    | _TAIL
)
"""Keywords that end a condition."""
_ARM_STARTS: Final = SET_OPERATORS | {"ALL", "DISTINCT"}


class _Frame:
    """What is open: the text itself, a bracket, or a `CASE`."""

    __slots__ = (
        "alternative",
        "arm",
        "glued",
        "items",
        "lists",
        "opener",
        "operator",
        "previous",
        "rows",
        "seen",
        "start",
    )

    def __init__(self, opener: str, *, glued: bool = False, lists: bool = False) -> None:
        self.opener = opener
        self.glued = glued
        self.lists = lists  # an IN list, a row or a subscript: literals alone fold
        self.items: list[str] = []
        self.start = 0  # where the current operand of OR starts
        self.alternative: list[str] | None = None  # the operand before it
        self.arm = -1  # where the current arm of a CASE or UNION starts
        self.operator = -1  # where the set operator before it stands
        self.previous: list[str] | None = None  # the arm before it
        self.rows = False  # rows may follow, behind VALUES or in an IN list
        self.seen: set[str] = set()


def fold(kinds: list[int], spellings: list[str]) -> str:
    """The folded text of tokens; each closed bracket is one item of what it stands in, so arms compare as lists."""
    folding = _Folding()
    for kind, spelling in zip(kinds, spellings, strict=True):
        folding.add(kind, spelling)
    return folding.finish()


class _Folding:
    """The stack of what is open, and the token before."""

    def __init__(self) -> None:
        self.frame = _Frame("")
        self.stack: list[_Frame] = []
        self.too_deep: list[str] = []
        self.kind = PUNCTUATION
        self.spelling = ""

    def add(self, kind: int, spelling: str) -> None:
        frame = self.frame
        if kind == PUNCTUATION:
            if spelling == "(" or spelling == "[":
                self._open(spelling)
            elif spelling == ")" or spelling == "]":
                self._close(spelling)
            elif spelling == "," or spelling == ";":
                self._separate(spelling)
            else:
                frame.items.append(spelling)
        elif kind == KEYWORD:
            self._keyword(spelling)
        elif kind == FOLDED and spelling == "(?+)":
            self._row(spelling)
        else:
            frame.items.append(spelling)
            if frame.rows and not frame.lists:
                frame.rows = False
        self.kind = kind
        self.spelling = spelling

    def finish(self) -> str:
        items = self.frame.items
        if items and items[-1] == ",":
            items.pop()
        while self.stack:
            self._pop()
        self._end_condition(self.frame)
        self._end_arm(self.frame)
        return joined(self.frame.items)

    def _open(self, bracket: str) -> None:
        if len(self.stack) >= DEEPEST:
            self.frame.items.append(bracket)
            self.too_deep.append(bracket)
            return
        before = self.spelling
        parent = self.frame
        called = self.kind in {NAME, QUOTED} or before in CALLED_KEYWORDS
        if bracket == "[":
            frame = _Frame("[", glued=called or before in {"ARRAY", ")", "(?+)", "]"}, lists=True)
        else:
            lists = before == "IN" or (parent.rows and before in {"(", ",", "ROW", "VALUES"})
            frame = _Frame("(", glued=called, lists=lists)
            frame.rows = before == "IN"
        self.stack.append(parent)
        self.frame = frame

    def _close(self, bracket: str) -> None:
        while self.too_deep:
            if self.too_deep.pop() != "CASE":
                self.frame.items.append(bracket)
                return
        opener = "(" if bracket == ")" else "["
        if self.frame.opener != opener:
            outer = [frame.opener for frame in self.stack if frame.opener != "CASE"]
            if self.frame.opener != "CASE" or not outer or outer[-1] != opener:
                self.frame.items.append(bracket)
                return
        while self.frame.opener == "CASE":
            self._pop()
        self._pop()

    def _pop(self) -> None:
        """Close the innermost frame: its text becomes an item of the one round it."""
        inner = self.frame
        self._end_condition(inner)
        self._end_arm(inner)
        self.frame = frame = self.stack.pop()
        if inner.opener == "CASE":
            frame.items.append(joined(inner.items))
            return
        if inner.lists and _is_literals(inner.items):
            inner.items = ["?+"]
        closer = ")" if inner.opener == "(" else "]"
        text = (GLUED if inner.glued else "") + inner.opener + joined(inner.items) + closer
        if frame.rows and inner.opener == "(" and inner.lists:
            self._row(text)
            return
        if frame.arm < 0 and inner.opener == "(" and (not frame.items or frame.items[-1] in _ARM_STARTS):
            frame.arm = len(frame.items)
        frame.items.append(text)

    def _row(self, text: str) -> None:
        """Append a row, unless the list it belongs to has an equal one."""
        frame = self.frame
        items = frame.items
        if items and items[-1] == "ROW":
            items.pop()
            text = "ROW" + text.removeprefix(GLUED)
        if text not in frame.seen:
            frame.seen.add(text)
            items.append(text)
        elif items and items[-1] == ",":
            items.pop()
            frame.start = min(frame.start, len(items))

    def _separate(self, mark: str) -> None:
        frame = self.frame
        if mark == "," and frame.rows and not frame.lists:
            # Rows may vanish, and the comma with them.
            frame.items.append(mark)
            return
        self._end_condition(frame)
        if mark == ";":
            self._end_arm(frame)
            frame.arm = frame.operator = -1
            frame.previous = None
        frame.items.append(mark)
        frame.start = len(frame.items)

    def _keyword(self, word: str) -> None:
        frame = self.frame
        items = frame.items
        if word == "CASE" or (word == "END" and self.too_deep):
            self._case(word)
            return
        if word == "OR":
            self._end_operand(frame)
            items.append(word)
            frame.start = len(items)
            return
        if word in _BOUNDARIES:
            self._end_condition(frame)
            if frame.opener == "CASE":
                if self._case_keyword(word):
                    return
            elif word in SET_OPERATORS or word in _TAIL:
                self._end_arm(frame)
                if word in SET_OPERATORS:
                    frame.operator = len(items)
                frame.arm = -1
            elif frame.arm < 0 and word in {"SELECT", "VALUES"}:
                frame.arm = len(items)
        frame.rows = word == "VALUES" or (frame.rows and (word == "ROW" or (frame.lists and word != "SELECT")))
        if word == "VALUES":
            frame.seen = set()
        items.append(word)
        if word in _BOUNDARIES:
            frame.start = len(items)

    def _case(self, word: str) -> None:
        """Open a `CASE`, or note that one opens or ends too deep to be followed."""
        if word == "CASE" and len(self.stack) < DEEPEST:
            self.stack.append(self.frame)
            self.frame = _Frame("CASE")
        elif word == "CASE":
            self.too_deep.append(word)
        elif self.too_deep[-1] == "CASE":
            self.too_deep.pop()
        self.frame.items.append(word)

    def _case_keyword(self, word: str) -> bool:
        """End an arm of a `CASE`, or the whole; tells whether the word is dealt with."""
        frame = self.frame
        if word in {"WHEN", "ELSE", "END"}:
            self._end_arm(frame)
            frame.arm = len(frame.items) if word == "WHEN" else -1
            frame.operator = frame.arm
        if word == "END":
            frame.items.append(word)
            self._pop()
            return True
        return False

    def _end_operand(self, frame: _Frame) -> None:
        operand = frame.items[frame.start :]
        if operand == frame.alternative:
            del frame.items[frame.start - 1 :]
        frame.alternative = operand

    def _end_condition(self, frame: _Frame) -> None:
        if frame.alternative is not None:
            self._end_operand(frame)
            frame.alternative = None

    def _end_arm(self, frame: _Frame) -> None:
        """Drop the arm that ends here, with its operator, if it is equal to the one before."""
        if frame.arm < 0:
            return
        arm = frame.items[frame.arm :]
        if arm == frame.previous:
            del frame.items[frame.operator :]
        frame.previous = arm


def _is_literals(items: list[str]) -> bool:
    """Whether items are nothing but literals and the commas between them."""
    return bool(items) and all(
        item == "," if index % 2 else item == "?" or item == "?+" for index, item in enumerate(items)
    )


def joined(items: list[str]) -> str:
    """One text, with a space between items where SQL is written with one."""
    pieces = []
    tight = True
    for item in items:
        if item[:1] == GLUED:
            pieces.append(item[1:])
        elif tight or item in _TIGHT_BEFORE:
            pieces.append(item)
        else:
            pieces.append(" ")
            pieces.append(item)
        tight = item in _TIGHT_AFTER
    return "".join(pieces)
