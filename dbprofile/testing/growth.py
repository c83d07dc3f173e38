"""How the queries of one action grow with the data: runs of it at several sizes, and a verdict for each statement and place."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from dbprofile.testing.loopowner import in_application_loop
from dbprofile.testing.project import current_project

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dbprofile.capture.provenance import Provenance
    from dbprofile.capture.query import Query
    from dbprofile.testing.counted import Sent
    from dbprofile.testing.log import QueryLog

__all__ = ["Growth", "Measured", "Verdict", "grown", "rows_written", "shared_parents", "verdict_of"]

Verdict = Literal["constant", "batched", "linear", "worse"]

#: What one statement may bring at least for it to be a batch: smaller ones are rows.
SMALLEST_BATCH: Final = 10
_ADDS_ROWS: Final = frozenset({"INSERT", "REPLACE", "MERGE", "COPY"})


@dataclass(frozen=True, eq=False)
class Measured:
    """One run of the action."""

    size: int
    """Rows that were asked for so far."""
    added: Mapping[str, int]
    """Rows inserted before it since the last run, by table."""
    log: QueryLog
    """What the action sent; it is over."""

    @cached_property
    def count(self) -> int:
        """How many queries the action sent."""
        return int(self.log.count)

    @cached_property
    def rows(self) -> int:
        """Rows that it fetched or changed."""
        return sum(map(_rows_of, self.log.queries)) + self.log.rows_beyond

    @cached_property
    def sent(self) -> dict[Hashable, Sent]:
        """What it sent, by shape, database and place."""
        return {(one.statement.shape, one.database, one.site): one for one in self.log.sent}


@dataclass(frozen=True, eq=False)
class Growth:
    """One statement from one place, at every size."""

    sent: Sent
    """At the largest size at which it was sent."""
    counts: tuple[int, ...]
    verdict: Verdict
    per_row: float
    """The steepest slope between two sizes that follow each other; 0 where it is constant or batched."""

    @property
    def grows(self) -> bool:
        """Whether more rows need more of it."""
        return self.verdict in {"linear", "worse"}


def grown(runs: Sequence[Measured]) -> list[Growth]:
    """The growth of each statement and place, in order of first appearance at the largest size."""
    found: dict[Hashable, Sent] = {}
    for run in reversed(runs):
        for key, sent in run.sent.items():
            found.setdefault(key, sent)
    sizes = [run.size for run in runs]
    growths = []
    for key, sent in found.items():
        counts = tuple(run.sent[key].count if key in run.sent else 0 for run in runs)
        growths.append(Growth(sent, counts, *verdict_of(sizes, counts)))
    return growths


def verdict_of(sizes: Sequence[int], counts: Sequence[int]) -> tuple[Verdict, float]:
    """What the counts at increasing sizes say, and the steepest slope.

    *constant*: no more at any size than at the one before. *batched*: one batch size of at least ten explains all. *linear*: each
    row more costs no more than a row did before. *worse*: it costs more.
    """
    steps = [
        (first, (count - first_count) / (size - first), first_count)
        for first, size, first_count, count in zip(sizes, sizes[1:], counts, counts[1:], strict=False)
    ]
    steepest = max(slope for _, slope, _ in steps)
    if steepest <= 0:
        return "constant", 0
    if any(_explains(batch, sizes, counts) for batch in range(SMALLEST_BATCH, sizes[-1] + 1)):
        return "batched", 0
    if all(slope <= max(1, count / size) for size, slope, count in steps):
        return "linear", steepest
    return "worse", steepest


def _explains(batch: int, sizes: Sequence[int], counts: Sequence[int]) -> bool:
    return all(count == -(-size // batch) for size, count in zip(sizes, counts, strict=True))


def rows_written(log: QueryLog) -> Mapping[str, int]:
    """Rows that were inserted, by table."""
    tally: Tally[str] = Tally()
    for sent in log.sent:
        statement = sent.statement
        if statement.verb in _ADDS_ROWS:
            rows = sum(map(_rows_written, sent.queries)) if sent.queries else sent.count
            tally[next(iter(statement.written or statement.tables), "")] += rows
    return {table: rows for table, rows in tally.items() if rows}


def _rows_written(query: Query) -> int:
    # What is sent one by one, in a batch, or gives its rows back: each driver knows one of these.
    return query.batch_size or query.affected_rows or query.rows or (0 if query.error else 1)


def _rows_of(query: Query) -> int:
    return (query.rows or 0) + (query.affected_rows or 0)


# --- what the runs do not show --------------------------------------------------------------------------------------


def shared_parents(first: QueryLog, last: QueryLog) -> Iterator[str]:
    """Relations that a loop of the application loads, but only once for however many rows: they all have the same parent.

    An ORM with an identity map asks for each parent once, so that ten books of one author need two queries, as two books do.
    """
    before = dict(_loaded_in_loops(first))
    for relation, (loads, rows) in _loaded_in_loops(last):
        loads_before, rows_before = before.get(relation, (0, 0))
        if loads == loads_before and rows_before < rows and loads < rows:
            yield relation


def _loaded_in_loops(log: QueryLog) -> Iterator[tuple[str, tuple[int, int]]]:
    """Each relation to one row that a loop loads: how often, and for how many rows."""
    queries = log.queries
    loads: dict[str, list[Provenance]] = {}
    for query in queries:
        why = query.provenance
        if why is None or why.role != "lazy" or why.relation is None or why.relation_kind != "many_to_one":
            continue
        if in_application_loop(query, current_project().is_test_file):
            loads.setdefault(why.relation, []).append(why)
    for relation, whys in loads.items():
        parents = {why.parent_lineage for why in whys}
        rows = sum(_rows_of(query) for query in queries if _lineage(query) in parents)
        yield relation, (len(whys), rows)


def _lineage(query: Query) -> object:
    return query.provenance.lineage if query.provenance is not None and query.provenance.lineage is not None else query
