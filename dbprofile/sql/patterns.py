"""The compiled patterns of the scanner: one alternation for each dialect and paramstyle, built when first asked for.

Each alternative ends in an empty group. Its number tells which alternative matched, its position where the token ends;
the white space behind the token is consumed with it. Three habits keep the time linear: whatever looks for a terminator
accepts the end of the text in its place (and says so in the group before its own), quantifiers are possessive, and an
alternative that can fail looks at a bounded number of characters first.
"""

import re
from functools import lru_cache
from typing import Final, NamedTuple

from dbprofile.sql import kinds
from dbprofile.sql.dialects import Dialect

SPACE: Final = r"[\s\x00-\x1f\x7f\ufeff]"
# Negated, so that every letter of every script is in it; `$` may continue a word but not start one.
_NOT_WORD: Final = r"\x00-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f\s\ufeff"
_PART: Final = rf"[^{_NOT_WORD}]"
_START: Final = rf"[^{_NOT_WORD}$]"
_LETTER: Final = rf"[^{_NOT_WORD}$0-9]"
_WORD: Final = rf"{_START}{_PART}*+"
_NAME: Final = rf"{_LETTER}{_PART}*+"

_PLAIN: Final = r"'[^']*+(?:''[^']*+)*+(?:'|(\Z))"
_ESCAPED: Final = r"'[^'\\]*+(?:(?:''|\\.?)[^'\\]*+)*+(?:'|(\Z))"
# PostgreSQL goes on with a string behind a line break, and escapes in the later parts as in the first.
_CONTINUED: Final = _ESCAPED.replace("''", rf"''|'[ \t\f]*+[\n\r]{SPACE}*+'")
_ESCAPED_DOUBLE: Final = _ESCAPED.replace("'", '"')
_DOUBLE: Final = r'"[^"]*+(?:""[^"]*+)*+(?:"|(\Z))'
_BACKTICKED: Final = r"`[^`]*+(?:``[^`]*+)*+(?:`|(\Z))"
_BRACKETED: Final = rf"\[(?={_LETTER})[^\[\]'\"`,\n\r]{{1,128}}+\]"

_DECIMAL: Final = r"[0-9]++"
_GROUPED: Final = r"[0-9]++(?:_[0-9]++)*+"
_EXPONENT: Final = r"[eE][+-]?[0-9]++"
_FORMATTED: Final = frozenset({None, "format", "pyformat"})


class Lexicon(NamedTuple):
    """What the scanner asks of one dialect and paramstyle."""

    match: "re.Pattern[str]"
    """Matches one token and the white space behind it, at any position but the end."""
    kinds: tuple[int, ...]
    """The kind of token for each group number."""
    values: "re.Pattern[str]"
    """Behind `IN`: a bracket of simple values; group 1 is its inside."""
    value_rows: "re.Pattern[str]"
    """Behind `IN`: a bracket of rows of simple values; group 1 is its inside."""
    rows: "re.Pattern[str]"
    """Behind `VALUES`: rows of simple values; group 1 is all of them."""
    formatted: bool
    """A percent sign is written twice."""
    value: "re.Pattern[str]"
    """One simple value; group 1 is set if it is a parameter."""


