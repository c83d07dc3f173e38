"""What a scale test says: which queries grow with the data, or why it proves nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from dbprofile.findings.numbers import quantity
from dbprofile.testing.growth import Growth, Measured, grown, shared_parents
from dbprofile.testing.listing import GROUPS, Listing, place_text
from dbprofile.testing.project import current_project

if TYPE_CHECKING:
    from dbprofile.testing.log import QueryLog

__all__ = ["growth_failure"]

#: Tables whose new rows are named.
_TABLES: Final = 4
_VACUOUS: Final = "query_scale proves nothing: "


def growth_failure(runs: Sequence[Measured], *, allowed: Sequence[str] = (), ignored: Sequence[str] = ()) -> str:
    """What is wrong with the runs of an action; empty if nothing is.

    Args:
        runs: at increasing sizes, the warm-up left out.
        allowed: shapes (globs) that may grow as the rows do.
        ignored: shapes, codes or relations (globs) that may grow in any way.
    """
    growths = grown(runs)
    names = _names(runs[-1].log)
    growing = [each for each in growths if each.grows and not _may_grow(each, names, allowed, ignored)]
    if growing:
        return "\n".join(_grows(runs, growths, growing))
    return _vacuous(runs, ignored)


def _may_grow(growth: Growth, names: Mapping[object, set[str]], allowed: Sequence[str], ignored: Sequence[str]) -> bool:
    shape = growth.sent.statement.shape
    if growth.verdict == "linear" and any(fnmatchcase(shape, pattern) for pattern in allowed):
        return True
    known = {shape}.union(*(names.get(query, ()) for query in growth.sent.queries))
    return any(fnmatchcase(name, pattern) for name in known for pattern in ignored)


def _names(log: QueryLog) -> Mapping[object, set[str]]:
    """The codes and subjects of findings by query."""
    names: dict[object, set[str]] = {}
    for finding in log.findings:
        for query in finding.queries:
            names.setdefault(query, set()).update((finding.code, finding.subject))
    return names


# --- queries that grow ------------------------------------------------------------------------------------------------


def _grows(runs: Sequence[Measured], growths: Sequence[Growth], growing: Sequence[Growth]) -> Iterator[str]:
    project = current_project()
    worst = max(growing, key=lambda growth: growth.per_row)
    counts = ", ".join(f"{run.count:,} at {run.size:,} rows" for run in runs)
    faster = " faster than" if any(growth.verdict == "worse" for growth in growing) else " with"
    place = f" at {place_text(worst.sent.site, project)}" if worst.sent.site is not None else ""
    yield f"queries grow{faster} the data: {counts} ({_per_row(worst)}{place})"
    listing = Listing(runs[-1].log, project)
    labels = [*map(_per_row, growing), "constant"]
    width = max(map(len, labels))
    columns = [_counts(growth.counts) for growth in growing]
    rest = [growth for growth in growths if growth not in growing]
    rest_column = _counts(_sum(rest, len(runs)))
    across = max(map(len, [*columns, rest_column]))
    shown = sorted(growing, key=lambda growth: -growth.per_row)[:GROUPS]
    for growth in shown:
        shape, *place_lines = listing.statement_lines(growth.sent)
        yield f"  {_per_row(growth):<{width}}   {_counts(growth.counts):<{across}}   {shape}"
        yield from (f"  {'':<{width}}   {'':<{across}}   {line}" for line in place_lines)
    if len(growing) > len(shown):
        yield f"  and {quantity(len(growing) - len(shown), 'more statement')}"
    if rest:
        word = "constant" if not any(growth.grows for growth in rest) else "others"
        yield f"  {word:<{width}}   {rest_column:<{across}}   ({quantity(len(rest), 'other statement')})"
    yield from listing.fixes(saves=False)
    yield f"warm-up run excluded; rows added between the runs: {_rows_added(runs)}"


def _per_row(growth: Growth) -> str:
    return f"+{growth.per_row:.3g} per row"


def _counts(counts: Sequence[int]) -> str:
    return " -> ".join(f"{count:,}" for count in counts)


def _sum(growths: Sequence[Growth], number: int) -> list[int]:
    return [sum(growth.counts[place] for growth in growths) for place in range(number)]


def _rows_added(runs: Sequence[Measured]) -> str:
    added: dict[str, int] = {}
    for run in runs[1:]:
        for table, rows in run.added.items():
            added[table] = added.get(table, 0) + rows
    named = [f"{rows:,} {table}" for table, rows in added.items()]
    more = [f"{sum(list(added.values())[_TABLES:]):,} in other tables"] if len(named) > _TABLES else []
    return ", ".join(named[:_TABLES] + more) or "none"


# --- runs that prove nothing ------------------------------------------------------------------------------------------


def _vacuous(runs: Sequence[Measured], ignored: Sequence[str]) -> str:
    first, last = runs[0], runs[-1]
    for before, run in pairwise(runs):
        if not run.added:
            asked = run.size - before.size
            return (
                f"{_VACUOUS}{asked:,} rows were asked for and none was inserted\n"
                "  hint: add n rows in each turn, before the block"
            )
    rows = sum(sum(run.added.values()) for run in runs[1:])
    added = f"{_VACUOUS}{quantity(rows, 'row')} {'was' if rows == 1 else 'were'} added but the block"
    if not last.count:
        return f"{added} sent no query\n  hint: cached? outside the block?"
    held = last.log.held
    if held > first.log.held:
        return (
            f"{_VACUOUS}the Session that sent the queries held {quantity(held, 'object')} already, which it loads no more\n"
            f"  hint: query_scale({', '.join(str(run.size) for run in runs)}, fresh=True)"
        )
    if first.rows == last.rows and not _only_sums(first, last):
        return (
            f"{added} fetched {quantity(last.rows, 'row')} both times\n"
            "  hint: page size? filter? all new rows share one parent?"
        )
    for relation in shared_parents(first.log, last.log):
        if not any(fnmatchcase(relation, pattern) for pattern in ignored):
            return (
                f"{_VACUOUS}a loop loads {relation}, but no more often for more rows\n"
                "  hint: all new rows share one parent? give each its own"
            )
    return ""


def _only_sums(first: Measured, last: Measured) -> bool:
    """Whether all that was asked are numbers and such, one row each, and one of them is another now."""
    queries = [*first.log.queries, *last.log.queries]
    if any((query.rows or 0) > 1 for query in queries):
        return False
    return [query.answer for query in first.log.queries] != [query.answer for query in last.log.queries]
