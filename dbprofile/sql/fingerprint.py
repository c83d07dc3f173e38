"""The canonical text of a statement, and its hash."""

import re
from typing import Final

from dbprofile.sql.folding import fold
from dbprofile.sql.kinds import (
    KEYWORD,
    NULL,
    NUMBER,
    OPERATOR,
    PUNCTUATION,
    QUOTED,
    RELATION,
    SIGN,
    STRING,
    is_value,
)
from dbprofile.sql.marks import OBJECT, OPERATION, Structure
from dbprofile.sql.structure import read_structure
from dbprofile.sql.tokens import Tokens, lower_name

RULES_VERSION: Final = b"1"
"""Raised by every change of the rules that alters a canonical text: fingerprints of other rules never compare equal."""

_PARTITION: Final = re.compile(r'(?<=_)[0-9]{2,}+(?=_|"?\Z)')
_TYPE_WORDS: Final = {
    "double": ("precision",),
    "character": ("varying",),
    "bit": ("varying",),
    "national": ("character", "varying"),
}
_ZONED: Final = frozenset({"time", "timestamp"})


def digest(canonical_text: str) -> str:
    """16 hexadecimal digits, the same on every machine for the same canonical text."""
    # Loaded here: hashlib brings OpenSSL with it, a quarter of what importing this package would take.
    from hashlib import blake2b  # noqa: PLC0415

    data = RULES_VERSION + b"\0" + canonical_text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=8).hexdigest()


def canonical(tokens: Tokens, structure: Structure | None = None) -> str:
    """The one text of all statements that differ only in values, list lengths, spelling and comments."""
    structure = structure or read_structure(tokens)
    return fold(*respelled(tokens, structure))


def relation_names(tokens: Tokens, structure: Structure) -> dict[int, str]:
    """The canonical spelling of each token that is part of a table's name; numbered partitions share one."""
    names = {}
    for role, indexes in structure.marks:
        if role != OPERATION and role != OBJECT:
            for index in indexes:
                spelling = tokens.spellings[index]
                if tokens.kinds[index] == KEYWORD:
                    spelling = lower_name(spelling)
                names[index] = _PARTITION.sub("#", spelling) if "_" in spelling else spelling
    return names


def respelled(tokens: Tokens, structure: Structure) -> tuple[list[int], list[str]]:
    """Kinds and spellings after every rule that looks at a token and its neighbours only."""
    relations = relation_names(tokens, structure)
    renamed = {tokens.spellings[index]: name for index, name in relations.items() if name != tokens.spellings[index]}
    throwaways = structure.throwaways
    joined = tokens.dialect.joined_strings
    all_kinds, all_spellings = tokens.kinds, tokens.spellings
    kinds: list[int] = []
    spellings: list[str] = []
    resume = 0
    last = len(all_kinds)
    while last and all_spellings[last - 1] == ";":
        last -= 1
    for index in range(last):
        if index < resume:
            continue
        kind = all_kinds[index]
        spelling = all_spellings[index]
        if kind <= QUOTED:
            if index in relations:
                kind, spelling = RELATION, relations[index]
            elif index in throwaways:
                kind, spelling = NUMBER, "?"
            elif renamed and spelling in renamed:
                spelling = renamed[spelling]
        elif kind == KEYWORD:
            if index in relations:
                kind, spelling = RELATION, relations[index]
            elif spelling == "LIMIT" and _is_limit_pair(tokens, index):
                kinds += [KEYWORD, NUMBER, KEYWORD, NUMBER]
                spellings += ["LIMIT", "?", "OFFSET", "?"]
                resume = index + 4
                continue
        elif kind == NULL:
            if spellings and spellings[-1] in {"IS", "NOT"}:
                kind = KEYWORD
            else:
                spelling = "?"
        elif kind == STRING:
            if joined and index and all_kinds[index - 1] == STRING:
                continue
        elif kind == SIGN:
            if _belongs_to_number(tokens, index, kinds, spellings):
                continue
        elif kind == PUNCTUATION:
            if spelling == "::" and kinds and NUMBER <= kinds[-1] <= NULL:
                resume = _end_of_type(tokens, index + 1)
                if resume > index + 1:
                    continue
            elif spelling == ";" and not spellings:
                continue
        kinds.append(kind)
        spellings.append(spelling)
    return kinds, spellings


def _belongs_to_number(tokens: Tokens, index: int, kinds: list[int], spellings: list[str]) -> bool:
    """Whether a sign is part of the number behind it, because nothing before it could be subtracted from."""
    if index + 1 >= len(tokens.kinds) or tokens.kinds[index + 1] != NUMBER:
        return False
    if not kinds:
        return True
    before = kinds[-1]
    if before == PUNCTUATION:
        return spellings[-1] not in {")", "]"}
    return before in {OPERATOR, SIGN} or (before == KEYWORD and spellings[-1] not in {"END", "NULL"})


def _is_limit_pair(tokens: Tokens, index: int) -> bool:
    return (
        tokens.spellings[index + 2 : index + 3] == [","]
        and len(tokens.kinds) > index + 3
        and is_value(tokens.kinds[index + 1])
        and is_value(tokens.kinds[index + 3])
    )


def _end_of_type(tokens: Tokens, start: int) -> int:
    """The index behind the type whose name starts at `start`; the same index if there is none."""
    kinds, spellings = tokens.kinds, tokens.spellings
    count = len(kinds)
    if start >= count or kinds[start] > KEYWORD or spellings[start] in {"IN", "VALUES"}:
        return start
    at = start + 1
    while at + 1 < count and spellings[at] == "." and kinds[at + 1] <= KEYWORD:
        at += 2
    word = spellings[at - 1]
    for expected in _TYPE_WORDS.get(word, ()):
        if at < count and spellings[at] == expected:
            at += 1
    at = _end_of_size(tokens, at, "(", ")")
    if word in _ZONED and spellings[at + 1 : at + 3] == ["time", "zone"] and spellings[at] in {"WITH", "without"}:
        at += 3
    while at < count and spellings[at] == "[":
        end = _end_of_size(tokens, at, "[", "]")
        if end == at:
            break
        at = end
    return at


def _end_of_size(tokens: Tokens, at: int, opening: str, closing: str) -> int:
    """The index behind `(n, m)` or `[n]`, or the same index if something else stands there."""
    kinds, spellings = tokens.kinds, tokens.spellings
    if at >= len(kinds) or spellings[at] != opening:
        return at
    end = at + 1
    while end < min(len(kinds), at + 5) and (kinds[end] == NUMBER or spellings[end] == ","):
        end += 1
    return end + 1 if end < len(kinds) and spellings[end] == closing else at
