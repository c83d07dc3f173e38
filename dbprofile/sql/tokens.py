"""The scanner: text to Tokens, left to right, every character consumed, in time linear in the length of the text."""

import re
from functools import lru_cache
from typing import Final

from dbprofile.sql.cut import CutText
from dbprofile.sql.dialects import Dialect, known_dialect
from dbprofile.sql.kinds import (
    BOOLEAN,
    CODE_END,
    COMMENT,
    EITHER,
    FOLDED,
    HINT,
    KEYWORD,
    NAME,
    NESTED_COMMENT,
    NULL,
    OPERATOR,
    PARAMETER,
    PUNCTUATION,
    QUOTED,
    SIGN,
    STRING,
    UNKNOWN,
)
from dbprofile.sql.patterns import COMMENT_MARKS, SPACES, Lexicon, lexicon
from dbprofile.sql.words import KEYWORDS

LONGEST_TEXT: Final = 4 * 1024 * 1024
"""Characters beyond which only a head of the text is scanned."""
HEAD: Final = 64 * 1024
"""Characters scanned of a text longer than that."""
MOST_STEPS: Final = 100_000
"""Tokens and comments after which scanning stops."""
DEEPEST: Final = 100
"""Brackets nested deeper are ordinary tokens to whoever reads the tokens."""

PARAMSTYLES: Final = frozenset({"qmark", "numeric", "named", "format", "pyformat", "numeric_dollar"})

_RESERVED: Final = KEYWORDS | {"TRUE", "FALSE"}
_LOWER: Final = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_WORDS: Final[dict[str, tuple[int, str]]] = {word.lower(): (KEYWORD, word) for word in KEYWORDS} | {
    "null": (NULL, "NULL"),
    "true": (BOOLEAN, "?"),
    "false": (BOOLEAN, "?"),
}
_CLOSING: Final = {"[": "]", "{": "}", "(": ")", "<": ">"}
_BARE: Final = re.compile(r"[a-z_][a-z0-9_$]*+")
_OPERATORS: Final = {"<>": "!=", "==": "="}
_BEFORE_VALUE: Final = frozenset({"=", "!=", "<", ">", "<=", ">=", "LIKE", "THEN", "ELSE"})


class Tokens:
    """The tokens of a text as parallel lists, without white space and comments."""

    __slots__ = ("comments", "dialect", "ends", "kinds", "lexicon", "spellings", "starts", "text", "truncated")

    def __init__(self, text: str, dialect: Dialect, patterns: Lexicon) -> None:
        self.text = text
        """The text as far as it was read."""
        self.dialect = dialect
        self.lexicon = patterns
        self.kinds: list[int] = []
        """What each token is, of `dbprofile.sql.kinds`."""
        self.spellings: list[str] = []
        """Canonical: keywords in capitals, names by one spelling, `?` for every literal and parameter."""
        self.starts: list[int] = []
        self.ends: list[int] = []
        """Offsets in `text`."""
        self.comments: list[tuple[int, int]] = []
        """Start and end of each comment."""
        self.truncated = False
        """The text ends inside a string or comment, or was too long to be read whole."""

    def add(self, kind: int, spelling: str, start: int, end: int) -> None:
        """Append one token."""
        self.kinds.append(kind)
        self.spellings.append(spelling)
        self.starts.append(start)
        self.ends.append(end)


def read_text(sql: object) -> str:
    """The text of whatever a driver was given; bytes are UTF-8, what is not is replaced."""
    if isinstance(sql, bytes | bytearray | memoryview):
        return bytes(sql).decode("utf-8", "replace")
    # Of a subclass the plain text: Django's safe strings are their own `str()`.
    return str.__str__(sql if isinstance(sql, str) else str(sql))


def lower_name(word: str) -> str:
    """A word with its ASCII letters lower-cased: other letters depend on the Unicode tables of the Python that runs."""
    return word.lower() if word.isascii() else word.translate(_LOWER)


