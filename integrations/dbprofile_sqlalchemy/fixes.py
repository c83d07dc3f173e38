"""The loader option that cures an N+1, chained from the rows that were selected down to the relation that loads one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dbprofile.hooks import CallSite, Fix, Problem, guarded
from dbprofile_sqlalchemy.advice import for_all_rows, for_all_turns
from dbprofile_sqlalchemy.relations import classes_beside, heirs_of
from dbprofile_sqlalchemy.selects import Selection, selection_at

if TYPE_CHECKING:
    from dbprofile.hooks import Lineage

__all__ = ["propose"]

_TO_MANY: Final = frozenset({"one_to_many", "many_to_many"})
_LOADERS: Final = ("joinedload", "selectinload", "subqueryload", "immediateload", "lazyload", "contains_eager")


@guarded("sqlalchemy.fixes", None)
def propose(problem: Problem) -> Fix | None:
    """The fix for a finding about SQLAlchemy's statements; ``None`` where no option of a query would help."""
    if problem.kind == "query_loop":
        return _advice(problem, for_all_turns(problem))
    if problem.kind == "write_loop":
        text = for_all_rows(problem)
        return _advice(problem, text) if text is not None else None
    if problem.kind == "unused_eager_load":
        return _advice(problem, f"leave out the loader option of {problem.relation}, or lazy= of the relationship")
    if problem.kind == "cartesian_product":
        return _advice(problem, f"selectinload({problem.relation}) instead of joinedload({problem.relation})")
    if problem.kind != "n_plus_one" or problem.relation is None:
        return None
    asked = problem.variant == problem.operation == "refresh"
    advice = _ADVICE.get("refresh()" if asked else problem.variant)
    if advice is not None:
        return Fix(advice.format(subject=problem.relation), leaves=1, certain=False)
    return _options(problem)


#: By what is special about the loads.
_ADVICE: Final = {
    "refresh()": "select the {subject} rows once, with .execution_options(populate_existing=True), instead of each refresh()",
    "refresh": "select the {subject} rows once again, or keep a commit from expiring them: sessionmaker(expire_on_commit=False)",
    "polymorphic": "load {subject} with the rows: selectin_polymorphic(base, [subclass]) or with_polymorphic()",
    "recursive": "read the whole tree of {subject} with one recursive common table expression",
}


def _advice(problem: Problem, text: str) -> Fix:
    place = problem.origin if problem.origin is not None else problem.trigger
    return Fix(text, place, leaves=1, certain=False)


def _options(problem: Problem) -> Fix | None:
    chain = problem.chain
    if not chain or chain[-1].name != problem.relation:
        return None  # beyond the depth of lineages: what lies between is not known
    owner = chain[0].name.partition(".")[0]
    origin = problem.origin
    found = selection_at(origin, owner) if origin is not None else None
    option = _option(chain, found)
    leaves = sum(link.relation_kind in _TO_MANY for link in problem.repeated)
    if origin is None:
        return Fix(
            f"add .options({option}) where the {owner} rows are loaded",
            None,
            f".options({option})",
            "add_options",
            leaves,
            False,
        )
    if found is None:
        return Fix(f".options({option})", origin, f".options({option})", "add_options", leaves, False)
    place = CallSite(origin.file, found.line, origin.function)
    sure = _is_heir(found, chain[0]) and problem.variant in {"", "deferred", "immediate"}
    old = _grown(found, option)
    if old:
        text = found.head.replace(old, option, 1) if old in found.head else f"{option} instead of {old}"
        return Fix(text, place, option, "replace", leaves, sure)
    if found.lookup:
        return Fix(f"{found.head[:-1]}, options=[{option}])", place, f"options=[{option}]", "add_options", leaves, sure)
    return Fix(f"{found.head}.options({option})", place, f".options({option})", "add_options", leaves, sure)


def _is_heir(found: Selection, link: Lineage) -> bool:
    """Whether the class that is selected has the relation: declares it, or inherits it."""
    selected = found.entity.rpartition(".")[2]
    return selected == link.name.partition(".")[0] or selected in heirs_of(link.name)


def _is_alias(found: Selection, link: Lineage) -> bool:
    classes = classes_beside(link.name)
    return bool(classes) and found.entity.rpartition(".")[2] not in classes


def _option(chain: tuple[Lineage, ...], found: Selection | None) -> str:
    """``joinedload(Book.author).joinedload(Author.country)``."""
    prefix = found.entity.rpartition(".")[0] if found is not None else ""
    calls: list[str] = []
    for link in chain:
        name = f"{prefix}.{link.name}" if prefix else link.name
        if found is not None and not calls and (_is_heir(found, link) or _is_alias(found, link)):
            # By the name under which the query knows its rows: a subclass, an alias.
            name = f"{found.entity}.{link.name.rpartition('.')[2]}"
        if link.relation_kind == "column":
            calls.append(f"undefer({name})")
        else:
            calls.append(f"{_loader(link, name, found)}({name})")
    return ".".join(calls)


def _loader(link: Lineage, name: str, found: Selection | None) -> str:
    """The loader of one link: the one that the query names already, else by what the relation leads to."""
    for option in found.options if found is not None else ():
        for loader in _LOADERS:
            if f"{loader}({name})" in option and link.kind in {"P", "S"}:
                return loader
    if link.kind == "P":
        return "selectinload"
    if link.kind == "S":
        return "joinedload"
    return "selectinload" if link.relation_kind in _TO_MANY else "joinedload"


def _grown(found: Selection, option: str) -> str:
    """The option of the query that the new one replaces: it begins with it, or names another loader for the same relation."""
    target = option.rpartition("(")[2]
    same = {f"{loader}({target}" for loader in ("immediateload", "lazyload", "defer")}
    return next((old for old in found.options if option.startswith(f"{old}.") or old in same), "")
