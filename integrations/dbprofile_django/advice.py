"""What one statement for all would be, where no single call cures it: for what is asked of each parent, in each turn, for each row."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from django.apps import apps

from dbprofile.hooks import Problem
from dbprofile_django.expressions import Call, Expression, calls_after
from dbprofile_django.relations import called

__all__ = ["for_all_rows", "for_all_turns", "for_each_parent"]

#: Calls that take one row or some rows of each parent, and how the rows of all parents are cut to them.
_CUT: Final = {
    "first": "[:1]",
    "earliest": "[:1]",
    "last": ".reverse()[:1]",
    "latest": ".reverse()[:1]",
    "slice": "[:…]",
}

#: A loop over one operation, and the query or call that replaces it.
_LOOPS: Final = {
    "get": "read all rows at once: {model}.objects.filter({field}__in=values) and a dict",
    "first": "read all rows at once: {model}.objects.filter({field}__in=values) and a dict",
    "last": "read all rows at once: {model}.objects.filter({field}__in=values) and a dict",
    "exists": 'ask once: the set of {model}.objects.filter({field}__in=values).values_list("{field}", flat=True)',
    "count": 'count once: {model}.objects.values("{field}").annotate(n=Count("pk"))',
    "aggregate": 'aggregate once: {model}.objects.values("{field}").annotate(…)',
    "": "ask once for all turns: {model}.objects.filter({field}__in=values)",
}
_BY_KEY: Final = "read all rows at once: {model}.objects.in_bulk(ids), or filter(pk__in=ids) and a dict"
_WRITES: Final = {
    ("create", "INSERT"): "{model}.objects.bulk_create(objects)",
    ("save", "INSERT"): "{model}.objects.bulk_create(objects)",
    ("save", "UPDATE"): "{model}.objects.bulk_update(objects, fields), or filter(…).update(…) for one value",
    ("delete", ""): "{model}.objects.filter(…).delete()",
    ("get_or_create", ""): "{model}.objects.bulk_create(objects, ignore_conflicts=True)",
    ("update_or_create", ""): "{model}.objects.bulk_create(objects, update_conflicts=True, …)",
    ("update", ""): "one update(…) with Case(When(…)), or {model}.objects.bulk_update(objects, fields)",
    ("add", ""): "add(*objects) from the other side, or bulk_create of the rows between",
    ("set", ""): "bulk_create and delete() of the rows between, for all at once",
    ("remove", ""): "remove(*objects) from the other side, or delete() of the rows between",
    ("clear", ""): "delete() of the rows between, for all at once",
}


def for_all_turns(problem: Problem) -> str:
    """The one query for a loop of reads."""
    if not problem.model:
        return f"ask once for all turns: WHERE {', '.join(problem.columns) or '<column>'} IN (…)"
    if not problem.columns and problem.statement is not None and problem.statement.traits.has_offset:
        return "read the rows at once: a list of them, and its elements"
    field = _compared(problem)
    by_key = problem.operation == "get" and field == "pk"
    text = _BY_KEY if by_key else _LOOPS.get(problem.operation, _LOOPS[""])
    return text.format(model=problem.model, field=field or "<field>")


def _compared(problem: Problem) -> str:
    """The field that tells the turns apart, by the name that lookups know it by; empty where it is none of the model's own."""
    models = apps.get_models(include_auto_created=True) if apps.models_ready and len(problem.columns) == 1 else ()
    fields = [field for model in models if called(model) == problem.model for field in model._meta.concrete_fields]
    found = next((field for field in fields if field.column == problem.columns[0]), None)
    if found is None:
        return ""
    return "pk" if found.primary_key else found.attname


def for_all_rows(problem: Problem) -> str | None:
    """The one call for a loop of writes; ``None`` where Django has none."""
    if not problem.operation and not problem.model:
        return "cursor.executemany(sql, rows) once, with a list"
    text = _WRITES.get((problem.operation, problem.verb)) or _WRITES.get((problem.operation, ""))
    return text.format(model=problem.model or "Model") if text is not None else None


