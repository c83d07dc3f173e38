"""Problems of groups: what the providers of fixes are told of queries that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dbprofile.analysis.groups import Group, own_lineage, parent_lineage
from dbprofile.analysis.variation import varying
from dbprofile.capture.callsite import CallSite, Path
from dbprofile.capture.query import Query
from dbprofile.findings.finding import Fix
from dbprofile.findings.fixes import Problem, propose
from dbprofile.findings.places import place_of

__all__ = ["fix_of", "fix_of_query", "origin_of"]


def origin_of(group: Group) -> CallSite | None:
    """The line that loaded the rows which the members hang on, as their lineage says; else that of the group's origin."""
    above = parent_lineage(group.first)
    origin = above.origin if above is not None else None
    if origin is not None:
        return origin.place()
    return place_of(group.origin) if group.origin is not None else None


def fix_of(kind: str, group: Group, chain: Sequence[Group] = ()) -> Fix | None:
    """The fix that the library's provider proposes for a group; ``None`` where none knows one.

    Args:
        kind: of the finding.
        group: whose first member says what it is.
        chain: groups of the relations that lead to it, which the same edit cures; itself among them.
    """
    first = group.first
    why = first.provenance
    lineage, above = own_lineage(first), parent_lineage(first)
    chained = lineage is not None and lineage.kind == "R"
    seen = above is not None and above.root.kind == "Q"
    shown = next((query.statement for query in group.queries if query.statement.written), first.statement)
    fix = propose(
        Problem(
            library=first.database.library,
            kind=kind,
            relation=why.relation if why is not None else None,
            relation_kind=why.relation_kind if why is not None else "",
            operation=why.operation if why is not None else "",
            variant=group.variant,
            chain=lineage.chain if chained and lineage is not None else (),
            origin=origin_of(group),
            origin_path=above.root.path if above is not None and seen else _path_of(group.origin),
            trigger=place_of(first),
            count=group.size,
            model=why.model if why is not None else "",
            verb=shown.verb,
            statement=shown,
            columns=_columns(group.queries) if kind == "query_loop" else (),
            repeated=tuple(lineage for each in chain or (group,) if (lineage := own_lineage(each.first)) is not None),
        )
    )
    # Where the rows came from is only likely: so is the place of the edit.
    return fix if fix is None or seen else replace(fix, certain=False)


def _columns(queries: Sequence[Query]) -> tuple[str, ...]:
    compared = [value.column for value in varying(queries) if value.role in {"equal", "in"} and value.column]
    return tuple(dict.fromkeys(column.rpartition(".")[2].strip('"`[]') for column in compared))


def fix_of_query(kind: str, query: Query, relation: str | None) -> Fix | None:
    """The fix that the library's provider proposes for what is wrong with one query, or with one relation of its rows."""
    place = place_of(query)
    return propose(
        Problem(
            library=query.database.library,
            kind=kind,
            relation=relation,
            relation_kind="",
            operation="",
            variant="",
            chain=(),
            origin=place,
            origin_path=_path_of(query),
            trigger=place,
            count=1,
            statement=query.statement,
        )
    )


def _path_of(query: Query | None) -> Path:
    return query.provenance.path if query is not None and query.provenance is not None else ()
