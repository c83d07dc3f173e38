"""Structure: what a statement does, read off its tokens by position and bracket depth, never by guessing."""

from typing import Final

from dbprofile.sql.clauses import CLAUSES
from dbprofile.sql.cursor import Cursor, Frame
from dbprofile.sql.kinds import HINT, KEYWORD, NAME, PUNCTUATION, QUOTED, is_value
from dbprofile.sql.marks import OBJECT, OPERATION, READ, WRITE, Structure
from dbprofile.sql.tokens import DEEPEST, Tokens, lower_name
from dbprofile.sql.words import (
    DATABASE_OBJECTS,
    DEFINITIONS,
    MODIFIERS,
    OBJECT_MODIFIERS,
    OPERATIONS,
    ROW_CHANGES,
    SOFT_KEYWORDS,
    STATEMENT_WORDS,
)


def read_structure(tokens: Tokens) -> Structure:
    """Operations, targets and throw-away names of a text, in one pass."""
    return _Reader(tokens).read()


class _Reader(Cursor):
    """The state of one pass over the tokens."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        self.ctes: set[str] = set()
        self.deleted: set[str] = set()
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
            action = CLAUSES.get(word)
            if action is not None:
                action(self, index)

    def _starts_statement(self, index: int, word: str) -> bool:
        frame = self.frame
        if word == "SELECT":
            return frame.operation not in {"GRANT", "REVOKE"}
        if not (frame.start or frame.cte == "done"):
            return False
        if self.stack or frame.cte or frame.operation:
            following = self.spelling(index + 1)
            return word in _NESTABLE and (following not in {"(", ",", ")", "."} or word == "VALUES")
        return word in OPERATIONS or word == "WITH" or word == "END"

    def _begin(self, index: int, word: str) -> None:
        frame = self.frame
        if word == "WITH":
            frame.cte = "name"
            frame.start = False
            self.expect("")
            return
        if frame.operation == "EXPLAIN" and word == "ANALYZE":
            return
        frame.cte = ""
        self._note_verb(index, word)
        frame.operation = word
        frame.start = word == "EXPLAIN"
        self.expect("")
        frame.naming = word in _NAMING
        if word in DEFINITIONS:
            self._define(index)
            return
        if word not in _SILENT:
            self.mark(OPERATION, index)
        if word in _TARGETS:
            self.expect(_TARGETS[word], _TARGETS[word] if word in _LISTS else "")
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
            if word == "START" and self.spelling(index + 1) != "transaction":
                found.verb = word

    def _delete(self, index: int) -> None:
        """`DELETE FROM a` names its table later, `DELETE a, b FROM …` in advance, `DELETE a` at once."""
        at = index + 1
        names = set()
        while self.kind(at) in {NAME, QUOTED} or self.spelling(at) in {",", "."}:
            if self.spellings[at].upper() not in MODIFIERS:
                names.add(self.spellings[at])
            at += 1
        following = self.spelling(at)
        if following == "FROM":
            self.resume = at
            self.deleted |= names
            self.frame.deletes = bool(names)
        elif names and following != "(":
            self.frame.expected = WRITE

    def _define(self, index: int) -> None:
        """`CREATE`, `ALTER`, `DROP`: the kind of object tells what its name is."""
        for at in range(index + 1, min(index + 8, len(self.kinds))):
            word = self.spellings[at].upper()
            if word in DATABASE_OBJECTS:
                self.mark(OPERATION, index, at)
                role = WRITE if word in {"TABLE", "VIEW"} else OBJECT
                self.expect(role, role if self.frame.operation == "DROP" else "")
                self.resume = at + 1
                return
            if word not in OBJECT_MODIFIERS:
                break
        self.mark(OPERATION, index)

    # -- names

    def _target(self, index: int) -> None:
        frame = self.frame
        spelling = self.spellings[index]
        following = self.spelling(index + 1)
        if self._is_modifier(index, spelling, following):
            self.resume = index + 2 if spelling == "OR" else index + 1
            return
        role = frame.expected
        frame.expected = ""
        frame.start = False
        parts = [index]
        at = index + 1
        while self.spelling(at) == ".":
            at += 1
            if at < len(self.kinds) and self.kinds[at] <= KEYWORD:
                parts.append(at)
                at += 1
        self.resume = max(self.resume, at)
        if role == READ and self.spelling(at) == "(" and frame.operation != "COPY":
            return
        name = lower_name(spelling) if self.kinds[index] == KEYWORD else spelling
        if len(parts) == 1 and (
            name in self.ctes or name[0] == "@" or (frame.operation == "SELECT" and name in _FILES)
        ):
            return
        self.mark(role, *parts)

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
        if spelling == "transaction" and is_value(self.kind(index + 1)):
            frame.naming = False
        elif frame.operation != "FETCH" or self.spellings[index - 1] in {"FROM", "IN"}:
            frame.naming = False
            self.found.throwaways.add(index)

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
        inner = Frame(start=True, inside_cte=frame.inside_cte)
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
        self.frame = Frame(start=True)


_NESTABLE: Final = ROW_CHANGES | {"SELECT", "VALUES", "WITH", "TABLE"}
_OPEN_ENDED: Final = frozenset({"EXPLAIN"})
"""Operations behind which a statement may still start, whatever options come first."""
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
