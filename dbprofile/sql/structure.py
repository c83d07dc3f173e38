"""What a statement does, read off its tokens by position and bracket depth: operations, tables, throw-away names."""

from collections.abc import Callable, Mapping
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


def read_structure(tokens: Tokens) -> Structure:
    """Operations, targets and throw-away names of a text, in one pass."""
    return _Reader(tokens).read()


class _Reader:
    """The state of one pass over the tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.kinds = tokens.kinds
        self.spellings = tokens.spellings
        self.found = Structure()
        self.frame = _Frame(start=True)
        self.stack: list[_Frame] = []
        self.too_deep = 0
        self.ctes: set[str] = set()
        self.deleted: set[str] = set()
        self.resume = 0  # tokens before this index are already read
        self.first_word = ""
        self.wrote_in_cte = False
        self.first_statement = True

    def read(self) -> Structure:
        for index, kind in enumerate(self.kinds):
            if kind == NAME or kind == QUOTED:
                frame = self.frame
                if index >= self.resume and (frame.expected or frame.start or frame.naming or frame.cte == "name"):
                    self._name(index)
            elif kind == KEYWORD:
                if index >= self.resume:
                    self._keyword(index, self.spellings[index])
            elif kind == PUNCTUATION:
                mark = self.spellings[index]
                if mark == "(":
                    self._open(index)
                elif mark == ")":
                    self._close()
                elif mark == ",":
                    self._comma()
                elif mark == ";":
                    self._next_statement()
            elif kind != HINT:
                self._no_name()
        self._finish()
        return self.found

    def _finish(self) -> None:
        found = self.found
        found.verb = found.verb or self.first_word
        solid = [index for index, spelling in enumerate(self.spellings) if spelling != ";"]
        found.multiple = bool(solid) and len(solid) <= solid[-1] - solid[0]
        if self.deleted:
            self._mark_deleted()

    def _mark_deleted(self) -> None:
        """`DELETE a FROM a JOIN b`: what is deleted from stands before the tables; an alias stands for the first."""
        marks = self.found.marks
        reads = [index for index, mark in enumerate(marks) if mark.role == READ]
        named = [index for index in reads if self.spellings[marks[index].indexes[-1]] in self.deleted]
        for index in named or reads[:1]:
            marks[index] = marks[index]._replace(role=WRITE)

    # -- words

    def _name(self, index: int) -> None:
        frame = self.frame
        if frame.expected:
            self._target(index)
        elif frame.naming:
            self._throwaway(index)
        elif frame.cte == "name":
            frame.body = self.spellings[index]
            frame.cte = "head"
            if frame.recursive:
                self.ctes.add(frame.body)
        elif frame.start and not frame.operation and not self.stack:
            self._first_word(index)
        elif frame.start and frame.operation not in _OPEN_ENDED:
            frame.start = False

    def _first_word(self, index: int) -> None:
        """A statement begins with a word that is no keyword, or with one that nobody knows."""
        word = self.spellings[index].upper()
        self.frame.start = False
        if self.kinds[index] == NAME and word in STATEMENT_WORDS:
            self._begin(index, word)
            if word == "MOVE":
                self.frame.operation = "FETCH"
        elif not self.first_word and word.isascii() and word.isalpha() and self.kinds[index] == NAME:
            self.first_word = word

    def _keyword(self, index: int, word: str) -> None:
        frame = self.frame
        if frame.expected and (word in SOFT_KEYWORDS or word in MODIFIERS or word == "LATERAL"):
            self._target(index)
        elif self._starts_statement(index, word):
            self._begin(index, word)
        else:
            frame.expected = ""
            if frame.start and frame.operation not in _OPEN_ENDED:
                frame.start = False
            action = _ACTIONS.get(word)
            if action is not None:
                action(self, index)

    def _starts_statement(self, index: int, word: str) -> bool:
        frame = self.frame
        if word == "SELECT":
            return frame.operation not in {"GRANT", "REVOKE"}
        if not (frame.start or frame.cte == "done"):
            return False
        if self.stack or frame.cte or frame.operation:
            following = self._spelling(index + 1)
            return word in _NESTABLE and (following not in {"(", ",", ")", "."} or word == "VALUES")
        return word in OPERATIONS or word == "WITH" or word == "END"

    def _begin(self, index: int, word: str) -> None:
        frame = self.frame
        if word == "WITH":
            frame.cte = "name"
            frame.start = False
            frame.expected = frame.listed = ""
            return
        if frame.operation == "EXPLAIN" and word == "ANALYZE":
            return
        frame.cte = ""
        self._note_verb(index, word)
        frame.operation = word
        frame.start = word == "EXPLAIN"
        frame.expected = frame.listed = ""
        frame.naming = word in _NAMING
        if word in DEFINITIONS:
            self._define(index)
            return
        if word not in _SILENT:
            self._mark(OPERATION, index)
        if word in _TARGETS:
            frame.expected = _TARGETS[word]
            frame.listed = frame.expected if word in _LISTS else ""
        if word == "LOCK":
            self.found.locks = True
        elif word == "DELETE":
            self._delete(index)

    def _note_verb(self, index: int, word: str) -> None:
        frame = self.frame
        found = self.found
        if not self.first_statement:
            return
        if frame.inside_cte:
            if word in ROW_CHANGES and not self.wrote_in_cte and found.verb in {"", "SELECT"}:
                found.verb = word
                self.wrote_in_cte = True
        elif not found.verb:
            found.verb = _CONTROL.get(word, word)
            if word == "START" and self._spelling(index + 1) != "transaction":
                found.verb = word

    def _delete(self, index: int) -> None:
        """`DELETE FROM a` names its table later, `DELETE a, b FROM …` in advance, `DELETE a` at once."""
        at = index + 1
        names = set()
        while self._kind(at) in {NAME, QUOTED} or self._spelling(at) in {",", "."}:
            if self.spellings[at].upper() not in MODIFIERS:
                names.add(self.spellings[at])
            at += 1
        following = self._spelling(at)
        if following == "FROM":
            self.resume = at
            self.deleted |= names
            self.frame.deletes = bool(names)
        elif names and following != "(":
            self.frame.expected = WRITE

    def _define(self, index: int) -> None:
        """`CREATE`, `ALTER`, `DROP`: the kind of object tells what its name is."""
        frame = self.frame
        for at in range(index + 1, min(index + 8, len(self.kinds))):
            word = self.spellings[at].upper()
            if word in DATABASE_OBJECTS:
                self.found.marks.append(Mark(OPERATION, (index, at)))
                frame.expected = WRITE if word in {"TABLE", "VIEW"} else OBJECT
                frame.listed = frame.expected if frame.operation == "DROP" else ""
                self.resume = at + 1
                return
            if word not in OBJECT_MODIFIERS:
                break
        self._mark(OPERATION, index)

    # -- names

    def _target(self, index: int) -> None:
        frame = self.frame
        spelling = self.spellings[index]
        following = self._spelling(index + 1)
        if self._is_modifier(index, spelling, following):
            self.resume = index + 2 if spelling == "OR" else index + 1
            return
        role = frame.expected
        frame.expected = ""
        frame.start = False
        parts = [index]
        at = index + 1
        while self._spelling(at) == ".":
            at += 1
            if at < len(self.kinds) and self.kinds[at] <= KEYWORD:
                parts.append(at)
                at += 1
        self.resume = max(self.resume, at)
        if role == READ and self._spelling(at) == "(" and frame.operation != "COPY":
            return
        name = lower_name(spelling) if self.kinds[index] == KEYWORD else spelling
        if len(parts) == 1 and (
            name in self.ctes or name[0] == "@" or (frame.operation == "SELECT" and name in _FILES)
        ):
            return
        self.found.marks.append(Mark(role, tuple(parts)))

    def _is_modifier(self, index: int, spelling: str, following: str) -> bool:
        if self.kinds[index] == QUOTED:
            return False
        if spelling in {"ONLY", "LATERAL", "concurrently"}:
            return True
        if self.frame.expected == READ and self.frame.operation not in {"LOCK", "COPY"}:
            return False
        if spelling.upper() not in MODIFIERS:
            return False
        after = index + 1
        return after < len(self.kinds) and (self.kinds[after] <= QUOTED or following in MODIFIERS or spelling == "OR")

    def _throwaway(self, index: int) -> None:
        frame = self.frame
        spelling = self.spellings[index]
        if spelling == "transaction" and is_value(self._kind(index + 1)):
            frame.naming = False
        elif frame.operation != "FETCH" or self.spellings[index - 1] in {"FROM", "IN"}:
            frame.naming = False
            self.found.throwaways.add(index)

    def _mark(self, role: str, *indexes: int) -> None:
        self.found.marks.append(Mark(role, indexes))

    def _no_name(self) -> None:
        """A literal or operator: no statement starts here, and no name follows."""
        frame = self.frame
        frame.expected = ""
        if frame.start and frame.operation not in _OPEN_ENDED:
            frame.start = False

    # -- punctuation

    def _open(self, index: int) -> None:
        if len(self.stack) >= DEEPEST:
            self.too_deep += 1
            return
        frame = self.frame
        inner = _Frame(start=True, inside_cte=frame.inside_cte)
        if frame.cte == "head":
            if self.spellings[index - 1] in {"AS", "MATERIALIZED"}:
                inner.inside_cte = True
                inner.body = frame.body
                frame.cte = "body"
            else:
                inner.start = False
        elif frame.expected:
            inner.operation = frame.operation
            inner.expected = inner.listed = frame.expected
        elif frame.operation == "EXPLAIN" and frame.start:
            inner.start = self.spellings[index - 1] != "EXPLAIN"
        frame.expected = ""
        self.stack.append(frame)
        self.frame = inner

    def _close(self) -> None:
        if self.too_deep:
            self.too_deep -= 1
        elif self.stack:
            self.frame = frame = self.stack.pop()
            if frame.cte == "body":
                frame.cte = "done"
                self.ctes.add(frame.body)
            elif frame.start and frame.operation not in _OPEN_ENDED:
                frame.start = False

    def _comma(self) -> None:
        frame = self.frame
        if frame.cte == "done":
            frame.cte = "name"
        else:
            frame.expected = frame.listed

    def _next_statement(self) -> None:
        if self.found.verb or self.first_word:
            self.first_statement = False
        self.stack.clear()
        self.too_deep = 0
        self.frame = _Frame(start=True)

    # -- keywords inside a statement

    def from_(self, index: int) -> None:
        frame = self.frame
        before = self._spelling(index - 1)
        if before == "DISTINCT" and self._spelling(index - 2) in {"IS", "NOT"}:
            return
        if frame.operation == "DELETE":
            frame.expected = frame.listed = READ if frame.deletes or frame.listed else WRITE
        elif frame.operation in _READERS:
            frame.expected = frame.listed = READ
        elif frame.operation == "COPY":
            self._written_copy()
        elif frame.operation == "FETCH":
            frame.naming = True

    def _written_copy(self) -> None:
        marks = self.found.marks
        if marks and marks[-1].role == READ:
            marks[-1] = marks[-1]._replace(role=WRITE)

    def join(self, _index: int) -> None:
        if self.frame.operation:
            self.frame.expected = self.frame.listed = READ

    def straight_join(self, _index: int) -> None:
        """MySQL's; as a word behind `SELECT` it is an option."""
        if self.frame.listed:
            self.frame.expected = READ

    def using(self, index: int) -> None:
        if self.frame.operation in {"DELETE", "MERGE"} and self._spelling(index + 1) != "(":
            self.frame.expected = self.frame.listed = READ

    def into(self, _index: int) -> None:
        if self.frame.operation == "SELECT":
            self.frame.expected = WRITE

    def on(self, _index: int) -> None:
        """`CREATE INDEX i ON t`: the table follows the first `ON`."""
        frame = self.frame
        if (
            frame.operation in DEFINITIONS
            and frame.naming is False
            and self.found.marks[-1].role in {OBJECT, OPERATION}
        ):
            frame.expected = WRITE

    def as_(self, _index: int) -> None:
        if self.frame.operation in {"CREATE", "PREPARE"}:
            self.frame.start = True

    def to(self, _index: int) -> None:
        if self.frame.operation == "ROLLBACK":
            self.frame.naming = True

    def of(self, index: int) -> None:
        if self._spelling(index - 1) == "current":
            self.frame.naming = True

    def end_list(self, _index: int) -> None:
        self.frame.listed = ""

    def update(self, index: int) -> None:
        before = self._spelling(index - 1)
        if before == "FOR" or (before == "KEY" and self._spelling(index - 2) == "no"):
            self.found.locks = True

    def share(self, index: int) -> None:
        before, earlier = self._spelling(index - 1), self._spelling(index - 2)
        if before == "FOR" or (before == "KEY" and earlier == "FOR") or (before == "IN" and earlier == "LOCK"):
            self.found.locks = True

    def recursive(self, _index: int) -> None:
        self.frame.recursive = True

    def _spelling(self, index: int) -> str:
        return self.spellings[index] if 0 <= index < len(self.spellings) else ""

    def _kind(self, index: int) -> int:
        return self.kinds[index] if index < len(self.kinds) else -1


