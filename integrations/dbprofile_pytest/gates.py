"""What fails a test whose body ended well: its marker, the budget, an N+1 where none may be."""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from types import CodeType
from typing import TYPE_CHECKING, Literal, NoReturn

import pytest

from dbprofile import ConfigurationError
from dbprofile.testing import QueryBlock, assert_queries
from dbprofile.testing.counts import at_most
from dbprofile.testing.expectations import Expectations
from dbprofile.testing.listing import failure_text

if TYPE_CHECKING:
    from dbprofile.testing import QueryLog

__all__ = ["Gates", "check_markers", "fail_in", "is_whole", "marked_block", "tolerated"]

_REASON = 'write @pytest.mark.nplusone_ok("Order.customer", reason="two rows at most")'


@dataclass(frozen=True)
class Gates:
    """What every test has to pass."""

    nplusone: Literal["fail", "warn", "off"] = "warn"
    budget: int | None = None
    """Queries that the body of a test without a marker ``queries`` may send."""

    def failure(self, log: QueryLog, *, marked: bool) -> str:
        """What is wrong with the queries of a body; empty if nothing is."""
        bound = at_most(self.budget) if self.budget is not None and not marked else None
        outcome = Expectations(number=bound).check(
            log, forbids_nplusone=self.nplusone == "fail", tolerated=log.tolerated
        )
        return "" if outcome.holds else failure_text(log, outcome)


def marked_block(item: pytest.Item) -> QueryBlock | None:
    """The block that the test's marker ``queries`` asks for."""
    marker = item.get_closest_marker("queries")
    return assert_queries(*marker.args, **marker.kwargs) if marker is not None else None


def tolerated(item: pytest.Item) -> tuple[str, ...]:
    """Subjects of the N+1 that the test's markers ``nplusone_ok`` let pass."""
    return tuple(str(subject) for marker in item.iter_markers("nplusone_ok") for subject in marker.args)


def check_markers(item: pytest.Item) -> None:
    """Refuse markers that cannot be meant, before anything runs.

    Raises:
        UsageError: names the test, the value and the line to write.
    """
    try:
        marked_block(item)
    except (ConfigurationError, TypeError) as error:
        raise pytest.UsageError(f"{item.nodeid}: marker queries: {error}") from error
    for marker in item.iter_markers("nplusone_ok"):
        unknown = marker.kwargs.keys() - {"reason"}
        if not marker.args or not marker.kwargs.get("reason") or unknown:
            raise pytest.UsageError(f"{item.nodeid}: marker nplusone_ok needs a subject and a reason: {_REASON}")


def is_whole(config: pytest.Config) -> bool:
    """Whether a run covers all tests of its paths: then what no test met is nowhere."""
    options = ("keyword", "markexpr", "lf", "failedfirst", "deselect", "maxfail", "stepwise")
    narrowed = any(config.getoption(option, default=None) for option in options)
    return not narrowed and not any("::" in str(argument) for argument in config.args)


def fail_in(function: object, text: str) -> NoReturn:
    """Raise AssertionError so that the traceback ends at the head of the test: no line inside it is at fault."""
    __tracebackhide__ = True
    error = AssertionError(text)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        exec(_posing(code), {"error": error})  # noqa: S102 - two words of our own
    raise error


def _posing(code: CodeType) -> CodeType:
    """Code that raises ``error`` and stands, to pytest, where the function of ``code`` begins."""
    line = code.co_firstlineno
    source = linecache.getline(code.co_filename, line).rstrip()
    tree = ast.parse("raise error")
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):
            # Line 1 of the code, which is moved to where the function begins.
            node.lineno = node.end_lineno = 1
            node.col_offset, node.end_col_offset = len(source) - len(source.lstrip()), len(source.encode())
    return compile(tree, code.co_filename, "exec").replace(co_firstlineno=line, co_name=code.co_name)