# --- what is asked of each parent -----------------------------------------------------------------------------------


def for_each_parent(problem: Problem, path: str, expression: Expression | None) -> str:
    """How to ask it of all parents at once, written at the rows that they come from.

    Args:
        problem: whose operation narrows, orders, cuts or sums up the rows of each parent.
        path: the relations from the first rows down.
        expression: where those are asked for; ``None`` where that is not clear.
    """
    attribute = path.rpartition("__")[2]
    asked = calls_after(problem.trigger, attribute)
    call, then = _at_once(problem.operation, attribute, path, asked, _other_side(problem))
    place = f"{call} where the rows are read"
    if expression is not None:
        # A prefetch of all rows of each parent is thrown away by what narrows them.
        place = str(expression.without("prefetch_related", path).with_call(call))
    return f"{place}; {then}"


class _OtherSide(NamedTuple):
    """The model that a relation leads to, and the name under which its queries know the way back."""

    model: str
    back: str


def _other_side(problem: Problem) -> _OtherSide:
    owner, _, name = (problem.relation or "").partition(".")
    for model in apps.get_models() if apps.models_ready else ():
        if model.__name__ == owner:
            descriptor: Any = getattr(model, name, None)
            relation = getattr(descriptor, "rel", None)
            if relation is not None:
                forward = relation.field.model is not model or getattr(descriptor, "reverse", False)
                other = relation.field.model if forward else relation.model
                return _OtherSide(
                    other.__name__, relation.field.name if forward else relation.field.related_query_name()
                )
    return _OtherSide("…", "…")


def _at_once(operation: str, attribute: str, path: str, asked: tuple[Call, ...], other: _OtherSide) -> tuple[Call, str]:
    """The call to add, and what to read instead."""
    narrowed = [call for call in asked if call.name in {"filter", "exclude"}]
    if operation == "count" and not narrowed:
        return Call("annotate", (f'{attribute}_count=Count("{path}", distinct=True)',)), f"read .{attribute}_count"
    rows = f"{other.model}.objects" + "".join(str(call) for call in asked if call.name not in _ENDING)
    if operation in {"exists", "count"}:
        condition = f'{other.model}.objects.filter({other.back}=OuterRef("pk"))' + "".join(map(str, narrowed))
        if operation == "exists":
            return Call("annotate", (f"has_{attribute}=Exists({condition})",)), f"read .has_{attribute}"
        counted = ", ".join(argument for call in narrowed for argument in call.arguments)
        prefixed = re.sub(r"(^|, )(?=\w+=)", rf"\1{path}__", counted)
        return (
            Call("annotate", (f'{attribute}_count=Count("{path}", filter=Q({prefixed}), distinct=True)',)),
            f"read .{attribute}_count",
        )
    if operation == "aggregate":
        sums = ", ".join(argument for call in asked if call.name == "aggregate" for argument in call.arguments)
        return Call("annotate", (re.sub(r"""\((["'])""", rf"(\1{path}__", sums) or "…",)), "read the attribute"
    if operation in _CUT:
        ordered = rows if "order_by" in rows else f'{rows}.order_by("pk")'
        prefetch = f'Prefetch("{path}", queryset={ordered}{_CUT[operation]}, to_attr="{operation}_{attribute}")'
        return Call("prefetch_related", (prefetch,)), f"read .{operation}_{attribute}"
    if operation in {"values", "iterator", "in_bulk"}:
        return Call("prefetch_related", (f'"{path}"',)), f"read the attributes of {attribute}.all()"
    queryset = rows if rows != f"{other.model}.objects" else f"{rows}.filter(…)"
    prefetch = f'Prefetch("{path}", queryset={queryset}, to_attr="chosen_{attribute}")'
    return Call("prefetch_related", (prefetch,)), f"read .chosen_{attribute}"


#: Calls that end a queryset.
_ENDING: Final = frozenset(
    {"first", "last", "earliest", "latest", "all", "count", "exists", "aggregate", "iterator", "get"}
)