def scan(text: str, dialect: str | Dialect = "generic", paramstyle: str | None = None, *, fast: bool = True) -> Tokens:
    """Split a text into tokens.

    `fast=False` takes lists of literals value by value; the canonical text is the same either way.
    """
    record = known_dialect(dialect)
    patterns = lexicon(record, paramstyle if paramstyle in PARAMSTYLES else None)
    too_long = len(text) > LONGEST_TEXT
    tokens = Tokens(text[:HEAD] if too_long else text, record, patterns)
    tokens.truncated = too_long or isinstance(text, CutText)
    _scan(tokens, fast)
    return tokens


def _scan(tokens: Tokens, fast: bool) -> None:
    # One long function: this is the hot loop, and a call for each kind of token would double its time.
    text = tokens.text
    length = len(text)
    match = tokens.lexicon.match.match
    group_kinds = tokens.lexicon.kinds
    formatted = tokens.lexicon.formatted
    known = _WORDS.get
    all_kinds, spellings, starts, ends = tokens.kinds, tokens.spellings, tokens.starts, tokens.ends
    brackets = _ValueBrackets(spellings) if tokens.dialect.double_quote == "either" else None
    open_code = 0
    whole = length  # of the text, while `length` is the end of the hint that is being read
    position = _skip(text, 0)
    for _ in range(MOST_STEPS):
        if position >= length:
            if length == whole:
                break
            tokens.add(HINT, "*/", length, length + 2)
            position = _skip(text, length + 2)
            length = whole
            continue
        found = match(text, position, length)
        if found is None:  # pragma: no cover - the last alternative takes any character
            break
        start = position
        group = found.lastindex or 0
        kind = group_kinds[group]
        end = found.start(group)
        position = found.end()
        if kind == NAME:
            spelling = lower_name(text[start:end])
            keyword = known(spelling)
            if keyword is not None and not (spellings and spellings[-1] == "."):
                kind, spelling = keyword
        elif kind == PUNCTUATION or kind == SIGN:
            spelling = text[start:end]
            if brackets is not None:
                brackets.note(spelling)
        elif kind == QUOTED or kind == EITHER:
            if end == length and found.start(group - 1) == length:
                tokens.truncated = True
                kind, spelling = UNKNOWN, "?"
            elif brackets is not None and kind == EITHER and brackets.expect_value(text, position):
                kind, spelling = STRING, "?"
            else:
                kind, spelling = QUOTED, quoted_name(text[start:end])
        elif kind <= PARAMETER:
            spelling = "?"
            if end == length and kind == STRING and found.start(group - 1) == length:
                tokens.truncated = True
        elif kind == OPERATOR:
            spelling = text[start:end]
            spelling = _OPERATORS.get(spelling, spelling)
            if formatted and "%%" in spelling:
                spelling = spelling.replace("%%", "%")
        elif kind == COMMENT or kind == NESTED_COMMENT or (kind == HINT and length < whole):
            if kind != COMMENT:
                end = _end_of_comment(tokens, start, length)
                position = _skip(text, end)
            elif end == length and found.start(group - 1) == length:
                tokens.truncated = True
            tokens.comments.append((start, end))
            continue
        elif kind == HINT and text[start:end] == "/*+":
            close = _end_of_comment(tokens, start, length)
            if not _is_hint(text, start, close):
                tokens.comments.append((start, close))
                position = _skip(text, close)
                continue
            length = close - 2
            spelling = "/*+"
        elif kind == HINT:
            open_code += 1
            spelling = text[start:end].rstrip("0123456789")
        elif kind == CODE_END:
            if open_code:
                open_code -= 1
                kind, spelling = HINT, "*/"
            else:
                kind, spelling, end = OPERATOR, "*", start + 1
                position = end
        else:
            kind, spelling, end = STRING, "?", _end_of_quote(tokens, start, end, length)
            position = _skip(text, end)
        all_kinds.append(kind)
        spellings.append(spelling)
        starts.append(start)
        ends.append(end)
        if fast and kind == KEYWORD and (spelling == "IN" or spelling == "VALUES"):
            position = _fold(tokens, spelling, position, length)
    if position < whole or open_code:
        tokens.truncated = True


