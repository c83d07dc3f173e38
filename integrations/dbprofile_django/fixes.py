"""What cures a finding, in the words of Django's ORM: the call to add, and the line of the queryset to add it to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from django.apps import apps

from dbprofile.hooks import CallSite, Fix, Lineage, Problem, guarded
from dbprofile_django.expressions import Call, Expression, find_expression
from dbprofile_django.relations import TO_MANY

__all__ = ["propose_fix"]

#: What a related manager is asked for that ``prefetch_related`` answers without a query of its own.
_PREFETCHED: Final = frozenset({"all", "contains", ""})
#: One row or some rows of each parent, in an order.
_CUT: Final = frozenset({"first", "last", "earliest", "latest", "slice"})

#: A loop over one operation, and the query or call that replaces it.
_LOOPS: Final = {
    "get": "read all rows at once: in_bulk(ids), or filter(pk__in=ids) and a dict",
    "first": "read all rows at once: filter(<field>__in=values) and a dict",
    "last": "read all rows at once: filter(<field>__in=values) and a dict",
    "exists": "ask once: the set of values_list(<field>) of filter(<field>__in=values)",
    "count": "count once: values(<field>).annotate(n=Count(…))",
    "aggregate": "aggregate once: values(<field>).annotate(…)",
    "": "ask once for all turns: WHERE … IN (…)",
}
_WRITES: Final = {
    "create": "{model}.objects.bulk_create(objects)",
    "save": "{model}.objects.bulk_update(objects, fields), or filter(…).update(…) for one value",
    "delete": "{model}.objects.filter(…).delete()",
    "get_or_create": "{model}.objects.bulk_create(objects, ignore_conflicts=True)",
    "update_or_create": "{model}.objects.bulk_create(objects, update_conflicts=True, …)",
    "update": "one update(…) with Case(When(…)), or bulk_update(objects, fields)",
    "add": "add(*objects) from the other side, or bulk_create of the rows between",
}


@guarded("django.fix", None)
def propose_fix(problem: Problem) -> Fix | None:
    """The fix for a problem with Django's statements; ``None`` where nothing better is known than the finding itself."""
    if problem.kind == "n_plus_one":
        return _sibling_fix(problem)
    if problem.kind == "query_loop":
        return _advice(problem, _LOOPS.get(problem.operation, _LOOPS[""]))
    if problem.kind == "write_loop" and problem.operation in _WRITES:
        return _advice(problem, _WRITES[problem.operation].format(model=problem.model or "Model"))
    return None


def _advice(problem: Problem, text: str, *, leaves: int = 1, expression: str = "") -> Fix:
    place = problem.origin if problem.origin is not None else problem.trigger
    return Fix(text, place, expression, "advice", leaves, certain=False)


# --- loads for each of several rows ---------------------------------------------------------------------------------


def _sibling_fix(problem: Problem) -> Fix | None:
    if problem.variant == "recursive":
        return _advice(problem, "read the whole tree at once: a recursive CTE, or all rows and link them in memory")
    if problem.variant == "refresh":
        return _advice(problem, "read them again at once: filter(pk__in=ids) and a dict")
    if not problem.relation or not problem.chain:
        return None
    attribute = problem.relation.rpartition(".")[2]
    if problem.variant == "deferred":
        return _deferred(problem, attribute)
    if problem.variant == "per_row_prefetch":
        return _advice(problem, f'prefetch for all of them in one call: prefetch_related_objects(rows, "{attribute}")')
    path, to_many = _path(problem.chain)
    if problem.relation_kind not in TO_MANY:
        return _added(problem, "prefetch_related" if to_many else "select_related", path)
    if problem.operation in _PREFETCHED:
        return _added(problem, "prefetch_related", path)
    return _advice(problem, _for_each_parent(problem.operation, attribute, path))


