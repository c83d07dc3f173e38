"""Traits: what rules ask of a statement beyond its tables, read off its tokens on first use."""

from itertools import pairwise
from typing import Final, NamedTuple

from dbprofile.sql.fingerprint import respelled
from dbprofile.sql.folding import fold
from dbprofile.sql.kinds import KEYWORD, NAME, QUOTED, RELATION, STRING, is_value
from dbprofile.sql.marks import Structure
from dbprofile.sql.structure import read_structure
from dbprofile.sql.tokens import Tokens
from dbprofile.sql.words import ROW_CHANGES, SET_OPERATORS


class Traits(NamedTuple):
    """Facts about the outermost level of a statement."""

    has_where: bool
    has_limit: bool
    has_offset: bool
    has_comparison: bool
    """It compares with `<`, `>` or `BETWEEN`, outside sub-selects."""
    aggregate_only: bool
    """Every output is an aggregate, and nothing is grouped: the answer is one row."""
    key_columns: tuple[str, ...]
    """The columns of a `WHERE` that is nothing but `column = ?` joined by `AND`; else empty."""
    volatile: bool
    """It calls a function whose answer changes by itself."""
    tail: str
    """The canonical text of the outermost `SELECT` from `FROM` to the end of its `WHERE`."""


_AGGREGATES: Final = frozenset({"avg", "count", "EXISTS", "max", "min", "sum"})
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "BETWEEN"})
_AFTER_WHERE: Final = SET_OPERATORS | frozenset("FETCH FOR GROUP HAVING LIMIT OFFSET ORDER RETURNING WINDOW".split())
_VOLATILE: Final = frozenset(
    """
    benchmark changes clock_timestamp connection_id curdate currval curtime found_rows gen_random_uuid get_lock getdate
    getutcdate is_free_lock last_insert_id last_insert_rowid lastval localtime localtimestamp newid newsequentialid
    nextval now pg_advisory_lock pg_advisory_unlock pg_advisory_xact_lock pg_current_xact_id pg_sleep
    pg_try_advisory_lock pg_try_advisory_xact_lock rand random random_bytes randomblob release_lock row_count setseed
    setval sleep statement_timestamp sys_guid sysdate sysdatetime systimestamp timeofday total_changes
    transaction_timestamp txid_current unix_timestamp utc_date utc_time utc_timestamp uuid uuid_generate_v1
    uuid_generate_v1mc uuid_generate_v4 uuid_short uuid_to_bin uuidv4 uuidv7
    """.split()
)
_VOLATILE_WORDS: Final = frozenset(
    "current_date current_time current_timestamp localtime localtimestamp sysdate systimestamp".split()
)
"""Functions that are called without brackets."""
_CLOCKS: Final = frozenset("date datetime julianday strftime time timediff unixepoch".split())
"""SQLite's: they tell the time when asked for `'now'`, or for nothing."""


def read_traits(tokens: Tokens, structure: Structure | None = None) -> Traits:
    """The traits of a text."""
    kinds, spellings = respelled(tokens, structure or read_structure(tokens))
    outline = _Outermost(kinds, spellings)
    return Traits(
        has_where=outline.where >= 0,
        has_limit="LIMIT" in outline.words or _is_fetch(outline.words),
        has_offset="OFFSET" in outline.words,
        has_comparison=outline.compares,
        aggregate_only=outline.is_aggregate(),
        key_columns=outline.key_columns(),
        volatile=_is_volatile(tokens),
        tail=outline.tail(),
    )


def _is_fetch(words: list[str]) -> bool:
    return any(one == "FETCH" and other in {"first", "next"} for one, other in pairwise(words))