@lru_cache(maxsize=64)
def lexicon(dialect: Dialect, paramstyle: str | None) -> Lexicon:
    """The patterns of a dialect and paramstyle; compiling them takes some milliseconds, once."""
    alternatives = _alternatives(dialect, paramstyle)
    group_kinds = [kinds.END]
    for kind, pattern in alternatives:
        group_kinds += [kind] * (pattern.count(r"(\Z)") + 1)
    scanner = "|".join(f"{pattern}()" for _, pattern in alternatives)
    parameter = "|".join(_parameters(dialect, paramstyle)) or r"(?!)"
    # A string with anything to think about in it is left to the scanner, and so is a cast to a type of several words.
    value = rf"(?:[+-]?[0-9]++(?:\.[0-9]*+)?+(?:{_EXPONENT})?+|'[^'\\]*+'|({parameter}))"
    cast = r"(?:::(?!(?:[iI][nN]|[vV][aA][lL][uU][eE][sS])[^A-Za-z0-9_])[A-Za-z_][A-Za-z0-9_]*+(?:\([0-9]++\))?+(?:\[\])?+)?+"
    item = value.replace(f"({parameter})", parameter) + cast + f"{SPACE}*+"
    items = f"{item}(?:,{SPACE}*+{item})*+"
    row = rf"\({SPACE}*+{items}\){SPACE}*+"
    rows = f"{row}(?:,{SPACE}*+{row})*+"
    return Lexicon(
        _compiled(f"(?:{scanner}){SPACE}*+"),
        tuple(group_kinds),
        _compiled(rf"\({SPACE}*+({items})\){SPACE}*+"),
        _compiled(rf"\({SPACE}*+({rows})\){SPACE}*+"),
        _compiled(f"({rows})"),
        paramstyle in _FORMATTED,
        _compiled(value + cast),
    )


SPACES: Final = re.compile(f"{SPACE}*+")
COMMENT_MARKS: Final = re.compile(r"/\*|\*/")


def _compiled(pattern: str) -> "re.Pattern[str]":
    return re.compile(pattern, re.DOTALL)


def _alternatives(dialect: Dialect, paramstyle: str | None) -> list[tuple[int, str]]:
    """Kind and pattern of each alternative, the frequent ones first where the order is free."""
    placeholders = "|".join(_parameters(dialect, paramstyle))
    alternatives = [
        # Nearly every word; one glued to a quote may be the prefix of a string, and comes again below.
        (kinds.NAME, rf"{_NAME}(?!['\"&])"),
        (kinds.PUNCTUATION, r"[(),;\]]"),
        *_strings(dialect),
        *_comments(dialect),
        *((kinds.NUMBER, pattern) for pattern in _numbers(dialect)),
        (kinds.NAME, _WORD),
        (kinds.PARAMETER, f"(?:{placeholders})") if placeholders else (kinds.PARAMETER, r"(?!)"),
        (kinds.PUNCTUATION, r"[.\[]"),
        (kinds.PUNCTUATION, "::"),
        (kinds.CODE_END, r"\*/"),
        *_operators(dialect, paramstyle),
        (kinds.UNKNOWN, r"[`\\]++"),
        # Unreachable unless a character was forgotten above; the scanner never stands still.
        (kinds.UNKNOWN, r"."),
    ]
    if dialect.at_sign == "word":
        alternatives.insert(0, (kinds.NAME, rf"@{{1,2}}{_WORD}"))
    return alternatives


def _strings(dialect: Dialect) -> list[tuple[int, str]]:
    string = _ESCAPED if dialect.backslashes else _PLAIN
    double = {
        "string": (kinds.STRING, _ESCAPED_DOUBLE),
        "either": (kinds.EITHER, _DOUBLE),
        "identifier": (kinds.QUOTED, _DOUBLE),
    }
    alternatives = [double[dialect.double_quote], (kinds.STRING, f"{dialect.string_prefixes}?{string}")]
    if dialect.escape_strings:
        alternatives.append((kinds.STRING, f"[eE]{_CONTINUED}"))
    if dialect.unicode_strings:
        alternatives.append((kinds.STRING, f"[uU]&{_PLAIN}"))
        alternatives.append((kinds.QUOTED, f"[uU]&{_DOUBLE}"))
    if dialect.custom_quotes:
        alternatives.append((kinds.CUSTOM_QUOTE, r"[nN]?[qQ]'[^\w\s']"))
    if dialect.dollar_quotes:
        alternatives.append((kinds.DOLLAR_QUOTE, rf"\$(?:[^{_NOT_WORD}$0-9][^{_NOT_WORD}$]*+)?+\$"))
    if dialect.backticks:
        alternatives.append((kinds.QUOTED, _BACKTICKED))
    if dialect.square_brackets:
        alternatives.append((kinds.QUOTED, _BRACKETED))
    return alternatives