def _path(chain: Sequence[Lineage]) -> tuple[str, bool]:
    """The relations from the first rows down, joined as Django wants them, and whether one on the way leads to many rows."""
    names = [link.name.rpartition(".")[2] for link in chain if link.name]
    return "__".join(names), any(link.kind == "P" or link.relation_kind in TO_MANY for link in chain)


def _for_each_parent(operation: str, attribute: str, path: str) -> str:
    if operation in {"count", "exists"}:
        single = f'annotate({attribute}_count=Count("{path}"))' if operation == "count" else "annotate(…=Exists(…))"
        return f'{single}; where the rows are read too, prefetch_related("{path}")'
    if operation in _CUT:
        return f'prefetch_related(Prefetch("{path}", queryset=….order_by(…)[:1], to_attr="…")) for the rows of each'
    if operation == "aggregate":
        return f'annotate(…) over "{path}" where the first rows are read'
    if operation in {"values", "iterator", "in_bulk"}:
        return f'prefetch_related("{path}") and read the attributes of {attribute}.all()'
    return f'prefetch_related(Prefetch("{path}", queryset=….filter(…), to_attr="…")) with the filter of the loop'


def _deferred(problem: Problem, column: str) -> Fix:
    text = f'read the column with the rows: drop defer("{column}"), or add "{column}" to only(…)'
    return _advice(problem, text, leaves=0)


# --- the call, and the line it belongs to ---------------------------------------------------------------------------


def _added(problem: Problem, method: str, path: str) -> Fix:
    call = Call(method, (f'"{path}"',))
    leaves = 0 if method == "select_related" else 1
    owner = problem.chain[0].name.rpartition(".")[0]
    expression = find_expression(problem.origin_path, owner, _managers(owner))
    if expression is None:
        return _uncertain(problem, call, leaves)
    kind, changed, edit = _edited(expression, call)
    by_chunks = method == "prefetch_related" and expression.ending is not None and expression.ending.name == "iterator"
    return Fix(str(changed), expression.place, str(edit), kind, leaves, certain=not by_chunks)


def _uncertain(problem: Problem, call: Call, leaves: int) -> Fix:
    """Where the queryset is written is not clear: the nearest line of Python, or the hook of whoever makes the queryset."""
    python = next((site for site in problem.origin_path if site.template is None), None)
    if python is not None:
        return Fix(f"{call} where the queryset is made", python.place(), str(call), "add_call", leaves, certain=False)
    text = (
        f"{call} in get_queryset() of the view" if problem.origin is not None else f"{call} where the rows are loaded"
    )
    return Fix(text, _place(problem.origin), str(call), "add_call", leaves, certain=False)


def _place(site: CallSite | None) -> CallSite | None:
    return site.place() if site is not None else None


def _edited(expression: Expression, call: Call) -> tuple[str, Expression, Call]:
    """The expression with the call: in place of a shorter one of its kind, else behind the last."""
    wanted = call.arguments[0].strip('"')
    for index, known in enumerate(expression.calls):
        if known.name != call.name or not known.arguments:
            continue
        shorter = [argument for argument in known.arguments if _leads_to(argument.strip("\"'"), wanted)]
        if shorter:
            kept = tuple(call.arguments[0] if argument in shorter[:1] else argument for argument in known.arguments)
            edit = Call(call.name, tuple(argument for argument in kept if argument not in shorter[1:]))
            calls = (*expression.calls[:index], edit, *expression.calls[index + 1 :])
            return "replace", replace(expression, calls=calls), edit
    return "add_call", replace(expression, calls=(*expression.calls, call)), call


def _leads_to(known: str, wanted: str) -> bool:
    return bool(known) and wanted.startswith(known + "__")


def _managers(owner: str) -> set[str]:
    """Names of the managers of models of that name."""
    named = {"objects", "_default_manager", "_base_manager"}
    if apps.models_ready:
        named.update(
            manager.name for model in apps.get_models() if model.__name__ == owner for manager in model._meta.managers
        )
    return named
