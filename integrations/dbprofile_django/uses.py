"""Which relations that were loaded eagerly are read: the caches of each row note it, while a rule asks.

A row keeps what ``select_related`` and ``prefetch_related`` have loaded in two dictionaries; for the time of the audit they are ours.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any, Final

from django.db.models import Model, query
from django.db.models.deletion import Collector

from dbprofile.hooks import Batch, EagerLoad, Scope, current_scope, guarded
from dbprofile_django.relations import relation_named

__all__ = ["audit_uses", "audited", "is_auditing", "leave_uses"]

#: Frames above a look into a cache in which Django may be the one who looks.
_CALLERS: Final = 4
#: The function that fills the caches, and those that look into them for purposes of their own.
_FILLING: Final = "prefetch_one_level"
_LOOKING: Final = (
    *(getattr(query, name, None) for name in (_FILLING, "prefetch_related_objects")),
    *(getattr(Model, name, None) for name in ("save", "save_base", "_prepare_related_fields_for_save", "_do_insert")),
    *(getattr(Collector, name, None) for name in ("collect", "delete")),
)
_looking: Final[frozenset[CodeType]] = frozenset(function.__code__ for function in _LOOKING if function is not None)

_auditing = False


def audit_uses() -> None:
    """Have the rows that are loaded from now on note what is read."""
    global _auditing
    _auditing = True


def leave_uses() -> None:
    """Undo ``audit_uses``; rows that are there already go on as they are."""
    global _auditing
    _auditing = False


def is_auditing() -> bool:
    """Whether rows note what is read."""
    return _auditing


def audited(rows: Iterator[Any], batch: Batch, label: str) -> Iterator[Any]:
    """Rows that have their label, with caches that note what is read.

    Args:
        rows: of one execution.
        batch: their label.
        label: the attribute of ``_state`` that holds it.
    """
    scope = current_scope()
    loads: dict[tuple[object, str], EagerLoad] = {}
    for row in rows:
        if scope is not None:
            _note(row, batch, label, scope, loads)
        yield row


@guarded("django.uses", None)
def _note(row: Any, batch: Batch, label: str, scope: Scope, loads: dict[tuple[object, str], EagerLoad]) -> None:
    state = getattr(row, "_state", None)
    if state is None:
        return
    cache = _Cache(state.fields_cache)
    cache.of, cache.model, cache.scope, cache.loads = batch, type(row), scope, loads
    for name, child in state.fields_cache.items():
        below = getattr(getattr(child, "_state", None), label, None)
        if below is not None and below.lineage.parent is batch.lineage and below.lineage.kind == "S":
            cache.load_of(name).loads += 1
            _note(child, below, label, scope, loads)
    state.fields_cache = cache
    prefetched = _Cache()
    prefetched.of, prefetched.model, prefetched.scope, prefetched.loads = batch, type(row), scope, loads
    row._prefetched_objects_cache = prefetched


class _Cache(dict[str, Any]):
    """A cache of a row that notes what was loaded into it at once, and what is read. Pickled and copied as the dictionary that it is."""

    __slots__ = ("loads", "model", "of", "scope")

    of: Batch
    model: type[Model]
    scope: Scope
    loads: dict[tuple[object, str], EagerLoad]

    def load_of(self, name: str) -> EagerLoad:
        """The sums of one relation."""
        key = (self.of.lineage, name)
        found = self.loads.get(key)
        if found is None:
            relation = relation_named(self.model, name).name
            found = self.loads[key] = self.scope.eager_load(relation, self.of.lineage)
        return found

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        _filled(self, name, value, sys._getframe(1))

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        _read(self, name, sys._getframe(1))
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As a dictionary's; a use like any other."""
        if name in self:
            _read(self, name, sys._getframe(1))
        return super().get(name, default)

    def copy(self) -> dict[str, Any]:
        """What is pickled or copied may be read elsewhere."""
        for name in self:
            _read(self, name, None)
        return dict(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (self.copy(),))


@guarded("django.eager_load_filled", None)
def _filled(cache: _Cache, name: str, value: object, caller: FrameType) -> None:
    if caller.f_code.co_name == _FILLING and _holds_rows(value):
        cache.load_of(name).loads += 1


@guarded("django.eager_load_read", None)
def _read(cache: _Cache, name: str, caller: FrameType | None) -> None:
    if not _looks(caller):
        cache.load_of(name).uses += 1


def _looks(frame: FrameType | None) -> bool:
    """Whether Django looks into the cache by itself: a prefetch into the level above, a save, a cascade."""
    for _ in range(_CALLERS):
        if frame is None:
            return False
        if frame.f_code in _looking:
            return True
        frame = frame.f_back
    return False


def _holds_rows(value: Any) -> bool:
    rows = getattr(value, "_result_cache", value)
    return bool(rows) if isinstance(rows, list) else rows is not None
