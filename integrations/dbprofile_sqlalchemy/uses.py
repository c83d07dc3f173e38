"""Which relations that were loaded eagerly are read: the dictionary of each object notes it, while a rule asks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.orm import Mapper

from dbprofile import hooks
from dbprofile_sqlalchemy.lineages import lineage_of
from dbprofile_sqlalchemy.relations import relation_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

__all__ = ["audit_uses", "leave_uses"]

_SQLALCHEMY: Final = "sqlalchemy"
#: Frames above an access to the dictionary in which is told whose it is.
_CALLERS: Final = 6
#: Functions of SQLAlchemy's that put into an object what an eager loader has read.
_FILLING: Final = frozenset({"_load_via_parent", "_load_via_child"})
#: Functions of SQLAlchemy's that read for the application: an attribute, a cascade that was loaded for its sake.
_READING: Final = frozenset({"__get__", "delete", "delete_all", "merge", "_merge", "presort_deletes"})


class _Place:
    """Where rows are loaded now: what the search for their lineage asks of a statement."""

    __slots__ = ("lane", "scope")

    def __init__(self, scope: hooks.Scope) -> None:
        self.scope = scope
        self.lane = scope.lane()


class _Attributes(dict[str, Any]):
    """The dictionary of an object, which notes what was loaded into it at once, and what is read.

    Pickled and copied as the dictionary that it is.
    """

    __slots__ = ("lineage", "loads", "mapper", "scope")

    scope: hooks.Scope
    lineage: hooks.Lineage
    mapper: Mapper[Any]
    loads: dict[str, hooks.EagerLoad]

    def load_of(self, key: str) -> hooks.EagerLoad | None:
        """The sums of a relation; ``None`` for any other attribute."""
        found = self.loads.get(key)
        if found is None and key in self.mapper.relationships:
            relation = relation_of(self.mapper.relationships[key])
            found = self.loads[key] = self.scope.eager_load(relation.name, self.lineage)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        _filled(self, key, value, sys._getframe(1))

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        _read(self, (key,), sys._getframe(1))
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """As a dictionary's; a use like any other."""
        if key in self:
            _read(self, (key,), sys._getframe(1))
        return super().get(key, default)

    def __iter__(self) -> Iterator[str]:
        # A dictionary that iterates in its own way is copied item by item, through what notes the reading.
        return super().__iter__()

    def items(self) -> Any:
        """As a dictionary's; all of them are read."""
        _read(self, self, sys._getframe(1))
        return super().items()

    def values(self) -> Any:
        """As a dictionary's; all of them are read."""
        _read(self, self, sys._getframe(1))
        return super().values()

    def __reduce__(self) -> tuple[Any, ...]:
        _read(self, self, None)  # what is pickled may be read elsewhere
        return (dict, (dict(self),))


@hooks.guarded("sqlalchemy.eager_load_filled", None)
def _filled(attributes: _Attributes, key: str, value: object, caller: FrameType) -> None:
    if not _FILLING.isdisjoint(_functions(caller)):
        _loaded(attributes, key, value)


@hooks.guarded("sqlalchemy.eager_load_read", None)
def _read(attributes: _Attributes, keys: Iterable[str], caller: FrameType | None) -> None:
    if caller is None or _is_read(caller):
        for key in keys:
            load = attributes.load_of(key)
            if load is not None:
                load.uses += 1


def _loaded(attributes: _Attributes, key: str, value: object) -> None:
    """A relation was loaded with the object, or for it among others."""
    load = attributes.load_of(key)
    if load is not None and value is not None and value != []:
        load.loads += 1


def _functions(frame: FrameType | None) -> list[str]:
    """The names of SQLAlchemy's functions from a frame outwards, up to the first that is not its own."""
    names: list[str] = []
    while frame is not None and len(names) < _CALLERS and _is_sqlalchemy(frame):
        names.append(frame.f_code.co_name)
        frame = frame.f_back
    return names


def _is_sqlalchemy(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__")).startswith(_SQLALCHEMY)


def _is_read(caller: FrameType) -> bool:
    """Whether the application reads, and not SQLAlchemy for a flush or a load of its own."""
    functions = _functions(caller)
    return not functions or not _READING.isdisjoint(functions)


@hooks.guarded("sqlalchemy.uses", None)
def _load(state: Any, context: Any) -> None:
    scope = hooks.current_scope()
    instance = state.obj()
    if scope is None or context is None or instance is None or not state.mapper.relationships:
        return
    lineage = lineage_of(_Place(scope), state)
    if lineage is None:
        return
    attributes = _Attributes(vars(instance))
    attributes.scope, attributes.lineage, attributes.mapper, attributes.loads = scope, lineage, state.mapper, {}
    for key in state.mapper.relationships.keys() & attributes.keys():
        _loaded(attributes, key, dict.__getitem__(attributes, key))
    object.__setattr__(instance, "__dict__", attributes)  # past what the class may do with attributes


def audit_uses() -> None:
    """Have the objects that are loaded from now on note what is read. Idempotent."""
    if not event.contains(Mapper, "load", _load):
        event.listen(Mapper, "load", _load, raw=True)


def leave_uses() -> None:
    """Undo ``audit_uses``; objects that are there already go on as they are. Idempotent."""
    if event.contains(Mapper, "load", _load):
        event.remove(Mapper, "load", _load)
