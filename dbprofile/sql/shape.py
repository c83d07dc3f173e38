"""The shape of a statement: what people read and snapshots compare, coarser than the canonical text it is made from."""

from typing import Final

from dbprofile.sql.dialects import Dialect
from dbprofile.sql.folding import GLUED, joined
from dbprofile.sql.kinds import KEYWORD, PARAMETER, QUOTED
from dbprofile.sql.marks import OPERATION
from dbprofile.sql.structure import read_structure
from dbprofile.sql.tokens import DEEPEST, Tokens, scan
from dbprofile.sql.words import DEFINITIONS, ROW_CHANGES, SET_OPERATORS

LONGEST: Final = 16 * 1024
"""Characters of a canonical text that its shape is made from."""

_CANONICAL: Final = Dialect("canonical", grouped_digits=True, at_sign="word", free_operators=True)
"""How a canonical text is read again, whatever dialect it came from; hints are comments here."""

_NAMING: Final = frozenset("SAVEPOINT RELEASE TO DECLARE CLOSE DEALLOCATE PREPARE EXECUTE FROM IN".split())
"""Words before the masked name of a savepoint, cursor or prepared statement."""
_JOINING: Final = frozenset("CROSS FULL INNER JOIN LEFT NATURAL OUTER RIGHT STRAIGHT_JOIN".split())
_CLAUSES: Final = SET_OPERATORS | frozenset("FETCH FOR GROUP HAVING LIMIT OFFSET ORDER WHERE WINDOW".split())

# What a name is, or a bracket, depends on the clause.
_PLAIN: Final = "plain"
_OUTPUTS: Final = "outputs"
_TABLES: Final = "tables"
_MATCHES: Final = "matches"
_COLUMNS: Final = "columns"
_DROPPED: Final = "dropped"


def outline(text: str, verb: str) -> str:
    """Verb, tables and conditions of a canonical text; without lists of columns, join conditions, aliases, qualifiers."""
    again = scan(text[:LONGEST], _CANONICAL, "qmark")
    if verb in DEFINITIONS:
        return _definition(again)
    return _Outline(again).read()


def _definition(tokens: Tokens) -> str:
    words = []
    for role, indexes in read_structure(tokens).marks:
        words.append((" " if role == OPERATION else ".").join(tokens.spellings[index] for index in indexes))
    return " ".join(words)


class _Frame:
    """One level of brackets: the clause that is being read, and what is left of the text so far."""

    __slots__ = ("asked", "clause", "named", "pending", "pieces", "silent", "statement", "text", "where")

    def __init__(self, clause: str, *, silent: bool = False, text: str = "") -> None:
        self.clause = clause
        self.silent = silent  # nothing in it is shown
        self.text = text  # what its bracket is written as
        self.pieces: list[str] = []
        self.pending: list[str] = []  # sub-selects among the outputs, shown if there is no FROM
        self.statement = ""
        self.named = False  # the table is named; what follows is its alias
        self.asked = True  # the next name of a SET list is a column
        self.where = -1  # where the current WHERE starts