class _Outermost:
    """The clauses of the outermost statement: where each starts among the tokens."""

    def __init__(self, kinds: list[int], spellings: list[str]) -> None:
        self.kinds = kinds
        self.spellings = spellings
        self.select = self.source = self.where = -1
        self.end = len(spellings)  # of the WHERE, or of the FROM where there is none
        self.words: list[str] = []  # the tokens that stand in no bracket
        self.compares = False
        self._read()

    def _read(self) -> None:
        levels: list[bool] = []  # of each open bracket: whether it is a sub-select, or within one
        changes = False
        for index, spelling in enumerate(self.spellings):
            if spelling == "(":
                following = self.spellings[index + 1] if index + 1 < len(self.spellings) else ""
                levels.append(bool(levels and levels[-1]) or following in {"SELECT", "WITH", "VALUES"})
            elif spelling == ")":
                if levels:
                    levels.pop()
            elif spelling in _COMPARISONS and not (levels and levels[-1]):
                self.compares = True
            if levels or spelling == ")":
                continue
            self.words.append(spelling)
            if self.kinds[index] != KEYWORD:
                continue
            if spelling == "SELECT" and self.select < 0 and not changes:
                self.select = index
            elif spelling in ROW_CHANGES:
                changes = True
            elif spelling == "FROM" and self.select >= 0 and self.source < 0:
                self.source = index
            elif spelling == "WHERE" and self.where < 0:
                self.where = index
            elif spelling in _AFTER_WHERE and (self.source >= 0 or self.where >= 0):
                self.end = min(self.end, index)

    def tail(self) -> str:
        if self.source < 0:
            inner = self._inside_exists()
            return inner.tail() if inner else ""
        return fold(self.kinds[self.source : self.end], self.spellings[self.source : self.end])

    def _inside_exists(self) -> "_Outermost | None":
        """What `SELECT EXISTS (…)` asks: its own outputs say nothing."""
        start = self.select + 1
        if self.select < 0 or self.spellings[start : start + 2] != ["EXISTS", "("]:
            return None
        depth = 0
        for index in range(start + 1, len(self.spellings)):
            depth += (self.spellings[index] == "(") - (self.spellings[index] == ")")
            if not depth:
                return _Outermost(self.kinds[start + 2 : index], self.spellings[start + 2 : index])
        return None

    def key_columns(self) -> tuple[str, ...]:
        if self.where < 0:
            return ()
        start, end = self.where + 1, self.end
        if end <= start:
            return ()
        terms: list[list[int]] = [[]]
        for index in range(start, end):
            spelling = self.spellings[index]
            if spelling == "AND":
                terms.append([])
            elif spelling != ")" and (spelling != "(" or terms[-1]):
                terms[-1].append(index)
        columns = [self._key_column(term) for term in terms]
        return tuple(columns) if all(columns) else ()

    def _key_column(self, term: list[int]) -> str:
        """The column of `column = ?` or `? = column`, or an empty text."""
        spellings = [self.spellings[index] for index in term]
        if spellings.count("=") != 1:
            return ""
        sign = spellings.index("=")
        for column, value in ((term[:sign], term[sign + 1 :]), (term[sign + 1 :], term[:sign])):
            if len(value) == 1 and is_value(self.kinds[value[0]]) and self._is_column(column):
                return "".join(self.spellings[index] for index in column)
        return ""

    def _is_column(self, indexes: list[int]) -> bool:
        return len(indexes) % 2 == 1 and all(
            self.spellings[index] == "." if at % 2 else self.kinds[index] in {NAME, QUOTED, RELATION}
            for at, index in enumerate(indexes)
        )

    def is_aggregate(self) -> bool:
        """Whether the outputs are calls of aggregates, each with an alias at most."""
        if self.select < 0 or "GROUP" in self.words:
            return False
        end = self.source if self.source >= 0 else len(self.spellings)
        outputs: list[list[str]] = [[]]
        depth = 0
        for spelling in self.spellings[self.select + 1 : end]:
            if spelling == "(":
                depth += 1
                if depth == 1:
                    outputs[-1].append("()")
            elif spelling == ")":
                depth -= 1
            elif not depth and spelling == ",":
                outputs.append([])
            elif not depth:
                outputs[-1].append(spelling)
        return all(_is_aggregate(output) for output in outputs)


def _is_aggregate(output: list[str]) -> bool:
    if len(output) < 2 or output[0] not in _AGGREGATES or output[1] != "()":
        return False
    rest = output[2:]
    if rest[:2] == ["filter", "()"]:
        rest = rest[2:]
    if rest[:1] == ["AS"]:
        return len(rest) == 2
    return len(rest) == 0 or (len(rest) == 1 and rest[0] != "OVER")


def _is_volatile(tokens: Tokens) -> bool:
    kinds, spellings = tokens.kinds, tokens.spellings
    for index, kind in enumerate(kinds):
        if kind != NAME or (index and spellings[index - 1] == "." and spellings[index + 1 : index + 2] != ["("]):
            continue
        spelling = spellings[index]
        if spelling in _VOLATILE_WORDS:
            return True
        if spellings[index + 1 : index + 2] != ["("]:
            continue
        if spelling in _VOLATILE or (spelling in _CLOCKS and _asks_for_now(tokens, index + 2)):
            return True
    return False


def _asks_for_now(tokens: Tokens, start: int) -> bool:
    """Whether the arguments that start there are none, or the word `'now'` is among the first two."""
    if tokens.spellings[start : start + 1] == [")"]:
        return True
    return any(
        tokens.text[tokens.starts[index] : tokens.ends[index]].lower() == "'now'"
        for index in range(start, min(start + 3, len(tokens.kinds)))
        if tokens.kinds[index] == STRING
    )
