"""Where a queryset is written: expressions on a model's manager in the source of a function, read at report time.

Querysets are lazy: the statement runs in the loop or the template, the line to edit is where the expression stands.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from dbprofile.hooks import CallSite, Source, one_line, source_of

__all__ = ["Call", "Expression", "calls_after", "find_expression"]

#: Functions that are looked into, from the origin outwards.
FUNCTIONS: Final = 5
#: A longer expression is shown without its arguments.
WIDTH: Final = 100

#: Calls after which there is no queryset any more; what is added goes before them.
_ENDS: Final = frozenset({"get", "first", "last", "earliest", "latest", "iterator"})
#: Calls that deliver no rows of the model: what they stand in loaded something else.
_OTHER: Final = frozenset(
    {"count", "exists", "aggregate", "create", "get_or_create", "update_or_create", "update", "delete", "bulk_create"}
    | {"bulk_update", "in_bulk", "values", "values_list", "dates", "datetimes", "explain", "contains"}
)


class Call(NamedTuple):
    """One call of a chain."""

    name: str
    arguments: tuple[str, ...]
    """As they are written, each in one line."""

    def __str__(self) -> str:
        return f".{self.name}({', '.join(self.arguments)})"


@dataclass(frozen=True)
class Expression:
    """A chain of calls on a manager, ``Order.objects.filter(open=True)``."""

    place: CallSite
    manager: str
    """``Order.objects``."""
    calls: tuple[Call, ...]
    ending: Call | None = None
    """The call that closes the chain and is no queryset, ``get()``."""
    cut: str = ""
    """``[:8]``: what is added goes before it, and it must not be lost."""
    one: bool = False
    """The cut takes one row, ``[0]``."""

    @property
    def is_raw(self) -> bool:
        """Whether its SQL is written by hand: it has no joins to add to."""
        return any(call.name == "raw" for call in self.calls)

    @property
    def delivers_many(self) -> bool:
        """Whether it can be the origin of several rows."""
        return not self.one and (self.ending is None or self.ending.name == "iterator")

    def with_call(self, call: Call) -> Expression:
        """The expression with one more call, before what closes it."""
        return replace(self, calls=(*self.calls, call))

    def without(self, name: str, argument: str) -> Expression:
        """The expression without one argument of its calls of a name, which is a text; and without a call that has no other."""
        calls = []
        for call in self.calls:
            kept = tuple(each for each in call.arguments if call.name != name or each.strip("\"'") != argument)
            if kept or not call.arguments:
                calls.append(Call(call.name, kept))
        return replace(self, calls=tuple(calls))

    def __str__(self) -> str:
        ending = () if self.ending is None else (self.ending,)
        text = "".join([self.manager, *map(str, self.calls), self.cut, *map(str, ending)])
        if len(text) <= WIDTH:
            return text
        return "".join([self.manager, *map(_elided, self.calls), self.cut, *map(_elided, ending)])


def _elided(call: Call) -> str:
    # Relations are names, and what the reader looks for.
    if call.name in {"select_related", "prefetch_related"}:
        return str(call)
    return f".{call.name}(…)" if call.arguments else str(call)


def find_expression(path: Sequence[CallSite], owner: str, managers: Collection[str]) -> Expression | None:
    """The one expression on a manager of ``owner`` in the nearest function of a path that has any; ``None`` if it is not clear.

    Args:
        path: the line at which the rows were loaded, and its callers.
        owner: name of the model's class.
        managers: names of its managers (``objects``).
    """
    functions = [site for site in path if site.template is None and site.function][:FUNCTIONS]
    for site in functions:
        source = source_of(site.file)
        found = _expressions(source, site.place(), owner, frozenset(managers)) if source is not None else ()
        if found:
            here = [expression for expression, there in found if there]
            many = [expression for expression, _ in found if expression.delivers_many]
            any_of = [expression for expression, _ in found]
            return next((chosen[0] for chosen in (here, many, any_of) if len(chosen) == 1), None)
    return None


def calls_after(site: CallSite | None, attribute: str) -> tuple[Call, ...]:
    """What is called on an attribute in a line: of ``author.books.filter(open=True).first()`` behind ``books`` the two calls.

    Empty where the line has no such attribute, or more than one.
    """
    source = source_of(site.file) if site is not None and site.template is None else None
    if site is None or source is None or source.tree is None:
        return ()
    found: list[tuple[Call, ...]] = []
    inner: set[int] = set()
    for node in ast.walk(_function(source.tree, site.line)):
        if (
            id(node) in inner
            or not isinstance(node, ast.Call)
            or not node.lineno <= site.line <= (node.end_lineno or 0)
        ):
            continue
        links = list(_links(node))
        at = next(
            (index for index, link in enumerate(links) if isinstance(link, ast.Attribute) and link.attr == attribute),
            None,
        )
        if at is not None:
            inner.update(map(id, links))
            calls = [
                link
                for link in reversed(links[:at])
                if isinstance(link, ast.Call) and isinstance(link.func, ast.Attribute)
            ]
            found.append(tuple(_call(call, source.text) for call in calls))
    return found[0] if len(found) == 1 else ()


@lru_cache(maxsize=256)
def _expressions(
    source: Source, site: CallSite, owner: str, managers: frozenset[str]
) -> tuple[tuple[Expression, bool], ...]:
    """The expressions in the function round a line, and whether they stand on it.

    Kept, because the same finding comes with every request; a file that changes is another Source.
    """
    if source.tree is None:
        return ()
    found = []
    for chain in _chains(_function(source.tree, site.line), owner, managers):
        expression = _expression(chain, source.text, site)
        if expression is not None:
            found.append((expression, chain[0].lineno <= site.line <= (chain[0].end_lineno or 0)))
    return tuple(found)


def _function(tree: ast.Module, line: int) -> ast.AST:
    """The innermost function round a line, or the class that begins on it; the module where it stands in none."""
    innermost: ast.AST = tree
    for node in ast.walk(tree):
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.lineno <= line <= (
            node.end_lineno or 0
        )
        begins = isinstance(node, ast.ClassDef) and node.lineno == line
        if (inside or begins) and getattr(node, "lineno", 0) > getattr(innermost, "lineno", 0):
            innermost = node
    return innermost


def _chains(function: ast.AST, owner: str, managers: Collection[str]) -> Iterator[list[ast.expr]]:
    """Each chain on a manager, from its end down to the manager itself."""
    inner: set[int] = set()
    for node in ast.walk(function):  # from the outside in: the whole chain is met before its parts
        if id(node) in inner or not isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
            continue
        chain: list[ast.expr] = []
        for link in _links(node):
            chain.append(link)
            if _is_manager(link, owner, managers):
                inner.update(map(id, chain))
                yield chain
                break


def _links(node: ast.expr) -> Iterator[ast.expr]:
    while isinstance(node, ast.Call | ast.Attribute | ast.Subscript):
        yield node
        node = node.func if isinstance(node, ast.Call) else node.value


def _is_manager(node: ast.expr, owner: str, managers: Collection[str]) -> bool:
    if not isinstance(node, ast.Attribute) or node.attr not in managers:
        return False
    model = node.value  # Order, or models.Order
    named = model.id if isinstance(model, ast.Name) else model.attr if isinstance(model, ast.Attribute) else ""
    return named == owner


def _expression(chain: Sequence[ast.expr], text: str, site: CallSite) -> Expression | None:
    calls: list[Call] = []
    ending: Call | None = None
    cut, one = "", False
    for node in reversed(chain):
        if isinstance(node, ast.Subscript):
            cut, one = f"[{one_line(text, node.slice)}]", not isinstance(node.slice, ast.Slice)
            continue
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        call = _call(node, text)
        asked = call.name.removeprefix("a")  # the asynchronous methods: aget, acount
        if call.name in _OTHER or asked in _OTHER:
            return None
        if call.name in _ENDS or asked in _ENDS:
            ending = call
            break
        calls.append(call)
    place = CallSite(site.file, chain[-1].lineno, site.function)
    return Expression(place, one_line(text, chain[-1]), tuple(calls), ending, cut, one)


def _call(node: ast.Call, text: str) -> Call:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    return Call(name, tuple(one_line(text, part) for part in (*node.args, *node.keywords)))
