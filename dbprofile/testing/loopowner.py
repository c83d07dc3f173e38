"""Whose loop it is that sends a query again and again: the application's, or the test's own."""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from dbprofile.capture.callsite import CallSite, Path, Step
from dbprofile.capture.scope import UNIT_KINDS
from dbprofile.findings.source import source_of

if TYPE_CHECKING:
    from types import CodeType

    from dbprofile.capture.query import Query
    from dbprofile.findings.finding import Finding

__all__ = ["is_applications", "is_in_loop", "is_unit_of_work", "path_of", "sent_by_application"]

#: Source files whose loops are remembered.
FILES: Final = 512


def is_applications(finding: Finding, is_test_file: Callable[[str], bool]) -> bool:
    """Whether enough of a finding's queries are repeated by the application for the finding to stand without the others.

    Args:
        finding: an N+1, a loop or a duplicate.
        is_test_file: tells the files that hold tests and their factories.
    """
    needed = max(2, int(finding.threshold or 0))
    verdicts: dict[object, bool] = {}
    owned = 0
    for query in finding.queries:
        path = path_of(query)
        key = (path, is_unit_of_work(query))
        if key not in verdicts:
            verdicts[key] = sent_by_application(query, is_test_file)
        owned += verdicts[key]
    return owned >= needed


def sent_by_application(query: Query, is_test_file: Callable[[str], bool]) -> bool:
    """Whether the loop that a query was sent from, if any, is the application's.

    What runs inside a request, task or command is the application by definition: the path ends where that begins. Elsewhere the
    path leads out into the test, and the outermost line that is no test's divides the two.
    """
    if is_unit_of_work(query):
        return True
    path = path_of(query)
    outermost = next((place for place in reversed(range(len(path))) if not is_test_file(path[place].file)), None)
    if outermost is None:
        return False
    if any(_repeats(step) for step in path[: outermost + 1]):
        return True
    return not any(_repeats(step) for step in path[outermost + 1 :])


def is_unit_of_work(query: Query) -> bool:
    """Whether a query ran in a request, task, command or the like."""
    return isinstance(query.unit, tuple) and bool(query.unit) and query.unit[0] in UNIT_KINDS


def path_of(query: Query) -> Path:
    """The lines of the application that led to a query, innermost first; tests are among them."""
    why = query.provenance
    if why is not None and why.path:
        return why.path
    return (query.call_site,) if query.call_site is not None else ()


def _repeats(step: CallSite) -> bool:
    if isinstance(step, Step):
        return is_in_loop(step.code, step.offset)
    # A line of a template: what renders it walks a list of nodes.
    return step.template is not None


def is_in_loop(code: CodeType, offset: int) -> bool:
    """Whether an instruction lies where a loop of its own function repeats it.

    That is the body of a ``for`` or ``while``, the test of a ``while``, and a comprehension outside its first iterable, which is
    evaluated once. Answered from the source: newer Pythons inline comprehensions, so that no frame tells of them.

    Args:
        code: the code object.
        offset: of the instruction, in bytes.
    """
    position = _position(code, offset)
    return position is not None and _loops_of(code.co_filename).repeat(position)


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
        self._repeated: list[tuple[_Span, _Span | None]] = []
        self._visit(tree, None)
        # By start: the last one that begins before a position, among those that hold it, is the innermost.
        self._functions.sort()
        self._repeated.sort(key=lambda part: part[0])
        self._starts = [span.start for span, _ in self._repeated]

    def repeat(self, position: _Position) -> bool:
        """Whether one of the parts repeats the position; not if it lies in a function that is only defined there."""
        functions = [None, *(span for span in self._functions if span.holds(position))]
        owners = {functions[-1]}
        if position.column is None:
            # A lambda on the line, or the function that the line belongs to: either may be running.
            owners.update(span for span in functions if span is not None and span.start[0] == position.line)
            owners.add(next((span for span in reversed(functions) if span and span.start[0] < position.line), None))
        last = bisect_right(self._starts, (position.line + (position.column is None), position.column or 0))
        return any(span.holds(position) and owner in owners for span, owner in self._repeated[:last])

    def _visit(self, node: ast.AST, function: _Span | None) -> None:
        for span in _repeated_by(node):
            self._repeated.append((span, function))
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
