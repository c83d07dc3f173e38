"""Queries, lineages and profiles made by hand: what analysis, rules and renderers are tested with, without a database."""

from collections.abc import Hashable, Sequence
from itertools import count
from typing import Any

from dbprofile.capture.callsite import CallSite, Path
from dbprofile.capture.database import Database
from dbprofile.capture.profile import Profile
from dbprofile.capture.provenance import Lineage, Provenance
from dbprofile.capture.query import Query, digest

SQLITE = Database("default", system="sqlite", dialect="sqlite", paramstyle="qmark", library="testing")

_serials = count(1)

VIEW = CallSite("/app/shop/views.py", 27, "order_list")
LOOP = CallSite("/app/shop/views.py", 31, "order_list")
SERIALIZER = CallSite("/app/shop/serializers.py", 18, "to_representation")
MAIN = CallSite("/app/main.py", 3, "<module>")


def read(
    sql: str,
    parameters: Sequence[object] | None = (),
    *,
    path: Path = (LOOP, MAIN),
    at: float = 0.0,
    ms: float = 1.0,
    rows: int | None = 1,
    operation: str = "",
    lane: int = 0,
    transaction: int | None = None,
    role: str = "read",
    unit: Hashable = "unit",
    database: Database = SQLITE,
) -> Query:
    """A query of the application; ``at`` and ``ms`` are milliseconds, in order of making if ``at`` is 0."""
    started = round(at * 1e6) if at else next(_serials) * 2_000_000
    query = Query(
        sql, database, parameters=digest(parameters), started=started, seconds=ms / 1000, rows=rows, unit=unit
    )
    lineage = Lineage("Q", sql, path=path, database=database)
    query.provenance = Provenance(role, operation=operation, lineage=lineage, path=path)
    query.call_site = path[0] if path else None
    query.lane = lane
    query.transaction = transaction
    return query


def write(sql: str, parameters: Sequence[object] = (), **keywords: Any) -> Query:
    """A write of the application."""
    return read(sql, parameters, role="write", rows=None, **keywords)


def lazy(
    relation: str,
    parent: Hashable,
    above: Lineage,
    *,
    key: object = None,
    path: Path = (LOOP, MAIN),
    kind: str = "many_to_one",
    variant: str = "",
    unit: Hashable = "unit",
) -> Query:
    """A lazy load of a relation by one parent."""
    table = relation.partition(".")[2]
    query = read(
        f"SELECT id, name FROM {table} WHERE id = ?",
        (key if key is not None else next(_serials),),
        path=path,
        unit=unit,
    )
    query.provenance = Provenance(
        "lazy",
        variant=variant,
        relation=relation,
        relation_kind=kind,
        parent=parent,
        parent_lineage=above,
        lineage=above.child("R", relation, kind),
        path=path,
    )
    return query


def origin_of(query: Query) -> Lineage:
    """The lineage of a read's rows."""
    assert query.provenance is not None
    assert query.provenance.lineage is not None
    return query.provenance.lineage


def profile(*queries: Query, kind: str = "request", name: str = "GET /orders/", **keywords: object) -> Profile:
    """A closed scope that did these queries."""
    return Profile(kind=kind, name=name, queries=queries, unit="unit", **keywords)  # type: ignore[arg-type]
