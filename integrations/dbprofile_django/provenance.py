"""Why a statement runs: read off the functions of Django that the walk up the stack met, innermost first."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import count
from types import FrameType
from typing import Any, Final

from django.db.models import Model

from dbprofile.hooks import Lane, Lineage, Mark, Path, Provenance, Stopwatch, guarded, is_write, root_lineage
from dbprofile_django.marks import COMMAND
from dbprofile_django.relations import (
    Relation,
    backward,
    called,
    conditions,
    forward,
    generic,
    known_generic,
    known_relation,
    relation_named,
    siblings,
)
from dbprofile_django.rows import announce, label_of, token_of
from dbprofile_django.serializers import field_path

__all__ = ["explain"]

#: Operations that send several statements, which one call of the application binds together.
_MANY: Final = frozenset(
    {"create", "save", "get_or_create", "update_or_create", "bulk_create", "bulk_update", "in_bulk", "delete"}
    | {"add", "set", "remove", "clear"}
)
#: Calls whose frames a lane keeps, to know them again at their next statement.
_CALLS_KEPT: Final = 8
#: Members of a lineage of which the whole path is taken: the first two say whether they are written out or a loop.
_WALKED: Final = 2
#: Tables of a query, up to which no two collections can be joined side by side.
_JOINED: Final = 2
_LOADS: Final = frozenset({"forward", "backward", "generic", "column", "refresh", "prefetch", "peers"})

_calls = count(1)


class _Seen:
    """What of the stack matters: the frames of Django's functions between the statement and the application."""

    # Defaults of the class: of a statement two or three are set, and one is made for each.
    rows: FrameType | None = None
    """The iterable that turns this statement's rows into objects."""
    queryset: FrameType | None = None
    operation: str = ""
    load: tuple[Mark, FrameType] | None = None
    """The nearest function that loads something for an object that is there already."""
    write: tuple[Mark, FrameType] | None = None
    """The outermost function that writes."""
    infrastructure: str = ""
    prefetch_call: FrameType | None = None
    batched: bool = False
    """Whether a queryset prefetches, and not the application by hand."""
    serializers: tuple[FrameType, ...] = ()
    command: bool = False
    """Whether a command of Django's own sends it, with no line of the application in between."""


def _see(marks: Sequence[tuple[Mark, FrameType]]) -> _Seen:
    seen = _Seen()
    for mark, frame in marks:
        kind = mark.kind
        if kind == "query":
            if seen.load is None:
                seen.operation = mark.name
                seen.queryset = seen.queryset or frame
            elif mark.name == "iterator":
                seen.batched = True
        elif kind == "rows":
            seen.rows = seen.rows or frame
        elif kind in _LOADS:
            # A deferred column is loaded by refresh_from_db: what asked for the column is the reason.
            if seen.load is None or (seen.load[0].kind == "refresh" and kind == "column"):
                seen.load = (mark, frame)
        elif kind == "write":
            seen.write = (mark, frame)
        elif kind == "infra":
            seen.infrastructure = seen.infrastructure or mark.name
            seen.command = mark.name == COMMAND
        elif kind == "prefetch call":
            seen.prefetch_call = seen.prefetch_call or frame
        elif kind == "prefetch batch":
            seen.batched = True
        elif kind == "serializer":
            seen.serializers = (*seen.serializers, frame)
    return seen


@guarded("django.provenance", None, hot=True)
def explain(watch: Stopwatch, sql: object) -> None:
    """Set the provenance of a statement that is about to run, and the label of the rows it will deliver."""
    walk = watch.walk
    if walk is None:
        return
    seen = _see(walk.marks)
    text = sql if isinstance(sql, str) else watch.query.sql
    if seen.write is not None and seen.infrastructure != "tool" and not seen.command:
        why, rows = _write(watch, seen, text, *seen.write)
    elif seen.infrastructure:
        path = _whole_path(watch)
        why, rows = Provenance("infra", infrastructure=seen.infrastructure, operation=seen.operation, path=path), None
    else:
        # Asked for once: on a frame that runs it is a dictionary made anew each time.
        queryset = seen.queryset.f_locals["self"] if seen.queryset is not None else None
        why = _loaded(watch, seen, queryset) or _read(watch, seen, queryset, text)
        rows = why.lineage
    query = watch.query
    query.provenance = why
    if why.path:
        query.call_site = why.path[0]
        why.template = why.path[0].template
    if seen.serializers:
        why.field = field_path(seen.serializers)
    if seen.rows is not None and rows is not None:
        announce(seen.rows, rows, watch)


