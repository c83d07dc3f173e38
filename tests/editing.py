"""A fix, applied as a machine would: the expression at its place is replaced by the text of the fix."""

import ast
import inspect
from types import ModuleType
from typing import Any

from dbprofile import Fix


def edited(source: str, fix: Fix) -> str:
    """A source with the longest expression at the fix's place that begins as the fix does replaced by it."""
    assert fix.place is not None
    root = fix.text.partition("(")[0]
    begins = (root, root.rpartition(".")[0] or root)
    found = [
        (node, segment)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call | ast.Attribute | ast.Subscript)
        and node.lineno == fix.place.line
        and (segment := ast.get_source_segment(source, node) or "").startswith(begins)
        and _is_query(node)
    ]
    assert found, (fix.place, fix.text)
    node, segment = max(found, key=lambda each: len(each[1]))
    start = sum(map(len, source.splitlines(keepends=True)[: node.lineno - 1])) + node.col_offset
    return source[:start] + fix.text + source[start + len(segment) :]


#: What ends a query of SQLAlchemy's, and is no part of a fix.
_ENDS = {"all", "first", "one", "scalars", "one_or_none", "scalar"}


def _is_query(node: ast.expr) -> bool:
    return not (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ENDS
    ) and not (isinstance(node, ast.Attribute) and node.attr in _ENDS)


def applied(fix: Fix, module: ModuleType, **imported: object) -> dict[str, Any]:
    """The names of a module whose source was edited as the fix says, with what an editor would import for it."""
    names = {**vars(module), **imported}
    exec(compile(edited(inspect.getsource(module), fix), str(module.__file__), "exec"), names)
    return names
