"""Relation: how a relation between models is called and of which kind; and which one a related manager's queryset follows."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any, NamedTuple

from django.db.models import Model
from django.db.models.fields.related_descriptors import (
    ForwardManyToOneDescriptor,
    ManyToManyDescriptor,
    ReverseManyToOneDescriptor,
    ReverseOneToOneDescriptor,
)

__all__ = [
    "TO_MANY",
    "Relation",
    "backward",
    "called",
    "conditions",
    "forward",
    "generic",
    "known_generic",
    "known_relation",
    "relation_named",
    "siblings",
]

#: Kinds of relations that lead to any number of rows.
TO_MANY = frozenset({"one_to_many", "many_to_many", "generic_many"})


class Relation(NamedTuple):
    """A relation, seen from the model that has the attribute."""

    name: str
    """``Order.customer``: the class that declares it and the attribute."""
    kind: str
    """``many_to_one``, ``one_to_one``, ``reverse_one_to_one``, ``one_to_many``, ``many_to_many``, ``parent_link``, ``generic`` or ``generic_many``."""


@lru_cache(maxsize=4_096)
def called(model: Any) -> str:
    """The name by which code reaches a model: of a table that Django made for a many-to-many field ``Book.tags.through``."""
    maker: Any = getattr(getattr(model, "_meta", None), "auto_created", None)
    if not maker:
        return str(getattr(model, "__name__", ""))
    fields = (field.name for field in maker._meta.local_many_to_many if field.remote_field.through is model)
    return f"{maker.__name__}.{next(fields, '…')}.through"


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


def generic(key: Any) -> Relation:
    """The relation of a GenericForeignKey."""
    return Relation(f"{key.model.__name__}.{key.name}", "generic")


@lru_cache(maxsize=4_096)
def relation_named(model: type[Model], name: str) -> Relation:
    """The relation behind an attribute of a model; under the model's own name where it is none that is known."""
    descriptor = getattr(model, name, None)
    if isinstance(descriptor, ForwardManyToOneDescriptor):
        return forward(descriptor.field)
    if isinstance(descriptor, ReverseOneToOneDescriptor):
        return backward(descriptor.related, "reverse_one_to_one")
    field: Any = getattr(descriptor, "field", descriptor)
    if hasattr(field, "ct_field"):
        return generic(field)
    if hasattr(field, "object_id_field_name"):
        return Relation(f"{field.model.__name__}.{field.name}", "generic_many")
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
    instance = (getattr(queryset, "_hints", None) or {}).get("instance")
    if instance is None:
        return None
    known = getattr(queryset, "_known_related_objects", None) or {}
    for field, objects in known.items():
        if any(related is instance for related in objects.values()):
            return backward(field.remote_field, "one_to_many"), instance
    relation = _through(conditions(queryset.query), instance)
    return (relation, instance) if relation is not None else None


def conditions(query: Any) -> Sequence[Any]:
    """What the WHERE of a query joins by AND."""
    return getattr(getattr(query, "where", None), "children", ())


def _through(children: Sequence[Any], instance: Model) -> Relation | None:
    """The many-to-many relation whose table the query compares with the object's key."""
    for child in children:
        if hasattr(child, "children"):
            found = None if child.negated else _through(child.children, instance)
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


def siblings(query: Any) -> tuple[str, ...]:
    """The collections that a query joins into its rows side by side, so that they multiply each other.

    Where the rows are grouped, or doubles are taken out, somebody has thought of it.
    """
    if getattr(query, "distinct", False) or getattr(query, "group_by", None) is not None:
        return ()
    used = getattr(query, "alias_refcount", {})
    joins = {alias: join for alias, join in getattr(query, "alias_map", {}).items() if used.get(alias)}
    many = [alias for alias, join in joins.items() if getattr(getattr(join, "join_field", None), "one_to_many", False)]
    found: dict[str, None] = {}
    for one, other in combinations(many, 2):
        if other not in _above(one, joins) and one not in _above(other, joins):
            found.update(dict.fromkeys([_joined(joins[one]), _joined(joins[other])]))
    return tuple(found)


def _above(alias: str, joins: Mapping[str, Any]) -> list[str]:
    """The aliases that a join hangs on, itself first."""
    chain = [alias]
    while (parent := getattr(joins.get(chain[-1]), "parent_alias", None)) is not None:
        chain.append(parent)
    return chain


def _joined(join: Any) -> str:
    relation = join.join_field
    through = _by_through(relation.related_model, relation.field.name, relation.model)
    return (through or backward(relation, "one_to_many")).name


# --- generic relations ----------------------------------------------------------------------------------------------


def known_generic(queryset: Any) -> tuple[Relation, Hashable] | None:
    """The GenericRelation that a manager's queryset follows, and what stands for its object; ``None`` if it is no such.

    The queryset remembers no object: what it compares content type and key with tells both.
    """
    target = queryset.model
    keys = _generic_keys(target)
    if not keys:
        return None
    compared = {
        child.lhs.target.name: child.rhs
        for child in conditions(queryset.query)
        if getattr(child, "lookup_name", "") == "exact" and hasattr(getattr(child, "lhs", None), "target")
    }
    for type_field, key_field in keys:
        if type_field in compared and key_field in compared:
            relation = _relation_of_type(target, type_field, key_field, compared[type_field], queryset.db)
            key = compared[key_field]
            return (relation, (compared[type_field], hash(key))) if relation is not None else None
    return None


@lru_cache(maxsize=4_096)
def _generic_keys(model: type[Model]) -> tuple[tuple[str, str], ...]:
    """The fields of the model's generic foreign keys: content type and key of the object."""
    return tuple((key.ct_field, key.fk_field) for key in model._meta.private_fields if hasattr(key, "ct_field"))


def _relation_of_type(target: type[Model], type_field: str, key_field: str, number: Any, alias: str) -> Relation | None:
    # Only what is cached: a hook sends no statement of its own.
    types: Any = target._meta.get_field(type_field).related_model
    known = getattr(types.objects, "_cache", {}).get(alias, {}).get(number)
    owner = known.model_class() if known is not None else None
    for field in owner._meta.private_fields if owner is not None else ():
        names = (getattr(field, "content_type_field_name", None), getattr(field, "object_id_field_name", None))
        if names == (type_field, key_field) and issubclass(target, field.related_model):
            return Relation(f"{field.model.__name__}.{field.name}", "generic_many")
    return None