_NESTABLE: Final = ROW_CHANGES | {"SELECT", "VALUES", "WITH", "TABLE"}
_OPEN_ENDED: Final = frozenset({"EXPLAIN"})
"""Operations behind which a statement may still start, whatever options come first."""
_READERS: Final = frozenset({"SELECT", "UPDATE", "SHOW"})
_SILENT: Final = frozenset({"VALUES", "TABLE"})
"""Statements that a summary names by their targets alone."""
_NAMING: Final = frozenset("SAVEPOINT RELEASE DECLARE CLOSE DEALLOCATE PREPARE EXECUTE".split())
_TARGETS: Final = {
    "UPDATE": WRITE,
    "INSERT": WRITE,
    "REPLACE": WRITE,
    "MERGE": WRITE,
    "TRUNCATE": WRITE,
    "COPY": READ,
    "LOCK": READ,
    "TABLE": READ,
}
_LISTS: Final = frozenset({"UPDATE", "TRUNCATE", "LOCK"})
_FILES: Final = frozenset({"outfile", "dumpfile"})
_CONTROL: Final = {"START": "BEGIN", "END": "COMMIT", "ABORT": "ROLLBACK"}
"""Other spellings of transaction control."""
_ACTIONS: Final[Mapping[str, Callable[[_Reader, int], None]]] = {
    "FROM": _Reader.from_,
    "JOIN": _Reader.join,
    "STRAIGHT_JOIN": _Reader.straight_join,
    "USING": _Reader.using,
    "INTO": _Reader.into,
    "ON": _Reader.on,
    "AS": _Reader.as_,
    "TO": _Reader.to,
    "OF": _Reader.of,
    "UPDATE": _Reader.update,
    "SHARE": _Reader.share,
    "RECURSIVE": _Reader.recursive,
} | dict.fromkeys(
    [*SET_OPERATORS, *"SET WHERE GROUP ORDER HAVING LIMIT OFFSET RETURNING WINDOW FETCH FOR VALUES".split()],
    _Reader.end_list,
)


def same_table(one: str, other: str) -> bool:
    """Whether two names denote one table: equal, or equal in the last part where one of them has no schema."""
    if one == other:
        return True
    if "." in one and "." in other:
        return False
    return one.rpartition(".")[2] == other.rpartition(".")[2]
