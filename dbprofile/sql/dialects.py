"""Dialect: the lexical questions on which databases differ, and their answers for the four that are known."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Dialect:
    """How one database reads SQL text; `dataclasses.replace` makes one for a server with unusual settings."""

    name: str
    spaced_dashes: bool = False
    """`--` opens a comment only before white space, a control character or the end."""
    carriage_returns: bool = False
    """A carriage return ends a line comment too."""
    hash_comments: bool = False
    nested_comments: bool = False
    hints: bool = False
    """`/*+ … */` is code."""
    code_comments: bool = False
    """`/*! … */` and `/*M! … */` are code."""
    backslashes: bool = False
    """A backslash escapes in every string."""
    string_prefixes: str = r"[nN]"
    """Pattern of what may stand glued before a string."""
    escape_strings: bool = False
    """`E'…'` is a string in which a backslash escapes."""
    unicode_strings: bool = False
    """`U&'…'` and `U&"…"`."""
    custom_quotes: bool = False
    """`q'[…]'` with a delimiter of one's own."""
    dollar_quotes: bool = False
    double_quote: Literal["identifier", "string", "either"] = "identifier"
    """`either`: an identifier, but a string where only a value can stand."""
    backticks: bool = False
    square_brackets: bool = False
    """`[name]` is an identifier."""
    grouped_digits: bool = False
    """`1_000` is a number."""
    octal_numbers: bool = False
    binary_numbers: bool = False
    question_operators: bool = False
    """`?`, `?|`, `?&` are operators unless the paramstyle is `qmark`."""
    dollar_parameters: Literal["", "numbered", "named"] = ""
    named_parameters: bool = False
    """`:name` is a parameter of the database itself."""
    at_sign: Literal["operator", "word", "parameter"] = "operator"
    joined_strings: bool = False
    """Strings that stand side by side are one."""
    free_operators: bool = False
    """Operators are any run of operator characters, as extensions may define them."""


POSTGRESQL = Dialect(
    "postgresql",
    carriage_returns=True,
    nested_comments=True,
    hints=True,
    string_prefixes=r"[nNbBxX]",
    escape_strings=True,
    unicode_strings=True,
    dollar_quotes=True,
    grouped_digits=True,
    octal_numbers=True,
    binary_numbers=True,
    question_operators=True,
    dollar_parameters="numbered",
    joined_strings=True,
    free_operators=True,
)
MYSQL = Dialect(
    "mysql",
    spaced_dashes=True,
    hash_comments=True,
    hints=True,
    code_comments=True,
    backslashes=True,
    string_prefixes=r"(?:[nNbBxX]|_[A-Za-z0-9]++)",
    double_quote="string",
    backticks=True,
    binary_numbers=True,
    at_sign="word",
    joined_strings=True,
)
SQLITE = Dialect(
    "sqlite",
    string_prefixes=r"[nNxX]",
    double_quote="either",
    backticks=True,
    square_brackets=True,
    dollar_parameters="named",
    named_parameters=True,
    at_sign="parameter",
)
GENERIC = Dialect(
    "generic",
    string_prefixes=r"[nNbBxX]",
    custom_quotes=True,
    backticks=True,
    square_brackets=True,
    grouped_digits=True,
    octal_numbers=True,
    binary_numbers=True,
    dollar_parameters="numbered",
    at_sign="word",
)

_BY_NAME = {
    "postgresql": POSTGRESQL,
    "cockroachdb": POSTGRESQL,
    "redshift": POSTGRESQL,
    "mysql": MYSQL,
    "mariadb": MYSQL,
    "sqlite": SQLITE,
}

DIALECT_NAMES = (*_BY_NAME, GENERIC.name)
"""The names that mean something; every other is read as `generic`."""


def known_dialect(dialect: str | Dialect) -> Dialect:
    """The record for a name as SQLAlchemy, Django or a driver gives it; a name nobody knows is `GENERIC`."""
    return dialect if isinstance(dialect, Dialect) else _BY_NAME.get(dialect, GENERIC)
