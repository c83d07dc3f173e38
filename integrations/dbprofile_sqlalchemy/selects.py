"""The select() or query() call at a line of the application, read off its source when a report is made."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dbprofile.hooks import CallSite, Source, one_line, source_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Selection", "selection_at"]

#: Calls that begin a query, and those that load one object by its key.
_QUERIES: Final = frozenset({"select", "query"})
_LOOKUPS: Final = frozenset({"get", "get_one"})
#: Methods after which it is the same query still; what is added may stand behind the last of them.
_CLAUSES: Final = frozenset(
    {"where", "filter", "filter_by", "order_by", "join", "outerjoin", "join_from", "select_from", "limit", "offset"}
    | {"group_by", "having", "distinct", "slice", "options", "execution_options", "with_for_update", "add_columns"}
)
#: A longer expression is shown as its first call alone.
_WIDTH: Final = 100


@dataclass(frozen=True)
class Selection:
    """One call that says what is loaded."""

    head: str
    """Its source with the clauses behind it: ``select(Order).where(Order.open)``."""
    line: int
    entity: str
    """What it selects, as the source writes it: ``Order`` or ``models.Order``."""
    options: tuple[str, ...] = ()
    """Loader options that stand in the same statement already, as the source writes them."""
    lookup: bool = False
    """It loads by key and takes its options as an argument: ``session.get(Order, 1)``."""


def selection_at(origin: CallSite, owner: str) -> Selection | None:
    """What loaded the objects of a class at a line.

    Args:
        origin: the line that sent the query.
        owner: name of the class whose objects are wanted; where it is selected under another name, a sole candidate will do.

    Returns:
        ``None`` where the source cannot be read or leaves a choice.
    """
    source = source_of(origin.file)
    return _selection_in(source, origin.line, owner) if source is not None else None


@lru_cache(maxsize=256)
def _selection_in(source: Source, line: int, owner: str) -> Selection | None:
    # The same finding on every request: its source is read through once, until the file changes and is another Source.
    tree = source.tree
    if tree is None:
        return None
    for head in _heads(tree, line):
        found = _selections(source.text, head, owner)
        if found:
            return found[0] if len(found) == 1 else None
    function = _function(tree, line)
    found = _selections(source.text, function if function is not None else tree, owner)
    return found[0] if len(found) == 1 else None


def _spans(node: ast.AST, line: int) -> bool:
    end = getattr(node, "end_lineno", None)
    return end is not None and getattr(node, "lineno", line + 1) <= line <= end


def _heads(tree: ast.Module, line: int) -> Iterator[ast.AST]:
    """What stands on a line, innermost first: simple statements, and of those with a body what is before the colon."""
    round_line = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and _spans(node, line)]
    for statement in reversed(round_line):
        parts: list[ast.expr]
        if isinstance(statement, (ast.For, ast.AsyncFor)):
            parts = [statement.iter]
        elif isinstance(statement, (ast.If, ast.While)):
            parts = [statement.test]
        elif isinstance(statement, (ast.With, ast.AsyncWith)):
            parts = [item.context_expr for item in statement.items]
        elif hasattr(statement, "body"):
            continue
        else:
            yield statement
            continue
        yield from (part for part in parts if _spans(part, line))


def _function(tree: ast.Module, line: int) -> ast.AST | None:
    functions = [
        node
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and _spans(node, line)
    ]
    return functions[-1] if functions else None


def _selections(source: str, node: ast.AST, owner: str) -> list[Selection]:
    calls = list(_calls(node))
    named = [call for call in calls if _name(call.args[0]).rpartition(".")[2] == owner]
    return [_selection(source, node, call) for call in (named or calls)]


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and call.args and _name(call.args[0]):
            function = _last(call.func)
            if function in _QUERIES or (function in _LOOKUPS and _name(call.args[0]).rpartition(".")[2][:1].isupper()):
                yield call


def _selection(source: str, node: ast.AST, call: ast.Call) -> Selection:
    options = tuple(
        ast.unparse(option)
        for other in ast.walk(node)
        if isinstance(other, ast.Call) and _last(other.func) == "options" and _reaches(other, call)
        for option in other.args
    )
    lookup = _last(call.func) in _LOOKUPS
    whole = one_line(source, call if lookup else _chain(node, call))
    head = whole if len(whole) <= _WIDTH else one_line(source, call)
    return Selection(head, call.lineno, _name(call.args[0]), options, lookup)


def _chain(node: ast.AST, call: ast.Call) -> ast.Call:
    """The call with the clauses behind it: ``select(Order).where(Order.open)``."""
    longest = call
    for outer in reversed(list(ast.walk(node))):  # from the inside out
        if (
            isinstance(outer, ast.Call)
            and isinstance(outer.func, ast.Attribute)
            and outer.func.value is longest
            and outer.func.attr in _CLAUSES
        ):
            longest = outer
    return longest


def _reaches(outer: ast.Call, call: ast.Call) -> bool:
    return any(node is call for node in ast.walk(outer.func))


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _name(node: ast.expr) -> str:
    """``models.Order`` of a name or a dotted name; empty for any other expression."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _name(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
