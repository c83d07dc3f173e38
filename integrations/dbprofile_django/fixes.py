"""What cures a finding, in the words of Django's ORM: the call to add, and the line of the queryset to add it to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from django.apps import apps

from dbprofile.hooks import CallSite, Fix, Lineage, Problem, guarded
from dbprofile_django.advice import for_all_rows, for_all_turns, for_each_parent
from dbprofile_django.classes import administers, listing_class
from dbprofile_django.expressions import Call, Expression, find_expression
from dbprofile_django.relations import TO_MANY

__all__ = ["propose_fix"]

#: What a related manager is asked for that ``prefetch_related`` answers without a query of its own.
_PREFETCHED: Final = frozenset({"all", "contains", ""})


@guarded("django.fix", None)
def propose_fix(problem: Problem) -> Fix | None:
    """The fix for a problem with Django's statements; ``None`` where nothing better is known than the finding itself."""
    if problem.kind == "n_plus_one":
        return _sibling_fix(problem)
    if problem.kind == "query_loop":
        return _advice(problem, for_all_turns(problem))
    if problem.kind == "cartesian_product":
        name = (problem.relation or "").rpartition(".")[2]
        return _advice(problem, f'prefetch_related("{name}") and read .{name}.all(), instead of joining it')
    if problem.kind == "unused_eager_load":
        name = (problem.relation or "").rpartition(".")[2]
        return _advice(problem, f'leave out select_related or prefetch_related of "{name}"', leaves=0)
    text = for_all_rows(problem) if problem.kind == "write_loop" else None
    return _advice(problem, text) if text is not None else None


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
    expression = _expression(problem)
    text = for_each_parent(problem, path, expression)
    place = expression.place if expression is not None else _place(problem.origin)
    return Fix(text, place, "", "advice", leaves=0 if "annotate" in text else 1, certain=False)


def _path(chain: Sequence[Lineage]) -> tuple[str, bool]:
    """The relations from the first rows down, joined as Django wants them, and whether one on the way leads to many rows."""
    names = [link.name.rpartition(".")[2] for link in chain if link.name]
    return "__".join(names), any(link.kind == "P" or link.relation_kind in {*TO_MANY, "generic"} for link in chain)


def _deferred(problem: Problem, column: str) -> Fix:
    """The call that left the column out, without the column; or with it, where it names what is loaded."""
    expression = _expression(problem)
    for index, call in enumerate(expression.calls if expression is not None else ()):
        if expression is None or call.name not in {"defer", "only"}:
            continue
        named = [
            argument for argument in call.arguments if argument.strip("\"'") in {column, column.removesuffix("_id")}
        ]
        if call.name == "defer" and not named:
            continue
        kept = tuple(argument for argument in call.arguments if argument not in named)
        edit = Call(call.name, kept if call.name == "defer" else (*call.arguments, f'"{column.removesuffix("_id")}"'))
        others = len(expression.calls) > 1
        rest = (edit,) if edit.arguments else () if others else (Call("all", ()),)
        changed = replace(expression, calls=(*expression.calls[:index], *rest, *expression.calls[index + 1 :]))
        return Fix(str(changed), expression.place, str(edit), "replace", 0)
    text = f'read the column with the rows: drop defer("{column}"), or add "{column}" to only(…)'
    return _advice(problem, text, leaves=0)


# --- the call, and the line it belongs to ---------------------------------------------------------------------------


def _added(problem: Problem, method: str, path: str) -> Fix:
    expression = _expression(problem)
    if expression is not None and expression.is_raw:
        method = "prefetch_related"
    call = Call(method, (f'"{path}"',))
    # One for each relation that was loaded row by row and is prefetched now.
    leaves = 0 if method == "select_related" else len(problem.repeated)
    if expression is None:
        return _uncertain(problem, call, leaves)
    kind, changed, edit = _edited(expression, call)
    by_chunks = method == "prefetch_related" and expression.ending is not None and expression.ending.name == "iterator"
    return Fix(str(changed), expression.place, str(edit), kind, leaves, certain=not by_chunks)


def _expression(problem: Problem) -> Expression | None:
    """Where the first rows of the chain are asked for."""
    owner = problem.chain[0].name.rpartition(".")[0]
    return find_expression(problem.origin_path, owner, _managers(owner))


def _uncertain(problem: Problem, call: Call, leaves: int) -> Fix:
    """Where the queryset is written is not clear: the nearest line of Python, or the hook of whoever makes the queryset."""
    python = next((site for site in problem.origin_path if site.template is None), None)
    if python is None:
        text = (
            f"{call} in get_queryset() of the view"
            if problem.origin is not None
            else f"{call} where the rows are loaded"
        )
        return Fix(text, _place(problem.origin), str(call), "add_call", leaves, certain=False)
    administered = administers(python)
    if administered and call.name == "select_related":
        text = f"list_select_related = ({call.arguments[0]},)"
        return Fix(text, python.place(), text, "add_line", leaves, certain=False)
    listing = listing_class(python) if administered is None else python.function
    where = f"in get_queryset() of {listing}" if listing else "where the queryset is made"
    return Fix(f"{call} {where}", python.place(), str(call), "add_call", leaves, certain=False)


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
    return "add_call", expression.with_call(call), call


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