class _Outline:
    """One pass over the tokens of a canonical text."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.spellings = tokens.spellings
        self.frame = _Frame(_PLAIN)
        self.stack: list[_Frame] = []
        self.too_deep = 0
        self.resume = 0
        self.shown = -1  # the token that was shown last

    def read(self) -> str:
        for index, kind in enumerate(self.kinds):
            spelling = self.spellings[index]
            if index < self.resume:
                continue
            if spelling == "(":
                self._open(index)
            elif spelling == ")":
                self._close()
            elif kind == KEYWORD:
                self._keyword(index, spelling)
            elif kind <= QUOTED:
                self._name(index)
            elif spelling == ",":
                self._comma(index)
            elif spelling == ";":
                self._end(self.frame)
                self.frame.clause, self.frame.statement, self.frame.where = _PLAIN, "", -1
                self._show(index, spelling)
            elif kind == PARAMETER and not self.frame.statement and index and self.spellings[index - 1] in _NAMING:
                continue
            elif self.frame.clause == _PLAIN:
                self._mark(index, spelling)
            elif self.frame.clause == _COLUMNS:
                self.frame.asked = False
        while self.stack:
            self._close()
        self._end(self.frame)
        return joined(self.frame.pieces)

    def _show(self, index: int, text: str) -> None:
        self.frame.pieces.append(text)
        self.shown = index

    def _mark(self, index: int, spelling: str) -> None:
        """Show an operator, a parameter or a square bracket, glued to what it was glued to."""
        if self.spellings[index : index + 4] == ["[", "?", "+", "]"]:
            spelling = "[...]"
            self.resume = index + 4
        glued = (
            spelling != "::"
            and self.shown == index - 1
            and index
            and self.tokens.ends[index - 1] == self.tokens.starts[index]
        )
        self._show(index, GLUED + spelling if glued else spelling)

    def _spelling(self, index: int) -> str:
        return self.spellings[index] if 0 <= index < len(self.spellings) else ""

    def _name(self, index: int) -> None:
        frame = self.frame
        end = index
        while self._spelling(end + 1) == "." and (
            self._spelling(end + 2) == "*" or (end + 2 < len(self.kinds) and self.kinds[end + 2] <= KEYWORD)
        ):
            end += 2
        self.resume = end + 1
        whole = "".join(self.spellings[index : end + 1])
        if frame.clause == _TABLES:
            if not frame.named:
                self._show(end, whole)
                frame.named = True
        elif frame.clause == _PLAIN or (frame.clause == _COLUMNS and frame.asked):
            self._show(end, self.spellings[end])
            frame.asked = False

    def _comma(self, index: int) -> None:
        frame = self.frame
        if frame.clause == _MATCHES:
            frame.clause = _TABLES
        if frame.clause in {_PLAIN, _TABLES, _COLUMNS}:
            self._show(index, ",")
        frame.named = False
        frame.asked = True

    def _open(self, index: int) -> None:
        if len(self.stack) >= DEEPEST:
            self.too_deep += 1
            return
        frame = self.frame
        if self.spellings[index : index + 4] == ["(", "?", "+", ")"] and frame.clause == _PLAIN:
            self._show(index, "(...)")
            self.resume = index + 4
            return
        glued = (
            self._spelling(index - 1) != "(" and index > 0 and self.tokens.ends[index - 1] == self.tokens.starts[index]
        )
        text = GLUED if glued else ""
        selects = self._spelling(index + 1) in {"SELECT", "WITH", "VALUES", "("}
        silent = frame.silent or frame.clause in {_MATCHES, _DROPPED}
        clause = _PLAIN
        if frame.clause == _OUTPUTS:
            silent = silent or not selects
        elif frame.clause == _TABLES:
            if not frame.named:
                clause = _TABLES
            elif self.shown != index - 1 or frame.statement in ROW_CHANGES:
                silent = True
        elif frame.clause == _COLUMNS:
            silent = silent or not frame.asked
        inner = _Frame(clause, silent=silent, text=text)
        if clause == _TABLES and self._spelling(index + 1) not in {"SELECT", "WITH", "VALUES"}:
            inner.statement = frame.statement
        elif clause == _TABLES:
            inner.clause = _PLAIN
        self.stack.append(frame)
        self.frame = inner

    def _close(self) -> None:
        if self.too_deep:
            self.too_deep -= 1
            return
        if not self.stack:
            return
        inner = self.frame
        self._end(inner)
        self.frame = frame = self.stack.pop()
        if frame.clause == _TABLES:
            frame.named = True
        if inner.silent:
            return
        if len(inner.pieces) == 1 and inner.pieces[0].startswith("(") and not inner.text:
            text = inner.pieces[0]
        else:
            text = f"{inner.text}({joined(inner.pieces)})"
        if frame.clause != _OUTPUTS:
            frame.pieces.append(text)
        elif inner.statement:
            frame.pending.append(text.removeprefix(GLUED))

    def _end(self, frame: _Frame) -> None:
        """End a clause: brackets round a whole condition go, sub-selects that are all there is come."""
        if frame.where >= 0:
            condition = frame.pieces[frame.where :]
            if len(condition) == 1 and _is_bracket(condition[0]):
                condition = [condition[0][1:-1]]
            frame.pieces[frame.where :] = condition
            frame.where = -1
        if frame.clause == _OUTPUTS:
            frame.pieces += frame.pending
            frame.clause = _PLAIN
        frame.pending = []

    def _keyword(self, index: int, word: str) -> None:
        frame = self.frame
        before = self._spelling(index - 1)
        if word == "SELECT":
            self._end(frame)
            self._show(index, word)
            frame.statement, frame.clause = word, _OUTPUTS
        elif word in ROW_CHANGES and not frame.statement and not frame.silent:
            self._show(index, word)
            frame.statement = word
            frame.clause, frame.named = _TABLES, False
        elif word == "FROM" and self._names_tables(before):
            frame.pending = []
            if frame.clause == _COLUMNS or (frame.clause == _TABLES and frame.named):
                self._show(index, word)
            frame.clause, frame.named = _TABLES, False
        elif word == "INTO" and frame.statement:
            self._into(index)
        elif word in _JOINING and frame.clause in {_TABLES, _MATCHES} and self._spelling(index + 1) != "(":
            if word not in {"INNER", "OUTER"}:
                self._show(index, word)
            frame.clause, frame.named = _TABLES, False
        elif word == "JOIN" and frame.clause in {_TABLES, _MATCHES}:
            self._show(index, word)
            frame.clause, frame.named = _TABLES, False
        elif word in {"ON", "USING"} and frame.clause == _TABLES:
            self._on(index, word)
        elif word in _CLAUSES and frame.statement:
            self._end(frame)
            frame.clause = _PLAIN
            self._show(index, word)
            if word == "WHERE":
                frame.where = len(frame.pieces)
        elif word == "RETURNING" or (word in {"VALUES", "DEFAULT"} and self._is_inserted()):
            self._end(frame)
            frame.clause = _DROPPED
        elif word == "ON" and frame.clause in {_DROPPED, _OUTPUTS} and frame.statement in {"INSERT", "REPLACE"}:
            frame.clause = _PLAIN
            self._show(index, word)
        elif word == "SET" and (frame.statement == "UPDATE" or before == "UPDATE"):
            self._show(index, word)
            frame.clause, frame.asked = _COLUMNS, True
        elif frame.clause == _PLAIN:
            self._show(index, word)
            if word == "UPDATE" and before == "KEY" and frame.statement:
                frame.clause, frame.asked = _COLUMNS, True
        elif frame.clause == _COLUMNS:
            frame.asked = False

    def _names_tables(self, before: str) -> bool:
        frame = self.frame
        if frame.clause == _PLAIN and before == "DISTINCT":
            return False
        return frame.statement in {"SELECT", "UPDATE", "DELETE"}

    def _is_inserted(self) -> bool:
        return self.frame.statement in {"INSERT", "REPLACE"} and self.frame.clause == _TABLES

    def _into(self, index: int) -> None:
        frame = self.frame
        if frame.statement == "SELECT":
            frame.pieces += frame.pending
            frame.pending = []
            self._show(index, "INTO")
        frame.clause, frame.named = _TABLES, False

    def _on(self, index: int, word: str) -> None:
        frame = self.frame
        following = self._spelling(index + 1)
        if word == "ON" and following in {"CONFLICT", "DUPLICATE"}:
            frame.clause = _PLAIN
            self._show(index, word)
        elif word == "USING" and (frame.statement == "MERGE" or (following != "(" and frame.statement != "SELECT")):
            self._show(index, word)
            frame.named = False
        elif frame.statement == "MERGE":
            frame.clause = _PLAIN
            self._show(index, word)
        else:
            frame.clause = _MATCHES


def _is_bracket(text: str) -> bool:
    return text.startswith("(") and not text.startswith(("(SELECT", "(WITH", "(...)", "()"))