def _whole_path(watch: Stopwatch) -> Path:
    assert watch.walk is not None
    return watch.walk.path(watch.lane.paths, watch.scope.root)


# --- reads and writes -----------------------------------------------------------------------------------------------


def _read(watch: Stopwatch, seen: _Seen, queryset: Any, text: str) -> Provenance:
    lane = watch.lane
    path = watch.walk.path(lane.paths, watch.scope.root)  # type: ignore[union-attr]  # as _whole_path, without the call
    lineage = root_lineage(lane, "Q", text, path, watch.query.database)
    why = Provenance("read", operation=seen.operation, lineage=lineage, path=path)
    if seen.queryset is not None:
        model: Any = getattr(queryset, "model", None)
        why.model = called(model)
        if getattr(queryset.query, "select_for_update", False):
            watch.query.locks = True
        if len(getattr(queryset.query, "alias_map", ())) > _JOINED:
            watch.query.siblings = siblings(queryset.query)
        if seen.operation == "in_bulk":
            why.invocation = _call(watch.lane, seen.queryset)
    elif is_write(text):
        why.role = "write"
        why.lineage = None
    return why


def _write(watch: Stopwatch, seen: _Seen, text: str, mark: Mark, frame: FrameType) -> tuple[Provenance, Lineage | None]:
    target = frame.f_locals.get("self")
    model: Any = getattr(target, "model", None) or type(target)
    path = _whole_path(watch)
    why = Provenance("write", operation=mark.name, model=called(model), path=path)
    # What is written, or whose related rows are.
    written = target if isinstance(target, Model) else getattr(target, "instance", None)
    if isinstance(written, Model):
        label = label_of(written)
        why.parent = token_of(written)
        why.parent_lineage = label.lineage if label is not None else None
    if mark.name in _MANY:
        why.invocation = _call(watch.lane, frame)
    rows = root_lineage(watch.lane, "Q", text, path, watch.query.database) if seen.rows is not None else None
    return why, rows


def _call(lane: Lane, frame: FrameType) -> int:
    """The number of one call of the application. By the frame itself: the ``id()`` of one that is over is used again at once."""
    kept: list[tuple[FrameType, int]] = lane.notes.setdefault("django.calls", [])
    for known, number in kept:
        if known is frame:
            return number
    number = next(_calls)
    kept.append((frame, number))
    del kept[:-_CALLS_KEPT]
    return number


# --- what an object asks for ----------------------------------------------------------------------------------------


def _loaded(watch: Stopwatch, seen: _Seen, queryset: Any) -> Provenance | None:
    """The provenance of a statement that loads something for objects that are there; ``None`` where it is an ordinary read."""
    if seen.load is None:
        if not hasattr(queryset, "_hints"):
            return None
        found = known_relation(queryset)
        if found is not None:
            if getattr(queryset.query, "select_for_update", False):
                watch.query.locks = True
            return _lazy(watch, *found, operation=_operation_of(queryset, seen.operation))
        by_key = known_generic(queryset)
        if by_key is not None:
            return _lazy_by_key(watch, *by_key, operation=_operation_of(queryset, seen.operation))
        return None
    mark, frame = seen.load
    names = frame.f_locals
    owner = names.get("self")
    if mark.kind == "prefetch":
        return _prefetched(watch, seen, names)
    if mark.kind == "peers":
        relation = _asked_of(owner)
        return _eager(watch, relation, names.get("instances") or ())
    if mark.kind == "refresh":
        assert owner is not None
        return _lazy(watch, Relation("", ""), owner, variant="refresh", operation=mark.name, group=type(owner).__name__)
    variant = "deferred" if mark.kind == "column" else ""
    instance = names.get("instance")
    if instance is None:
        return None
    return _lazy(watch, _asked_of(owner), instance, variant=variant, operation=seen.operation)


