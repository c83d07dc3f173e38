"""Relations by name and kind, and the Shape of a compiled statement: what can be told from it once for all its executions."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import inspect
from sqlalchemy.orm import RelationshipProperty
from sqlalchemy.orm.interfaces import MANYTOMANY, MANYTOONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "Relation",
    "Shape",
    "classes_beside",
    "column",
    "forget_relations",
    "heirs_of",
    "relation_of",
    "relations_in",
    "shape_of",
]


class Relation:
    """One relation: ``Order.customer``, owned by the class whose mapper declares it."""

    __slots__ = ("kind", "name")

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind


_relations: dict[int, tuple[RelationshipProperty[Any], Relation]] = {}
#: Relations kept by the identity of their property; beyond it each is read anew.
_RELATION_LIMIT: Final = 10_000


def relation_of(prop: RelationshipProperty[Any]) -> Relation:
    """The relation that a property of a mapper is."""
    found = _relations.get(id(prop))
    if found is None:
        found = (prop, Relation(f"{prop.parent.class_.__name__}.{prop.key}", _kind(prop)))
        if len(_relations) < _RELATION_LIMIT:
            _relations[id(prop)] = found
    return found[1]


def heirs_of(name: str) -> frozenset[str]:
    """The classes that have a relation: the one that declares it, and those that inherit it."""
    return frozenset(
        mapper.class_.__name__
        for prop, relation in list(_relations.values())
        if relation.name == name
        for mapper in prop.parent.self_and_descendants
    )


def classes_beside(name: str) -> frozenset[str]:
    """All mapped classes of the application that a relation belongs to; any other name for rows is an alias."""
    return frozenset(
        mapper.class_.__name__
        for prop, relation in list(_relations.values())
        if relation.name == name
        for mapper in prop.parent.registry.mappers
    )


def forget_relations() -> None:
    """Let go of the application's mappers."""
    _relations.clear()


def _kind(prop: RelationshipProperty[Any]) -> str:
    if prop.direction is MANYTOMANY:
        return "many_to_many"
    if prop.direction is MANYTOONE:
        # Nothing says that a foreign key is unique; that the way back leads to one row does.
        back = getattr(prop, "_reverse_property", ())
        return "one_to_one" if any(not other.uselist for other in back) else "many_to_one"
    return "one_to_many" if prop.uselist else "reverse_one_to_one"


def relations_in(path: Sequence[object]) -> list[Relation]:
    """The relations along a path of the mapper, in order."""
    return [relation_of(element) for element in path if isinstance(element, RelationshipProperty)]


def column(state: Any, key: str) -> str:
    """``Author.bio``: a column by the class whose mapper declares it."""
    prop = state.mapper.attrs.get(key)
    owner = prop.parent.class_ if prop is not None else state.class_
    return f"{owner.__name__}.{key}"


class Shape:
    """What a compiled statement says of itself.

    Attributes:
        orm: it loads objects; without it no row of it has a run id.
        path: the mapper's path that leads to its rows; empty for what the application asked itself.
        relation: the last relation of that path.
        entity: the class that the application selects first; empty where it selects none.
        only: the attributes it loads, of a refresh.
        writes: it is an INSERT, UPDATE or DELETE, or a text that may be one.
        returning: it writes and gives rows back.
        locks: it locks the rows it reads, also where its text does not show it.
        siblings: the collections that it joins into one row side by side.
    """

    __slots__ = ("entity", "locks", "only", "orm", "path", "relation", "returning", "siblings", "writes")

    def __init__(self, compiled: Any) -> None:
        state = getattr(compiled, "compile_state", None)
        options = getattr(state, "compile_options", None)
        path = getattr(options, "_current_path", None)
        self.orm = path is not None
        self.path: tuple[object, ...] = tuple(path.path) if path is not None else ()
        relations = relations_in(self.path)
        self.relation = relations[-1] if relations else None
        self.entity = _entity(compiled) if self.orm and not self.path else ""
        self.only: frozenset[str] = getattr(options, "_only_load_props", None) or frozenset()
        self.writes = bool(
            getattr(compiled, "isinsert", False)
            or getattr(compiled, "isupdate", False)
            or getattr(compiled, "isdelete", False)
        )
        self.returning = self.writes and bool(getattr(compiled, "effective_returning", ()))
        self.locks = getattr(getattr(compiled, "statement", None), "_for_update_arg", None) is not None
        self.siblings = _siblings(getattr(state, "attributes", None) or {}) if self.orm else ()


def _entity(compiled: Any) -> str:
    columns: Sequence[Any] = getattr(compiled.statement, "column_descriptions", ())
    entity = columns[0].get("entity") if columns else None
    return inspect(entity).mapper.class_.__name__ if entity is not None else ""


def _siblings(attributes: Mapping[Any, object]) -> tuple[str, ...]:
    """The collections that are joined into one row and do not hang on each other: their rows multiply."""
    paths = [key[1] for key in attributes if isinstance(key, tuple) and key[:1] == ("eager_row_processor",)]
    many = [path for path in paths if getattr(path[-1], "uselist", False)]
    found: dict[str, None] = {}
    for one, other in combinations(many, 2):
        shorter = min(len(one), len(other))
        if one[:shorter] != other[:shorter]:
            found.update(dict.fromkeys([relation_of(one[-1]).name, relation_of(other[-1]).name]))
    return tuple(found)


#: Of what the driver is handed as text, and of DDL.
PLAIN: Final = Shape(None)


def shape_of(compiled: Any) -> Shape:
    """The shape of a compiled statement, kept on it: SQLAlchemy caches compiled statements."""
    if compiled is None:
        return PLAIN
    try:
        shape: Shape = compiled._dbprofile_shape
    except AttributeError:
        shape = compiled._dbprofile_shape = Shape(compiled)
    return shape