def _skip(text: str, position: int) -> int:
    found = SPACES.match(text, position)
    return found.end() if found else position


def _fold(tokens: Tokens, word: str, position: int, length: int) -> int:
    """Take a list of simple values in one step if there is nothing else up to where it must end."""
    patterns = tokens.lexicon
    if word == "VALUES":
        found = patterns.rows.match(tokens.text, position, length)
        if found:
            tokens.add(FOLDED, "(?+)", position, found.end(1))
            return found.end()
        return position
    found = patterns.values.match(tokens.text, position, length)
    spelling = "?+"
    if not found:
        found = patterns.value_rows.match(tokens.text, position, length)
        spelling = "(?+)"
    if not found:
        return position
    closing = found.end(1)
    tokens.add(PUNCTUATION, "(", position, position + 1)
    tokens.add(FOLDED, spelling, found.start(1), closing)
    tokens.add(PUNCTUATION, ")", closing, closing + 1)
    return found.end()


def _end_of_comment(tokens: Tokens, start: int, length: int) -> int:
    """The end of a comment, nested where the dialect nests them; the end of the text where it is not closed."""
    depth = 0
    for mark in COMMENT_MARKS.finditer(tokens.text, start, length):
        if mark[0] == "/*":
            depth += 1
        elif depth == 1 or not tokens.dialect.nested_comments:
            return mark.end()
        else:
            depth -= 1
    tokens.truncated = True
    return length


def _is_hint(text: str, start: int, end: int) -> bool:
    """Whether a comment that looks like a hint can be read as code: closed, and every quote in it too."""
    return text.endswith("*/", start + 3, end) and not any(text.count(quote, start, end) % 2 for quote in "'\"`")


def _end_of_quote(tokens: Tokens, start: int, end: int, length: int) -> int:
    """The end of a quote that names its own terminator, `$tag$` or `q'[`."""
    opening = tokens.text[start:end]
    terminator = opening if opening[0] == "$" else _CLOSING.get(opening[-1], opening[-1]) + "'"
    closing = tokens.text.find(terminator, end, length)
    if closing < 0:
        tokens.truncated = True
        return length
    return closing + len(terminator)


class _ValueBrackets:
    """Which open brackets list values: there SQLite takes `"abc"` for a string."""

    __slots__ = ("_last", "_open", "_spellings")

    def __init__(self, spellings: list[str]) -> None:
        self._spellings = spellings
        self._open: list[bool] = []
        self._last = False

    def note(self, mark: str) -> None:
        """Take notice of a bracket that comes next."""
        if mark == "(":
            before = self._spellings[-1] if self._spellings else ""
            self._open.append(before in {"IN", "VALUES"} or (before in {"(", ","} and self._is_row(before)))
        elif mark == ")" and self._open:
            self._last = self._open.pop()

    def _is_row(self, before: str) -> bool:
        if self._open and self._open[-1]:
            return True
        if before == "(" or len(self._spellings) < 2:
            return False
        return self._spellings[-2] == "(?+)" or (self._spellings[-2] == ")" and self._last)

    def expect_value(self, text: str, after: int) -> bool:
        """Whether a double-quoted token stands where only a value can; `after` is where the next token starts."""
        if text.startswith(".", after) or not self._spellings:
            return False
        before = self._spellings[-1]
        return before in _BEFORE_VALUE or (before in {"(", ","} and bool(self._open) and self._open[-1])


@lru_cache(maxsize=1024)
def quoted_name(written: str) -> str:
    """The canonical spelling of a quoted identifier: bare if the quotes change nothing, else in double quotes."""
    quote = written[-1]
    name = written[written.index("[" if quote == "]" else quote) + 1 : -1]
    if quote != "]":
        name = name.replace(quote * 2, quote)
    if _BARE.fullmatch(name) and name.upper() not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'
