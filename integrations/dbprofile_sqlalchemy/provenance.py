"""Provenance: why SQLAlchemy sent a statement, read off its execution context and the functions on the stack."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.context import QueryContext

from dbprofile import hooks
from dbprofile_sqlalchemy.lineages import RUNS, Runs, below, find_run, lineage_of, runs_of
from dbprofile_sqlalchemy.marks import LOADER, MODEL, OPERATION, WRITE
from dbprofile_sqlalchemy.relations import Relation, Shape, column

if TYPE_CHECKING:
    from collections.abc import Hashable
    from types import FrameType

__all__ = ["explain", "loaded"]

_serials: Final = count(1)
_NO_OPTIONS: Final = getattr(QueryContext, "default_load_options", None)
#: Under this key SQLAlchemy hands the options of a load to its execution.
_LOAD_OPTIONS: Final = "_sa_orm_load_options"
#: Queries of one lineage whose full path is taken: two tell whether the places are the same.
_FULL_WALKS: Final = 2


class _Marks:
    """The known functions inside the innermost line of the application: what it called, and what loads for it."""

    __slots__ = ("loader", "loader_frame", "model", "operation", "write", "write_frame")

    def __init__(self, found: list[tuple[hooks.Mark, FrameType]]) -> None:
        self.write = self.operation = self.loader = self.model = ""
        self.write_frame: FrameType | None = None
        self.loader_frame: FrameType | None = None
        for mark, frame in found:
            if mark.kind == WRITE:
                self.write, self.write_frame = mark.name, frame
            elif mark.kind == OPERATION:
                self.operation = mark.name
            elif mark.kind == LOADER and not self.loader:
                self.loader, self.loader_frame = mark.name, frame
            elif mark.kind == MODEL and not self.model:
                mapper = frame.f_locals.get("base_mapper")
                self.model = mapper.class_.__name__ if mapper is not None else ""


_NO_MARKS: Final = _Marks([])


def explain(watch: hooks.Stopwatch, walk: hooks.Walk, shape: Shape, context: Any) -> hooks.Provenance:
    """Why the statement at hand runs. Called under the guard of ``begin``.

    Args:
        watch: of the statement, whose scope and lane know what ran before.
        walk: up the stack.
        shape: of the compiled statement.
        context: SQLAlchemy's execution context.
    """
    marks = _Marks(walk.marks) if walk.marks else _NO_MARKS
    if marks.write or shape.writes:
        return _write(watch, walk, marks)
    if shape.orm:
        options = context.execution_options.get(_LOAD_OPTIONS, _NO_OPTIONS)
        state = getattr(options, "_refresh_state", None)
        if state is not None:
            return _refresh(watch, walk, shape, marks, state)
        state = getattr(options, "_lazy_loaded_from", None)
        if state is not None and shape.relation is not None:
            return _lazy(watch, walk, shape, marks, state)
        if shape.relation is not None or marks.loader == "subclass":
            return _eager(watch, walk, shape, marks)
    lane = watch.lane
    path = walk.path(lane.paths, watch.scope.root)
    query = watch.query
    sql: Any = query.raw_sql  # which is text already, from SQLAlchemy
    lineage = hooks.root_lineage(lane, "Q", sql, path, query.database)
    return hooks.Provenance("read", operation=marks.operation, model=shape.entity, lineage=lineage, path=path)


def loaded(watch: hooks.Stopwatch, shape: Shape) -> None:
    """The statement has been sent: the rows that SQLAlchemy makes objects of next are its."""
    query = watch.query
    why = query.provenance
    if why is None or why.lineage is None:
        return
    sql: Any = query.raw_sql  # which is text already, from SQLAlchemy
    if why.variant in {"refresh", "deferred", "polymorphic"} and why.parent_lineage is not None:
        # The object keeps its place in the world. Its own path stays as it is, so nothing lies beyond ours.
        lineage, depth = why.parent_lineage, _ANY_DEPTH
    else:
        lineage, depth = why.lineage, len(shape.path)
    runs: Runs = watch.lane.notes.get(RUNS) or runs_of(watch)
    runs.add(lineage, depth, sql)


#: Longer than any path.
_ANY_DEPTH: Final = 1 << 30


def _write(watch: hooks.Stopwatch, walk: hooks.Walk, marks: _Marks) -> hooks.Provenance:
    return hooks.Provenance(
        "write",
        operation=marks.write or marks.operation,
        model=marks.model,
        invocation=_invocation(marks),
        path=walk.path(watch.lane.paths, watch.scope.root),
    )


def _invocation(marks: _Marks) -> Hashable:
    """What all statements of one call have in common: of a flush a number, kept where the flush keeps its own notes."""
    if marks.write_frame is None:
        return None
    if marks.write == "delete":  # what it cascades to is loaded before anything is deleted
        instance = marks.write_frame.f_locals.get("instance")
        return _identity(instance_state(instance)) if instance is not None else None
    if marks.write != "flush":
        return None
    flush = marks.write_frame.f_locals.get("flush_context")
    attributes = getattr(flush, "attributes", None)
    if not isinstance(attributes, dict):
        return None
    number: int | None = attributes.get("dbprofile")
    if number is None:
        number = attributes["dbprofile"] = next(_serials)
    return number


def _lazy(watch: hooks.Stopwatch, walk: hooks.Walk, shape: Shape, marks: _Marks, state: Any) -> hooks.Provenance:
    relation = shape.relation
    assert relation is not None
    if marks.operation == "refresh":
        return _refreshed_too(watch, walk, state, relation)
    variant = "immediate" if marks.loader == "immediate" else ""
    return _of_parent(watch, walk, state, relation.name, relation.kind, variant)


def _refreshed_too(watch: hooks.Stopwatch, walk: hooks.Walk, state: Any, relation: Relation) -> hooks.Provenance:
    """A relation that ``refresh()`` was told to load again: what follows from the statement that reads the row again."""
    path = walk.path(watch.lane.paths, watch.scope.root)
    above = lineage_of(watch, state) or hooks.root_lineage(watch.lane, "U", "", path, watch.query.database)
    refreshed = above.child("R", state.class_.__name__)
    return hooks.Provenance(
        "eager",
        operation="refresh",
        relation=relation.name,
        relation_kind=relation.kind,
        parent_lineage=refreshed,
        lineage=refreshed.child("P", relation.name, relation.kind),
        path=path,
    )


def _refresh(watch: hooks.Stopwatch, walk: hooks.Walk, shape: Shape, marks: _Marks, state: Any) -> hooks.Provenance:
    if marks.operation == "merge":
        # The rows are looked up by key, one by one: to the application that is what get() is.
        path = walk.path(watch.lane.paths, watch.scope.root)
        lineage = hooks.root_lineage(watch.lane, "Q", watch.query.sql, path, watch.query.database)
        return hooks.Provenance("read", operation="merge", model=state.class_.__name__, lineage=lineage, path=path)
    whole = (
        getattr(state, "expired", False)
        or not shape.only
        or any(key in state.mapper.relationships for key in shape.only)
    )
    if whole:
        return _of_parent(watch, walk, state, state.class_.__name__, "", "refresh", marks.operation)
    if marks.loader == "deferred" and marks.loader_frame is not None:
        loader = marks.loader_frame.f_locals.get("self")
        key = getattr(loader, "key", None) or min(shape.only)
        return _of_parent(watch, walk, state, column(state, key), "column", "deferred")
    return _of_parent(watch, walk, state, column(state, min(shape.only)), "column", "polymorphic")


def _of_parent(
    watch: hooks.Stopwatch, walk: hooks.Walk, state: Any, name: str, kind: str, variant: str, operation: str = ""
) -> hooks.Provenance:
    """A load that one object asked for, of a relation or of its own columns."""
    lane = watch.lane
    path: hooks.Path = ()
    above = lineage_of(watch, state)
    if above is None:
        path = walk.path(lane.paths, watch.scope.root)
        above = hooks.root_lineage(lane, "U", "", path, watch.query.database)
    lineage = above.ancestor("R", name)
    if lineage is not None:
        variant = variant or "recursive"
    else:
        lineage = above.child("R", name, kind)
    if not path:
        path = _path(watch, walk, lineage)
    if not lineage.path:
        lineage.path = path
    lineage.members += 1
    return hooks.Provenance(
        "lazy",
        variant=variant,
        operation=operation,
        relation=name,
        relation_kind=kind,
        parent=_identity(state),
        parent_lineage=above,
        lineage=lineage,
        path=path,
    )


def _path(watch: hooks.Stopwatch, walk: hooks.Walk, lineage: hooks.Lineage) -> hooks.Path:
    """The call path; of the third and later queries at one place of a lineage that of the first."""
    if lineage.members >= _FULL_WALKS and lineage.path:
        step = walk.call_site
        if step is lineage.path[0] or step == lineage.path[0]:
            return lineage.path
    return walk.path(watch.lane.paths, watch.scope.root)


def _identity(state: Any) -> tuple[int | None, int]:
    """A parent that outlives the object and holds no value of it."""
    if state.key is not None:
        return (state.session_id, hash(state.key))
    try:
        serial: int = state._dbprofile_serial
    except AttributeError:
        serial = state._dbprofile_serial = next(_serials)
    return (None, serial)


def _eager(watch: hooks.Stopwatch, walk: hooks.Walk, shape: Shape, marks: _Marks) -> hooks.Provenance:
    path = walk.path(watch.lane.paths, watch.scope.root)
    relation = shape.relation
    name, kind = (relation.name, relation.kind) if relation is not None else ("", "")
    above = _above(watch, shape, marks)
    if above is None:
        above = hooks.root_lineage(watch.lane, "U", "", path, watch.query.database)
    lineage = above.child("P", name, kind) if name else above
    return hooks.Provenance(
        "eager", relation=name or None, relation_kind=kind, parent_lineage=above, lineage=lineage, path=path
    )


def _above(watch: hooks.Stopwatch, shape: Shape, marks: _Marks) -> hooks.Lineage | None:
    """Where the rows come from that an eager loader loads for."""
    frame = marks.loader_frame
    parents = frame.f_locals.get("context") if frame is not None else None
    run = None
    if parents is not None:
        run = find_run(watch, getattr(parents, "runid", None), _loader_mapper(shape))
    if run is None:
        # subqueryload() sends its query when the first of its rows is asked for, from no place that knows the parents' run.
        run = runs_of(watch).shallower(len(shape.path))
    if run is None:
        return None
    return below(run, _to_parents(shape.path)) if shape.relation is not None else run.lineage


def _to_parents(path: tuple[object, ...]) -> tuple[object, ...]:
    """A loader's path without its last relation: it leads to the rows that it loads for."""
    for index in range(len(path) - 1, -1, -1):
        if hasattr(path[index], "direction"):
            return path[:index]
    return ()


def _loader_mapper(shape: Shape) -> Any:
    """The mapper of the rows that a loader loads for; ``None`` where its path does not say."""
    above = _to_parents(shape.path)
    return getattr(above[-1], "mapper", None) if above else None