def _comments(dialect: Dialect) -> list[tuple[int, str]]:
    rest = r"[^\n\r]*+" if dialect.carriage_returns else r"[^\n]*+"
    alternatives = [(kinds.COMMENT, rf"--(?={SPACE}|\Z){rest}" if dialect.spaced_dashes else f"--{rest}")]
    if dialect.hash_comments:
        alternatives.append((kinds.COMMENT, f"#{rest}"))
    if dialect.hints:
        alternatives.append((kinds.HINT, r"/\*\+"))
    if dialect.code_comments:
        alternatives.append((kinds.HINT, r"/\*M?![0-9]{0,6}+"))
    if dialect.nested_comments:
        alternatives.append((kinds.NESTED_COMMENT, r"/\*"))
    else:
        alternatives.append((kinds.COMMENT, r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|(\Z))"))
    return alternatives


def _numbers(dialect: Dialect) -> list[str]:
    digits = _GROUPED if dialect.grouped_digits else _DECIMAL
    separator = "_?" if dialect.grouped_digits else ""
    bases = ["[xX](?:" + separator + "[0-9a-fA-F])++"]
    if dialect.octal_numbers:
        bases.append("[oO](?:" + separator + "[0-7])++")
    if dialect.binary_numbers:
        bases.append("[bB](?:" + separator + "[01])++")
    # Digits that run on into letters are a name, `2fa_code`; behind a point or a signed exponent they cannot be.
    return [
        rf"0(?:{'|'.join(bases)})(?!{_PART})",
        rf"{digits}\.(?:{digits})?+(?:{_EXPONENT})?+",
        rf"{digits}[eE][+-][0-9]++",
        rf"{digits}(?:[eE][0-9]++)?+(?!{_PART})",
        rf"\.(?<!{_PART}\.)(?<![\"`\]]\.){digits}(?:{_EXPONENT})?+",
    ]


def _parameters(dialect: Dialect, paramstyle: str | None) -> list[str]:
    """The forms of a parameter: of the paramstyle, or of all where it is unknown, and of the database itself."""
    unknown = paramstyle is None
    patterns = []
    if unknown:
        patterns += [rf"%s(?!{_PART})", r"%\([^()%\n]{1,256}+\)s"]
    elif paramstyle in {"format", "pyformat"}:
        # psycopg takes %b and %t besides, and drivers of either style know both spellings.
        patterns += [r"%[sbt]", r"%\([^()%\n]{1,256}+\)[sbt]"]
    if not dialect.question_operators or paramstyle == "qmark":
        patterns.append(r"\?[0-9]*+")
    if dialect.named_parameters or unknown or paramstyle in {"named", "numeric"}:
        patterns.append(rf"(?<![:\w$\]]):{_WORD}(?!:)")
    if dialect.dollar_parameters == "named":
        patterns.append(rf"\${_WORD}")
    elif dialect.dollar_parameters == "numbered" or unknown or paramstyle == "numeric_dollar":
        patterns.append(r"\$[0-9]++")
    if dialect.at_sign == "parameter":
        patterns.append(f"@{_WORD}")
    return patterns


def _operators(dialect: Dialect, paramstyle: str | None) -> list[tuple[int, str]]:
    formatted = paramstyle in _FORMATTED
    single = r"[=<>*/%|&^~!#@$:{}?]"
    if dialect.free_operators:
        # PostgreSQL's rule: the longest run, ended by a comment, with signs only inside it. A parameter ends it too.
        free = r"~!@#^&|<>=?" if dialect.question_operators and paramstyle != "qmark" else r"~!@#^&|<>="
        percent = r"%%|%(?![sbt(])" if formatted else "%"
        one = rf"(?:[{free}]|\*(?!/)|/(?!\*)|{percent})"
        forms = rf"->>?|-\|-|{one}(?:{one}|[+-](?=[{free}]))*+|{single}"
    else:
        forms = rf"->>?|<=>|<<|>>|<>|<=|>=|!=|==|\|\||&&|:=|{single}"
        forms = f"%%|{forms}" if formatted else forms
    return [(kinds.OPERATOR, f"(?:{forms})"), (kinds.SIGN, "[+-]")]
