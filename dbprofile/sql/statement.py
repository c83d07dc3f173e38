"""Statement: the shape of a piece of SQL, without its values, made once for each text."""

from functools import lru_cache
from typing import Final

from dbprofile.sql.cut import CutText
from dbprofile.sql.dialects import Dialect
from dbprofile.sql.fingerprint import canonical, digest, relation_names
from dbprofile.sql.marks import READ, WRITE, Structure
from dbprofile.sql.measurement import Measure, Position, Value, measure
from dbprofile.sql.shape import outline
from dbprofile.sql.structure import read_structure
from dbprofile.sql.summary import sanitize, summarize
from dbprofile.sql.tokens import Tokens, read_text, scan
from dbprofile.sql.traits import Traits, read_traits

__all__ = ["Measure", "Position", "Statement", "Traits", "Value", "measure"]

SHORT: Final = 1024
"""Bytes of a text that is cached with the many."""
LONG: Final = 8 * 1024
"""Bytes of a text that is cached with the few; longer ones are not."""
KEPT: Final = 16 * 1024
"""Characters of a text that is kept to make further texts from; of a longer one they are made at once."""


class Statement:
    """The shape of SQL: what remains of a text when its values are taken away. Statements are equal by fingerprint."""

    __slots__ = (
        "_dialect",
        "_paramstyle",
        "_sanitized",
        "_shape",
        "_sql",
        "_summary",
        "_traits",
        "fingerprint",
        "flags",
        "tables",
        "text",
        "verb",
        "written",
    )

    def __init__(self, sql: str, dialect: str | Dialect = "generic", paramstyle: str | None = None) -> None:
        tokens = scan(sql, dialect, paramstyle)
        structure = read_structure(tokens)
        self.text = canonical(tokens, structure)
        self.fingerprint = digest(self.text)
        self.verb = structure.verb
        relations = relation_names(tokens, structure)
        tables: dict[str, None] = {}
        written: dict[str, None] = {}
        for role, indexes in structure.marks:
            if role == READ or role == WRITE:
                name = ".".join([relations[index] for index in indexes])
                tables[name] = None
                if role == WRITE:
                    written[name] = None
        self.tables = tuple(tables)
        self.written = tuple(written)
        flags = {"truncated": tokens.truncated, "multi": structure.multiple, "locks": structure.locks}
        self.flags = frozenset(name for name, holds in flags.items() if holds)
        self._sql: str | None = sql
        self._dialect = dialect
        self._paramstyle = paramstyle
        self._sanitized: str | None = None
        self._summary: str | None = None
        self._shape: str | None = None
        self._traits: Traits | None = None
        if len(sql) > KEPT:
            self._make_all(tokens, structure)
            self._sql = None

    @staticmethod
    def of(sql: object, dialect: str | Dialect = "generic", paramstyle: str | None = None) -> "Statement":
        """The Statement of a text; never raises, and answers a text it has seen lately from a cache."""
        if type(sql) is str:
            size = len(sql) if sql.isascii() else 4 * len(sql)
            if size <= SHORT:
                return _short(sql, dialect, paramstyle)
            if size <= LONG:
                return _long(sql, dialect, paramstyle)
            return Statement(sql, dialect, paramstyle)
        if isinstance(sql, CutText):
            return Statement(sql, dialect, paramstyle)
        return Statement.of(read_text(sql), dialect, paramstyle)

    @classmethod
    def restored(
        cls, text: str, fingerprint: str, shape: str, *, verb: str = "", tables: tuple[str, ...] = ()
    ) -> "Statement":
        """The Statement of facts that were kept, equal to the one that they were taken from. What was not kept is read off its text."""
        statement = cls(text)
        statement.text, statement.fingerprint, statement._shape = text, fingerprint, shape
        statement.verb, statement.tables = verb or statement.verb, tables or statement.tables
        return statement

    def __eq__(self, other: object) -> bool:
        return self.fingerprint == other.fingerprint if isinstance(other, Statement) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"<Statement {self.fingerprint}: {self.text}>"

    @property
    def sanitized(self) -> str:
        """The text as written, with `?` for its literals and without its comments."""
        if self._sanitized is None:
            sanitized = sanitize(self._tokens())
            # Most statements hold no literal: one copy will do.
            self._sanitized = self._sql if sanitized == self._sql else sanitized
        return self._sanitized or ""

    @property
    def summary(self) -> str:
        """Operations and targets in the order and spelling of the text, at most 255 characters."""
        if self._summary is None:
            self._summary = summarize(self._tokens())
        return self._summary

    @property
    def shape(self) -> str:
        """What people read: verb, tables and conditions, without lists of columns."""
        if self._shape is None:
            self._shape = outline(self.text, self.verb)
        return self._shape

    @property
    def traits(self) -> Traits:
        """Facts about the outermost level: conditions, limits, aggregates, what the answer depends on."""
        if self._traits is None:
            self._traits = read_traits(self._tokens())
        return self._traits

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """What is pickled or copied holds no values: everything is made from the text, and the text is left out."""
        if self._sql is not None:
            tokens = self._tokens()
            self._make_all(tokens, read_structure(tokens))
        state = {name: getattr(self, name) for name in self.__slots__}
        return None, state | {"_sql": None}

    def _make_all(self, tokens: Tokens, structure: Structure) -> None:
        self._sanitized = sanitize(tokens, KEPT)
        self._summary = summarize(tokens, structure)
        self._shape = outline(self.text, self.verb)
        self._traits = read_traits(tokens, structure)

    def _tokens(self) -> Tokens:
        return scan(self._sql or "", self._dialect, self._paramstyle)


_short = lru_cache(maxsize=4096)(Statement)
_long = lru_cache(maxsize=512)(Statement)
