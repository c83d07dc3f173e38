"""The loops of a source file: whether an instruction stands in one, and whether that loop goes over something or only repeats.

Answered from the source when a report is made: newer Pythons inline comprehensions, so that no frame tells of them.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from dbprofile.capture.source import source_of

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["is_in_loop", "only_repeats"]

#: Source files whose loops are remembered.
FILES: Final = 512
#: What a loop goes over that only tries again.
_COUNTING: Final = frozenset({"range", "count", "repeat"})


def is_in_loop(code: CodeType, offset: int) -> bool:
    """Whether an instruction lies where a loop of its own function repeats it.

    That is the body of a ``for`` or ``while``, the test of a ``while``, and a comprehension outside its first iterable, which is
    evaluated once.

    Args:
        code: the code object.
        offset: of the instruction, in bytes.
    """
    return _innermost(code, offset) is not None


def only_repeats(code: CodeType, offset: int) -> bool | None:
    """Whether the innermost loop round an instruction goes over nothing: a ``while``, a ``for`` over range, count or repeat.

    Returns:
        ``None`` where no loop of the function repeats the instruction.
    """
    return _innermost(code, offset)


def _innermost(code: CodeType, offset: int) -> bool | None:
    position = _position(code, offset)
    return _loops_of(code.co_filename).innermost(position) if position is not None else None


class _Position(NamedTuple):
    """A place in a source file; without a column only its line is known."""

    line: int
    column: int | None


def _position(code: CodeType, offset: int) -> _Position | None:
    positions = list(code.co_positions())
    index = offset // 2
    line, _, column, _ = positions[index] if 0 <= index < len(positions) else (None, None, None, None)
    return _Position(line, column) if line is not None else None


class _Span(NamedTuple):
    """From the first character to behind the last one, as (line, column in bytes)."""

    start: tuple[int, int]
    end: tuple[int, int]

    def holds(self, position: _Position) -> bool:
        if position.column is None:
            return self.start[0] <= position.line <= self.end[0]
        return self.start <= (position.line, position.column) < self.end


def _span(first: ast.expr | ast.stmt, last: ast.expr | ast.stmt) -> _Span:
    return _Span((first.lineno, first.col_offset), (last.end_lineno or last.lineno, last.end_col_offset or 0))


class _Loops:
    """The repeated parts of one source file, each with the function that it belongs to."""

    def __init__(self, tree: ast.AST) -> None:
        self._functions: list[_Span] = []
        self._repeated: list[tuple[_Span, _Span | None, bool]] = []
        self._visit(tree, None)
        # By start: the last one that begins before a position, among those that hold it, is the innermost.
        self._functions.sort()
        self._repeated.sort(key=lambda part: part[0])
        self._starts = [part[0].start for part in self._repeated]

    def innermost(self, position: _Position) -> bool | None:
        """Of the innermost part that repeats the position whether it goes over nothing; ``None`` where no part does.

        None does if the position lies in a function that is only defined there.
        """
        functions = [None, *(span for span in self._functions if span.holds(position))]
        owners = {functions[-1]}
        if position.column is None:
            # A lambda on the line, or the function that the line belongs to: either may be running.
            owners.update(span for span in functions if span is not None and span.start[0] == position.line)
            owners.add(next((span for span in reversed(functions) if span and span.start[0] < position.line), None))
        last = bisect_right(self._starts, (position.line + (position.column is None), position.column or 0))
        parts = reversed(self._repeated[:last])
        return next((counts for span, owner, counts in parts if span.holds(position) and owner in owners), None)

    def _visit(self, node: ast.AST, function: _Span | None) -> None:
        for span in _repeated_by(node):
            self._repeated.append((span, function, _goes_over_nothing(node)))
        inner = function
        body = _body_of_function(node)
        if body is not None:
            self._functions.append(body)
            inner = body
        for child in ast.iter_child_nodes(node):
            within = inner if body is None or _is_part(child, body) else function
            self._visit(child, within)


def _body_of_function(node: ast.AST) -> _Span | None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _span(node.body[0], node.body[-1])
    if isinstance(node, ast.Lambda):
        return _span(node.body, node.body)
    return None


def _is_part(node: ast.AST, body: _Span) -> bool:
    # Decorators and defaults run where the function is defined.
    return isinstance(node, ast.expr | ast.stmt) and body.holds(_Position(node.lineno, node.col_offset))


def _goes_over_nothing(node: ast.AST) -> bool:
    if not isinstance(node, ast.For):
        return isinstance(node, ast.While)
    called = node.iter.func if isinstance(node.iter, ast.Call) else None
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    return name in _COUNTING


def _repeated_by(node: ast.AST) -> Iterator[_Span]:
    if isinstance(node, ast.For | ast.AsyncFor | ast.While):
        yield _span(node.body[0], node.body[-1])
        if isinstance(node, ast.While):
            yield _span(node.test, node.test)
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        yield _span(node.elt, node.elt)
        yield from _repeated_by_generators(node.generators)
    elif isinstance(node, ast.DictComp):
        yield _span(node.key, node.value)
        yield from _repeated_by_generators(node.generators)


def _repeated_by_generators(generators: list[ast.comprehension]) -> Iterator[_Span]:
    for place, generator in enumerate(generators):
        if place:
            yield _span(generator.iter, generator.iter)
        for condition in generator.ifs:
            yield _span(condition, condition)


@lru_cache(maxsize=FILES)
def _loops_of(filename: str) -> _Loops:
    source = source_of(filename)
    # No source, or another than was compiled: no loop is known.
    return _Loops((source.tree if source is not None else None) or ast.Module([], []))
