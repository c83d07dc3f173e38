"""What one statement for all would be, where no loader option cures it: for what is asked in each turn, for what is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dbprofile.hooks import Problem

__all__ = ["for_all_rows", "for_all_turns"]

#: Calls that load one object by its key.
_LOOKUPS: Final = frozenset({"get", "merge", "refresh"})
#: By what is called, and what it sends.
_WRITES: Final = {
    (
        "flush",
        "INSERT",
    ): "session.add_all(objects) and one flush at the end, or session.execute(insert({model}), values)",
    (
        "flush",
        "UPDATE",
    ): "one flush or commit after the loop, or session.execute(update({model}), values) by primary key",
    ("flush", "DELETE"): "one flush after the loop, or delete({model}).where({key}.in_(keys))",
    ("", "INSERT"): "execute(insert({model}), [values, …]) once, with a list",
    ("", "UPDATE"): "one update({model}) by a list of values, or with case(…)",
    ("", "DELETE"): "delete({model}).where({key}.in_(keys))",
}


def for_all_turns(problem: Problem) -> str:
    """The one query for a loop of reads."""
    column = _compared(problem)
    statement = problem.statement
    head = statement.text.upper().partition(" FROM ")[0] if statement is not None else ""
    if "EXISTS" in head:
        return f"ask once: the set of select({column}).where({column}.in_(values))"
    if "COUNT(" in head:
        return f"count once: select({column}, func.count()).where({column}.in_(values)).group_by({column})"
    if statement is not None and statement.traits.aggregate_only:
        return f"ask once: select({column}, …).where({column}.in_(values)).group_by({column})"
    if problem.operation in _LOOKUPS:
        return f"before the loop {{key: row}} of select({problem.model or '…'}).where({column}.in_(keys))"
    if not problem.model:
        return f"ask once for all turns: WHERE {column} IN (…)"
    return f"ask once for all turns: select({problem.model}).where({column}.in_(values))"


def _compared(problem: Problem) -> str:
    """The column that tells the turns apart; several in one bracket, each with its class where that is known."""
    columns = [f"{problem.model}.{column}" if problem.model else column for column in problem.columns]
    if len(columns) > 1:
        return f"tuple_({', '.join(columns)})"
    return columns[0] if columns else "<column>"


def for_all_rows(problem: Problem) -> str | None:
    """The one call for a loop of writes; ``None`` where SQLAlchemy has none."""
    operation = "flush" if problem.operation in {"flush", "bulk_save"} else ""
    text = _WRITES.get((operation, problem.verb))
    if text is None:
        return None
    statement = problem.statement
    table = statement.written[0].rpartition(".")[2] if statement is not None and statement.written else "…"
    return text.format(model=problem.model or table, key=_key(problem))


def _key(problem: Problem) -> str:
    """The column by which one row was picked."""
    columns = problem.statement.traits.key_columns if problem.statement is not None else ()
    column = columns[-1].rpartition(".")[2].strip('"`[]') if columns else ""
    if problem.model:
        return f"{problem.model}.{column or 'id'}"
    return column or "<key>"
