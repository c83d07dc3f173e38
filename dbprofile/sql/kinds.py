"""The kinds of token, as plain integers: literals lie together, names too, so that a comparison tells them."""

from typing import Final

NAME: Final = 0
QUOTED: Final = 1
KEYWORD: Final = 2
NUMBER: Final = 3
STRING: Final = 4
BOOLEAN: Final = 5
UNKNOWN: Final = 6
"""A run of characters that means nothing in the dialect, or a quoted identifier that is not closed."""
PARAMETER: Final = 7
NULL: Final = 8
FOLDED: Final = 9
"""A whole list of simple values, or the rows behind `VALUES`, taken in one step."""
PUNCTUATION: Final = 10
OPERATOR: Final = 11
SIGN: Final = 12
HINT: Final = 13
"""The opening or closing marker of a comment whose content is code."""
RELATION: Final = 14
"""In the making of the canonical text: a name that denotes a table."""

# What follows is known to the scanner only: these never become tokens under this number.
EITHER: Final = 20
"""A double-quoted token that is a name or a string, depending on where it stands."""
COMMENT: Final = 21
NESTED_COMMENT: Final = 22
CODE_END: Final = 23
DOLLAR_QUOTE: Final = 24
CUSTOM_QUOTE: Final = 25
END: Final = 26


def is_name(kind: int) -> bool:
    """Whether a token of this kind is an identifier."""
    return kind <= QUOTED


def is_value(kind: int) -> bool:
    """Whether a token of this kind is one literal or parameter, `NULL` included."""
    return NUMBER <= kind <= NULL
