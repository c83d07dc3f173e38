"""Labels on rows: which execution delivered an object, so that siblings are known when each of them loads something.

A label is one attribute of the object's ``_state``; objects that came joined into a row have a label of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, count
from types import FrameType
from typing import Any, Final

from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.query import ModelIterable, RawModelIterable

from dbprofile.hooks import Batch, Lineage, Stopwatch, Token, current_scope, guarded
from dbprofile_django.building import BUILDING, begin_building, end_building
from dbprofile_django.relations import relation_named
from dbprofile_django.uses import audited, is_auditing

__all__ = ["announce", "label_of", "label_rows", "leave_rows", "token_of"]

#: The attribute of ``_state`` that holds an object's Batch, and of an iterable that of the rows it yields.
LABEL: Final = "_dbprofile"
TOKEN: Final = "_dbprofile_token"  # noqa: S105 - no password

_Iterate = Callable[[Any], Iterator[Any]]
_originals: dict[type, _Iterate] = {}
_executions = count(1)


def label_of(instance: Any) -> Batch | None:
    """The execution that delivered an object; ``None`` for one that was made, unpickled, or loaded outside any scope."""
    label: Batch | None = getattr(instance._state, LABEL, None)
    return label


def token_of(instance: Any) -> Token:
    """The identity of an object, made when it is first asked for; unlike its ``id()`` it is never used twice."""
    state = instance._state
    token: Token | None = getattr(state, TOKEN, None)
    if token is None:
        try:
            key = hash(instance.pk)
        except TypeError:
            key = None
        token = Token(key, label_of(instance))
        setattr(state, TOKEN, token)
    return token


def announce(frame: FrameType, lineage: Lineage, watch: Stopwatch) -> None:
    """Say where the rows of an iterable come from, during its first step; what its later steps send changes nothing."""
    iterable = frame.f_locals["self"]
    known = iterable.__dict__
    if known.get(LABEL) is None:
        digest = watch.query.parameters
        if LABEL in known:  # it was begun in a scope
            begin_building(iterable, watch, frame)
        known[LABEL] = Batch(lineage, next(_executions), digest.hash if digest is not None else None)


def label_rows() -> None:
    """Have the iterables of model instances label what they yield while a scope is open."""
    # CPython shares the keys of attributes among the objects of a class if they are known before the first real object.
    primer = ModelState()
    setattr(primer, LABEL, None)
    setattr(primer, TOKEN, None)
    for kind in (ModelIterable, RawModelIterable):
        if kind not in _originals:
            _originals[kind] = kind.__iter__
            kind.__iter__ = _labelling(kind.__iter__)  # type: ignore[method-assign]


def leave_rows() -> None:
    """Undo ``label_rows``, where nobody has replaced ours since."""
    for kind, original in list(_originals.items()):
        if getattr(kind.__iter__, "__wrapped__", None) is original:  # type: ignore[attr-defined]
            kind.__iter__ = original  # type: ignore[attr-defined]
            del _originals[kind]


def _labelling(original: _Iterate) -> _Iterate:
    def __iter__(self: Any) -> Iterator[Any]:  # noqa: N807 - it replaces the method of that name
        rows = original(self)
        return rows if current_scope() is None else _labelled(self, rows)

    __iter__.__wrapped__ = original  # type: ignore[attr-defined]
    return __iter__


def _labelled(iterable: Any, rows: Iterator[Any]) -> Iterator[Any]:
    # The hook of the statement leaves the Batch on the iterable, during the first step.
    setattr(iterable, LABEL, None)
    try:
        for row in rows:
            batch: Batch | None = getattr(iterable, LABEL)
            if batch is None:
                yield row
                yield from rows
            elif is_auditing():
                yield from audited(_labelled_with_joined(row, rows, batch), batch, LABEL)
            elif _joins(iterable):
                yield from _labelled_with_joined(row, rows, batch)
            else:
                _label(row, batch)
                yield row
                for other in rows:
                    try:  # noqa: SIM105 - suppress() would be three calls for every row
                        other._state._dbprofile = batch
                    except AttributeError:
                        pass  # an object that a from_db() of the application's made, and no Model
                    yield other
    finally:
        watch = iterable.__dict__.pop(BUILDING, None)
        if watch is not None:
            end_building(watch)


def _labelled_with_joined(first: Any, rows: Iterator[Any], batch: Batch) -> Iterator[Any]:
    children: dict[Any, Batch] = {}
    for row in chain((first,), rows):
        _label(row, batch)
        _label_joined(row, batch, children)
        yield row


@guarded("django.label", None, hot=True)
def _label(row: Any, batch: Batch) -> None:
    state = getattr(row, "_state", None)
    if state is not None:
        setattr(state, LABEL, batch)


@guarded("django.rows", False, hot=True)
def _joins(iterable: Any) -> bool:
    return bool(getattr(iterable.queryset.query, "select_related", False))


@guarded("django.joined_rows", None)
def _label_joined(row: Any, batch: Batch, children: dict[Any, Batch]) -> None:
    """Label what ``select_related`` put into a row, by the relations that lead to it: two joined rows of one class are no siblings."""
    state = getattr(row, "_state", None)
    for name, child in state.fields_cache.items() if state is not None else ():
        if not isinstance(child, Model) or label_of(child) is not None:
            continue
        label = children.get((batch, name))
        if label is None:
            model: Any = type(row)
            relation = relation_named(model, name)
            lineage = batch.lineage.child("S", relation.name, relation.kind)
            label = children[batch, name] = Batch(lineage, batch.number, batch.digest)
        setattr(child._state, LABEL, label)
        _label_joined(child, label, children)
