"""Provenance: why a statement ran. Lineage: which query, relation by relation, a row or a statement descends from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dbprofile.capture.callsite import CallSite, Path
    from dbprofile.capture.database import Database

__all__ = ["Batch", "Lineage", "Provenance", "Token"]

#: A chain of lineages goes no deeper; what lies below hangs on the last link.
LINEAGE_DEPTH: Final = 16


class Lineage:
    """Where rows come from: a tree whose nodes hold their children, so that a node is interned by asking its parent.

    Attributes:
        kind: ``Q`` rows of an ordinary query, ``R`` rows of a lazy load, ``P`` rows of an eager load, ``S`` rows that came
            joined into another row, ``U`` rows of unknown origin.
        name: the relation (``Order.customer``), or for ``S`` the path from the row; the text as sent for ``Q``; empty for ``U``.
        relation_kind: of ``R``, ``P`` and ``S``, as in ``Provenance.relation_kind``; for a chain the kinds joined by dots.
        parent: the lineage of the rows that this one hangs on; ``None`` for ``Q`` and ``U``.
        path: where it was first seen: of ``Q`` the origin, of ``U`` the trigger.
        database: of ``Q``, where its text was sent.
        members: queries with this lineage so far, kept by the hooks to decide how far to walk.
    """

    __slots__ = ("_children", "database", "depth", "kind", "members", "name", "parent", "path", "relation_kind")

    def __init__(
        self,
        kind: str,
        name: str,
        parent: Lineage | None = None,
        path: Path = (),
        relation_kind: str = "",
        database: Database | None = None,
    ) -> None:
        self.kind = kind
        self.name = name
        self.parent = parent
        self.path = path
        self.relation_kind = relation_kind
        self.database = database
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.members = 0
        self._children: dict[tuple[str, str], Lineage] | None = None

    def child(self, kind: str, name: str, relation_kind: str = "") -> Lineage:
        """The lineage of the rows that hang on these by a relation; the same object each time it is asked."""
        children = self._children
        if children is None:
            children = self._children = {}
        found = children.get((kind, name))
        if found is None:
            if self.depth >= LINEAGE_DEPTH:
                return self
            found = children[kind, name] = Lineage(kind, name, self, relation_kind=relation_kind)
        return found

    def ancestor(self, kind: str, name: str) -> Lineage | None:
        """This link or the nearest one above it with that kind and name: a relation that recurs."""
        link: Lineage | None = self
        while link is not None:
            if link.kind == kind and link.name == name:
                return link
            link = link.parent
        return None

    @property
    def root(self) -> Lineage:
        """The query at the top: what loaded the first rows."""
        link = self
        while link.parent is not None:
            link = link.parent
        return link

    @property
    def chain(self) -> tuple[Lineage, ...]:
        """The links below the root, outermost first."""
        links = []
        link = self
        while link.parent is not None:
            links.append(link)
            link = link.parent
        return tuple(reversed(links))

    @property
    def origin(self) -> CallSite | None:
        """The line at which the first rows were loaded; ``None`` where their origin is unknown."""
        root = self.root
        return root.path[0] if root.kind == "Q" and root.path else None

    def __repr__(self) -> str:
        # Without the name of a Q: it is SQL as sent, and may hold literals.
        name = "" if self.kind == "Q" else f" {self.name}"
        above = f"{self.parent!r} -> " if self.parent is not None else ""
        return f"{above}{self.kind}{name}"


class Batch:
    """The label on the rows that one execution delivered. Pickles as ``None``, also where dbprofile is absent."""

    __slots__ = ("digest", "lineage", "number")

    def __init__(self, lineage: Lineage, number: int, digest: int | None = None) -> None:
        self.lineage = lineage
        self.number = number
        self.digest = digest

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return (type(None), ())


class Token:
    """The identity of one parent object, which outlives the object (``id()`` does not). Pickles as ``None``.

    Args:
        key: hash of the parent's primary key, ``None`` where it has none.
        batch: the label of the execution that delivered it. Within one execution each object is a parent; across executions
            with equal text and parameters each row is, else a poll that reloads one row would look like a loop over many.
    """

    __slots__ = ("batch", "key")

    def __init__(self, key: int | None = None, batch: Batch | None = None) -> None:
        self.key = key
        self.batch = batch

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return (type(None), ())


class Provenance:
    """Why a statement ran.

    Attributes:
        role: ``read``, ``write``, ``lazy`` (a relation or column of a known parent), ``eager`` or ``infra``.
        variant: what is special about it: ``deferred``, ``refresh``, ``polymorphic``, ``immediate``, ``per_row_prefetch``,
            ``recursive``; empty for an ordinary load.
        operation: the call that the application made: ``get``, ``first``, ``count``, ``exists``, ``save``, ``flush`` …
        model: of a write, the class that is written.
        invocation: one number for all statements of one call of the application; ``None`` means each is one of its own.
        relation: ``Order.customer``: the owning class and the relation, or the column of a deferred load.
        relation_kind: ``many_to_one``, ``one_to_one``, ``reverse_one_to_one``, ``one_to_many``, ``many_to_many``, ``generic``,
            ``column``, ``parent_link``.
        parent: identity of the object that asked; hashable, never an ``id()``.
        parent_lineage: where that object came from.
        lineage: of this statement's rows.
        path: lines of the application, innermost first, out to the scope's root; shared by all statements of one place.
        template, field: the template's name, the serializer's field path, where the statement ran below one.
        infrastructure: of ``infra``: ``connect``, ``schema``, ``cachefill``, ``tool`` (not counted), ``session``,
            ``user``, ``command`` (counted).
    """

    __slots__ = (
        "field",
        "infrastructure",
        "invocation",
        "lineage",
        "model",
        "operation",
        "parent",
        "parent_lineage",
        "path",
        "relation",
        "relation_kind",
        "role",
        "template",
        "variant",
    )

    def __init__(
        self,
        role: str = "read",
        *,
        variant: str = "",
        operation: str = "",
        model: str = "",
        invocation: Hashable = None,
        relation: str | None = None,
        relation_kind: str = "",
        parent: Hashable = None,
        parent_lineage: Lineage | None = None,
        lineage: Lineage | None = None,
        path: Path = (),
        template: str | None = None,
        field: str | None = None,
        infrastructure: str = "",
    ) -> None:
        self.role = role
        self.variant = variant
        self.operation = operation
        self.model = model
        self.invocation = invocation
        self.relation = relation
        self.relation_kind = relation_kind
        self.parent = parent
        self.parent_lineage = parent_lineage
        self.lineage = lineage
        self.path = path
        self.template = template
        self.field = field
        self.infrastructure = infrastructure

    def __repr__(self) -> str:
        return f"Provenance({self.role!r}, relation={self.relation!r}, operation={self.operation!r})"
