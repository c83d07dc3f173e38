"""Relation: how a relation between models is called and of which kind; and which one a related manager's queryset follows."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Model
from django.db.models.fields.related_descriptors import (
    ForwardManyToOneDescriptor,
    ManyToManyDescriptor,
    ReverseManyToOneDescriptor,
    ReverseOneToOneDescriptor,
)

__all__ = ["TO_MANY", "Relation", "backward", "forward", "known_relation", "relation_named"]

#: Kinds of relations that lead to any number of rows.
TO_MANY = frozenset({"one_to_many", "many_to_many", "generic_many"})


class Relation(NamedTuple):
    """A relation, seen from the model that has the attribute."""

    name: str
    """``Order.customer``: the class that declares it and the attribute."""
    kind: str
    """``many_to_one``, ``one_to_one``, ``reverse_one_to_one``, ``one_to_many``, ``many_to_many`` or ``parent_link``."""


def forward(field: Any) -> Relation:
    """The relation of a foreign key or one-to-one field."""
    kind = "one_to_one" if field.one_to_one else "many_to_one"
    if field.remote_field.parent_link:
        kind = "parent_link"
    return Relation(f"{field.model.__name__}.{field.name}", kind)


def backward(relation: Any, kind: str) -> Relation:
    """A relation from the side that does not hold the key; a hidden one by the name under which queries know it."""
    name = relation.get_accessor_name() or relation.name
    return Relation(f"{relation.model.__name__}.{name}", kind)


@lru_cache(maxsize=4_096)
def relation_named(model: type[Model], name: str) -> Relation:
    """The relation behind an attribute of a model; under the model's own name where it is none that is known."""
    descriptor = getattr(model, name, None)
    if isinstance(descriptor, ForwardManyToOneDescriptor):
        return forward(descriptor.field)
    if isinstance(descriptor, ReverseOneToOneDescriptor):
        return backward(descriptor.related, "reverse_one_to_one")
    if isinstance(descriptor, ManyToManyDescriptor):
        return _many_to_many(descriptor.rel, reverse=descriptor.reverse)
    if isinstance(descriptor, ReverseManyToOneDescriptor):
        return backward(descriptor.rel, "one_to_many")
    return Relation(f"{model.__name__}.{name}", "")


def _many_to_many(relation: Any, *, reverse: bool) -> Relation:
    if reverse:
        return backward(relation, "many_to_many")
    return Relation(f"{relation.field.model.__name__}.{relation.field.name}", "many_to_many")


def known_relation(queryset: Any) -> tuple[Relation, Model] | None:
    """The relation that a related manager's queryset follows, and the object whose manager it was; ``None`` if it is no such.

    Managers have no frame of their own when the query runs, but the queryset remembers whom it belongs to.
    """
    instance = queryset._hints.get("instance")
    if instance is None:
        return None
    known = getattr(queryset, "_known_related_objects", None) or {}
    for field, objects in known.items():
        if any(related is instance for related in objects.values()):
            return backward(field.remote_field, "one_to_many"), instance
    relation = _through(queryset.query.where, instance)
    return (relation, instance) if relation is not None else None


def _through(node: Any, instance: Model) -> Relation | None:
    """The many-to-many relation whose table the query compares with the object's key."""
    for child in node.children:
        if hasattr(child, "children"):
            found = None if child.negated else _through(child, instance)
        else:
            target = getattr(getattr(child, "lhs", None), "target", None)
            model = getattr(target, "model", None)
            found = _by_through(model, target.name, type(instance)) if target is not None and model else None
        if found is not None:
            return found
    return None


@lru_cache(maxsize=4_096)
def _by_through(through: type[Model], column: str, owner: type[Model]) -> Relation | None:
    for model in through._meta.apps.get_models(include_auto_created=True):
        for field in model._meta.local_many_to_many:
            relation: Any = field.remote_field
            if relation.through is not through:
                continue
            if field.m2m_field_name() == column and issubclass(owner, field.model):
                return _many_to_many(relation, reverse=False)
            if field.m2m_reverse_field_name() == column and issubclass(owner, relation.model):
                return _many_to_many(relation, reverse=True)
    return None
