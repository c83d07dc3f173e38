"""Runs: which query loaded a row. SQLAlchemy stamps each row with the number of the run that loaded it.

The numbers come from one counter of the process. Taking one ourselves after each statement that loads objects places the
statement among them: the run of its rows is the next number that its thread or task takes.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy.orm import loading

from dbprofile_sqlalchemy.relations import relations_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dbprofile import hooks

__all__ = ["RUNS", "Place", "Run", "Runs", "below", "find_run", "lineage_of", "runs_of"]

#: The note of a lane that holds its runs.
RUNS: Final = "sqlalchemy.runs"
_take_number: Callable[[], int] | None = getattr(loading, "_new_runid", None)


class Place(Protocol):
    """Where something is loaded: a statement's watch, or what stands for one."""

    @property
    def lane(self) -> hooks.Lane:
        """The thread or task."""

    @property
    def scope(self) -> hooks.Scope:
        """The unit of work."""


class Run:
    """One query that loaded objects.

    Attributes:
        lineage: where its rows come from.
        depth: length of the path that leads to its rows; what a row's path has beyond it came joined.
        sql: its text, to tell whether a table's rows can be its.
    """

    __slots__ = ("_mapper", "depth", "lineage", "sql")

    def __init__(self, lineage: hooks.Lineage, depth: int, sql: str) -> None:
        self.lineage = lineage
        self.depth = depth
        self.sql = sql
        self._mapper: object = None

    def may_have_loaded(self, mapper: Any) -> bool:
        """Whether the statement names a table of the mapper; of one that is not known it may."""
        if mapper is None or mapper is self._mapper:  # the same for all rows but the first
            return True
        if any(getattr(table, "name", "") in self.sql for table in mapper.tables):
            self._mapper = mapper
            return True
        return False


class Runs:
    """The runs of one lane, in order."""

    __slots__ = ("_numbers", "_runs")

    def __init__(self) -> None:
        self._numbers: list[int] = []
        # What a Run is made of, until somebody asks for it: most queries are the last of their rows.
        self._runs: list[Run | tuple[hooks.Lineage, int, str]] = []

    def add(self, lineage: hooks.Lineage, depth: int, sql: str) -> None:
        """A query has just been sent that loads objects; the arguments are those of its ``Run``."""
        if _take_number is not None:
            self._numbers.append(_take_number())
            self._runs.append((lineage, depth, sql))

    def before(self, number: int) -> tuple[int, Run] | None:
        """The last run that began below a row's number, with its own."""
        index = bisect_left(self._numbers, number) - 1
        return (self._numbers[index], self._at(index)) if index >= 0 else None

    def shallower(self, depth: int) -> Run | None:
        """The last run whose rows lie on a shorter path."""
        runs = map(self._at, reversed(range(len(self._runs))))
        return next((run for run in runs if run.depth < depth), None)

    def _at(self, index: int) -> Run:
        run = self._runs[index]
        if isinstance(run, tuple):
            run = self._runs[index] = Run(*run)
        return run


#: Lanes of one scope whose runs are kept; a scope that is cut again and again (a websocket) opens ever new ones.
_LANE_LIMIT: Final = 64
# The lanes of a scope, for rows that another thread or task loaded.
_lanes: weakref.WeakKeyDictionary[hooks.Scope, list[Runs]] = weakref.WeakKeyDictionary()


def runs_of(watch: Place) -> Runs:
    """The runs of the lane in which a statement runs."""
    runs: Runs | None = watch.lane.notes.get(RUNS)
    if runs is None:
        runs = watch.lane.notes[RUNS] = Runs()
        lanes = _lanes.setdefault(watch.scope, [])
        del lanes[: max(0, len(lanes) + 1 - _LANE_LIMIT)]
        lanes.append(runs)
    return runs


def find_run(watch: Place, number: int | None, mapper: Any) -> Run | None:
    """The run that a number was given out in: of this lane, else of another lane, else of a scope round this one."""
    if number is None:
        return None
    runs: Runs = watch.lane.notes.get(RUNS) or runs_of(watch)
    own = runs.before(number)
    if own is not None and own[1].may_have_loaded(mapper):
        return own[1]
    for lanes in _round(watch.scope):
        found = [run for lane in lanes if (run := lane.before(number)) is not None and run[1].may_have_loaded(mapper)]
        if found:
            return max(found, key=lambda run: run[0])[1]
    return None


def _round(scope: hooks.Scope | None) -> Iterator[list[Runs]]:
    while scope is not None:
        yield _lanes.get(scope, [])
        scope = scope.outer


def lineage_of(watch: Place, state: Any) -> hooks.Lineage | None:
    """Where an object comes from; ``None`` where no query of ours loaded it."""
    run = find_run(watch, getattr(state, "runid", None), state.mapper)
    path = getattr(getattr(state, "load_path", None), "path", ())
    return below(run, path) if run is not None else None


def below(run: Run, path: tuple[object, ...]) -> hooks.Lineage:
    """The lineage of rows that came joined into those of a run, along what their path has beyond the run's."""
    lineage = run.lineage
    if len(path) < run.depth + 2:
        return lineage  # nothing but the entity itself
    for relation in relations_in(path[run.depth :]):
        lineage = lineage.child("S", relation.name, relation.kind)
    return lineage
