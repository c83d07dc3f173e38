"""A fix, applied as a machine would: the expression at its place is replaced by the text of the fix."""

import ast
import inspect
from types import ModuleType
from typing import Any

from dbprofile import Fix


def applied(fix: Fix, module: ModuleType) -> dict[str, Any]:
    """The names of a module whose source was edited as the fix says."""
    assert fix.place is not None
    source = inspect.getsource(module)
    lines = source.splitlines(keepends=True)
    root = fix.text.partition("(")[0].rpartition(".")[0] or fix.text.partition("(")[0]
    segments = [
        (node, segment)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call | ast.Attribute | ast.Subscript)
        and node.lineno == fix.place.line
        and (segment := ast.get_source_segment(source, node) or "").startswith(root)
    ]
    assert segments, (fix.place, fix.text)
    node, segment = max(segments, key=lambda found: len(found[1]))
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    edited = source[:start] + fix.text + source[start + len(segment) :]
    names = dict(vars(module))
    exec(compile(edited, str(module.__file__), "exec"), names)
    return names