def _asked_of(descriptor: Any) -> Relation:
    related = getattr(descriptor, "related", None)
    if related is not None:
        return backward(related, "reverse_one_to_one")
    field = getattr(descriptor, "field", descriptor)
    if hasattr(field, "ct_field"):
        return generic(field)
    if field.remote_field is None or not hasattr(descriptor, "get_queryset"):
        return Relation(f"{field.model.__name__}.{field.attname}", "column")
    return forward(field)


def _prefetched(watch: Stopwatch, seen: _Seen, names: dict[str, Any]) -> Provenance:
    instances, level = names.get("instances"), names.get("level")
    through = getattr(names.get("lookup"), "prefetch_through", None)
    if not instances or level is None or through is None:
        return _eager(watch, Relation("", ""), ())  # for which rows it loads what is not to be known
    model: Any = type(instances[0])
    relation = relation_named(model, through.split("__")[level])
    call = seen.prefetch_call if not seen.batched else None
    if call is not None and len(call.f_locals.get("model_instances") or ()) == 1:
        return _lazy(watch, relation, instances[0], variant="per_row_prefetch", operation="prefetch_related_objects")
    return _eager(watch, relation, instances)


def _eager(watch: Stopwatch, relation: Relation, instances: Sequence[Any]) -> Provenance:
    path = _whole_path(watch)
    label = label_of(instances[0]) if instances else None
    above = label.lineage if label is not None else root_lineage(watch.lane, "U", "", path, watch.query.database)
    return Provenance(
        "eager",
        relation=relation.name,
        relation_kind=relation.kind,
        parent_lineage=above,
        lineage=above.child("P", relation.name, relation.kind),
        path=path,
    )


def _lazy(
    watch: Stopwatch,
    relation: Relation,
    instance: Any,
    *,
    operation: str,
    variant: str = "",
    group: str = "",
) -> Provenance:
    """A load for one object; ``group`` names the lineage where no relation does."""
    label = label_of(instance)
    path: Path | None = None
    if label is not None:
        above = label.lineage
    else:
        path = _whole_path(watch)
        above = root_lineage(watch.lane, "U", "", path, watch.query.database)
    lineage = above.ancestor("R", relation.name) if relation.name else None
    if lineage is not None:
        variant = variant or "recursive"
    else:
        lineage = above.child("R", relation.name or group, relation.kind)
    return Provenance(
        "lazy",
        variant=variant,
        operation=operation,
        relation=relation.name or None,
        relation_kind=relation.kind,
        parent=token_of(instance),
        parent_lineage=above,
        lineage=lineage,
        path=path if path is not None else _path_of_member(watch, lineage),
    )


def _lazy_by_key(watch: Stopwatch, relation: Relation, key: Hashable, *, operation: str) -> Provenance:
    """A load for an object of which only the key is known: where it came from nobody can tell."""
    path = _whole_path(watch)
    above = root_lineage(watch.lane, "U", "", path, watch.query.database)
    return Provenance(
        "lazy",
        operation=operation,
        relation=relation.name,
        relation_kind=relation.kind,
        parent=key,
        parent_lineage=above,
        lineage=above.child("R", relation.name, relation.kind),
        path=path,
    )


def _path_of_member(watch: Stopwatch, lineage: Lineage) -> Path:
    """The whole path of the first two members of a lineage; of others their own line and the callers of the first."""
    seen: dict[Lineage, tuple[int, Path]] = watch.lane.notes.setdefault("django.lineages", {})
    number, first = seen.get(lineage, (0, ()))
    if number < _WALKED or not first or watch.walk is None:
        path = _whole_path(watch)
        seen[lineage] = (number + 1, first or path)
        return path
    site = watch.walk.call_site
    if site is None or site == first[0]:
        return first
    path = (site, *first[1:])
    return watch.lane.paths.setdefault(path, path)


def _operation_of(queryset: Any, operation: str) -> str:
    """What the application asked of a related manager: ``all``, unless it narrowed, ordered or cut the rows."""
    if operation not in {"all", "iterator"}:
        return operation
    query = queryset.query
    if getattr(queryset, "_fields", None) is not None:
        return "values"
    if getattr(query, "is_sliced", False):
        return "slice"
    if operation == "iterator":
        return operation
    own = len(conditions(query)) - (2 if not getattr(queryset, "_hints", None) and known_generic(queryset) else 1)
    narrowed = own > 0 or any(getattr(query, name, False) for name in ("order_by", "distinct", "select_related"))
    return "filter" if narrowed else "all"
