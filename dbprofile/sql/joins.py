"""Tables of one FROM that no condition joins: each row of one is delivered with each row of the others."""

from functools import lru_cache
from typing import Final, TypeAlias

from dbprofile.sql.fingerprint import respelled
from dbprofile.sql.kinds import KEYWORD, NAME, QUOTED, RELATION
from dbprofile.sql.structure import read_structure
from dbprofile.sql.tokens import scan
from dbprofile.sql.words import SET_OPERATORS

__all__ = ["unjoined"]

_Token: TypeAlias = tuple[int, str]
_AFTER: Final = frozenset("FETCH FOR GROUP HAVING LIMIT OFFSET ORDER WINDOW".split())
_NAMES: Final = frozenset({NAME, QUOTED, RELATION})
#: What a name stands behind that is no column: an alias, a type.
_NO_COLUMN: Final = frozenset({"AS", "::"})


@lru_cache(maxsize=512)
def unjoined(sql: str, dialect: str = "generic", paramstyle: str | None = None) -> tuple[str, ...]:
    """A table of each part of the outermost ``FROM a, b`` that nothing compares with the other parts; empty where all are joined.

    An explicit JOIN, a CROSS JOIN too, is somebody's word. Where an item is no table, or a column is named without its own, nothing
    is said.
    """
    tokens = scan(sql, dialect, paramstyle)
    structure = read_structure(tokens)
    if structure.verb != "SELECT" or structure.multiple:
        return ()
    kinds, spellings = respelled(tokens, structure)
    items, condition = _clauses(list(zip(kinds, spellings, strict=True)))
    if len(items) < 2 or not all(item and item[0][0] == RELATION for item in items) or _names_bare(condition):
        return ()
    owners = {name: number for number, item in enumerate(items) for name in _named(item)}
    parts = list(range(len(items)))
    for term in [*items, *_terms(condition)]:
        met = sorted({parts[owners[name]] for name in _qualifiers(term) if name in owners})
        parts = [met[0] if part in met else part for part in parts]
    firsts = [parts.index(part) for part in dict.fromkeys(parts)]
    return tuple(_table(items[number]) for number in firsts) if len(firsts) > 1 else ()


def _clauses(tokens: list[_Token]) -> tuple[list[list[_Token]], list[_Token]]:
    """The items between the commas of the outermost FROM, and its WHERE."""
    items: list[list[_Token]] = []
    condition: list[_Token] = []
    depth = 0
    for kind, spelling in tokens:
        depth += (spelling == "(") - (spelling == ")")
        if kind == KEYWORD and not depth:
            if spelling in SET_OPERATORS:
                return [], []  # each half has a FROM of its own
            if spelling == "FROM" and not items:
                items = [[]]
                continue
            if spelling in _AFTER and items:
                break
        if condition or (spelling == "WHERE" and not depth and items):
            condition.append((kind, spelling))
        elif items and spelling == "," and not depth:
            items.append([])
        elif items:
            items[-1].append((kind, spelling))
    return items, condition[1:]


def _table(item: list[_Token]) -> str:
    """The name that stands first, with its schema."""
    end = next((index for index, (_, spelling) in enumerate(item[1:], 1) if index % 2 and spelling != "."), len(item))
    return "".join(spelling for _, spelling in item[:end])


def _named(item: list[_Token]) -> set[str]:
    """Tables and aliases: whatever stands there for itself."""
    return {spelling for kind, spelling, _, after in _beside(item) if kind in _NAMES and after != "."}


def _qualifiers(term: list[_Token]) -> set[str]:
    """What stands before the dot of a column."""
    return {spelling for kind, spelling, _, after in _beside(term) if kind in _NAMES and after == "."}


def _names_bare(condition: list[_Token]) -> bool:
    """Whether a column is named without its table; aliases, types, functions and the tables of sub-selects are none."""
    before_kind = -1
    for kind, _, before, after in _beside(condition):
        alone = kind in {NAME, QUOTED} and before != "." and after not in {".", "("}
        if alone and before not in _NO_COLUMN and before_kind != RELATION:
            return True
        before_kind = kind
    return False


def _beside(tokens: list[_Token]) -> list[tuple[int, str, str, str]]:
    """Each token between its neighbours."""
    spellings = ["", *(spelling for _, spelling in tokens), ""]
    return [(kind, spelling, spellings[at], spellings[at + 2]) for at, (kind, spelling) in enumerate(tokens)]


def _terms(condition: list[_Token]) -> list[list[_Token]]:
    """What the outermost ANDs of a condition hold together; that of a BETWEEN parts nothing."""
    terms: list[list[_Token]] = [[]]
    depth = 0
    between = False
    for kind, spelling in condition:
        depth += (spelling == "(") - (spelling == ")")
        if spelling == "BETWEEN" and not depth:
            between = True
        if spelling == "AND" and not depth:
            if not between:
                terms.append([])
                continue
            between = False
        terms[-1].append((kind, spelling))
    return terms
