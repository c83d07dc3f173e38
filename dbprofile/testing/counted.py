"""What was sent, by statement and place, by kind, and by table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dbprofile.capture.callsite import CallSite
    from dbprofile.capture.query import Query
    from dbprofile.sql.statement import Statement

__all__ = ["KINDS", "Sent", "TableCounts", "matches_table", "table_name"]

#: Kinds of statements, by their verb.
KINDS: Final = ("select", "insert", "update", "delete", "other")
_READS: Final = frozenset({"SELECT", "WITH", "VALUES", "TABLE"})


@dataclass(frozen=True, eq=False)
class Sent:
    """One statement from one place: how often it was sent."""

    statement: Statement
    database: str
    site: CallSite | None
    """The innermost line of the application; ``None`` where there is none, or beyond what is kept in detail."""
    count: int
    queries: tuple[Query, ...] = ()
    """Empty beyond what is kept in detail."""

    @cached_property
    def kind(self) -> str:
        """``select``, ``insert``, ``update``, ``delete`` or ``other``."""
        verb = self.statement.verb
        if verb in _READS:
            return "select"
        return verb.lower() if verb.lower() in KINDS else "other"


class TableCounts(Mapping[str | type, int]):
    """Queries by table; a query counts for each table that it names.

    A key is a name without regard to case, where one without a schema matches in any; a Django model; or a mapped class. A
    table that no query names has 0.
    """

    def __init__(self, sent: Iterable[Sent]) -> None:
        self._sent = tuple(sent)

    def __getitem__(self, key: str | type) -> int:
        name = table_name(key)
        return sum(sent.count for sent in self._sent if matches_table(sent.statement, name))

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(table.lower() for sent in self._sent for table in sent.statement.tables))

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str | type) and self[key] > 0

    def __repr__(self) -> str:
        return repr({name: self[name] for name in self})


def table_name(key: str | type) -> str:
    """The name of the table that a key means: a name, a Django model or a class mapped by SQLAlchemy."""
    if isinstance(key, str):
        return key
    options = getattr(key, "_meta", None)
    name = getattr(options, "db_table", None) or getattr(getattr(key, "__table__", None), "fullname", None)
    if name is None:
        raise TypeError(
            f"{key!r} is no table: write its name, or give a Django model or a class that SQLAlchemy maps to one table"
        )
    return str(name)


def matches_table(statement: Statement, name: str) -> bool:
    """Whether a statement names a table, without regard to case; a name without a schema matches in any."""
    wanted = name.replace('"', "").lower()
    tables = [table.replace('"', "").lower() for table in statement.tables]
    return wanted in tables or ("." not in wanted and any(table.rpartition(".")[2] == wanted for table in tables))
