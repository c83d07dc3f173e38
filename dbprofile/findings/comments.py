"""Comments that silence: ``# dbprofile: ignore[DBP101] the reason`` in Python, ``{# dbprofile: ignore[DBP101] #}`` in templates."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from dbprofile.capture.callsite import CallSite
from dbprofile.capture.source import Source, source_of

__all__ = ["Comment", "comment_for", "comments_in"]

_IN_PYTHON: Final = re.compile(r"#\s*dbprofile:\s*ignore(?:\[([^\]]*)\])?\s*(.*)")
_IN_TEMPLATES: Final = re.compile(r"\{#\s*dbprofile:\s*ignore(?:\[([^\]]*)\])?\s*(.*?)\s*#\}")


class Comment(NamedTuple):
    """One comment."""

    file: str
    line: int
    codes: tuple[str, ...]
    """Without a code it silences nothing."""
    reason: str


def comment_for(site: CallSite | None, code: str) -> Comment | None:
    """The comment that silences a code at a place: on a line of its statement, on the ``def`` of its function; or on its tag's line."""
    source = source_of(site.file) if site is not None else None
    if site is None or source is None:
        return None
    known = comments_in(source)
    if not known:
        return None
    lines = {site.line} if site.template is not None else _lines_of(source, site.line)
    return next((known[line] for line in sorted(lines) if line in known and code in known[line].codes), None)


def comments_in(source: Source) -> Mapping[int, Comment]:
    """The comments of a file, by line; read once, until the file changes."""
    return _comments(source)


@lru_cache(maxsize=512)
def _comments(source: Source) -> Mapping[int, Comment]:
    if "dbprofile" not in source.text:
        return {}
    found = _of_python(source) if source.file.endswith((".py", ".pyi")) else _of_template(source)
    return {comment.line: comment for comment in found}


def _of_python(source: Source) -> Iterator[Comment]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type == tokenize.COMMENT and (match := _IN_PYTHON.search(token.string)):
                yield _comment(source, token.start[0], match)
    except (tokenize.TokenError, SyntaxError):
        return


def _of_template(source: Source) -> Iterator[Comment]:
    for number, line in enumerate(source.lines, 1):
        match = _IN_TEMPLATES.search(line)
        if match:
            yield _comment(source, number, match)


def _comment(source: Source, line: int, match: re.Match[str]) -> Comment:
    codes = tuple(code.strip() for code in (match[1] or "").split(",") if code.strip())
    return Comment(source.file, line, codes, match[2].strip())


@lru_cache(maxsize=4_096)
def _lines_of(source: Source, line: int) -> frozenset[int]:
    """The lines of the statement at a line, of one with a body those before it; and the line of the ``def`` round it."""
    statement: ast.stmt | None = None
    function: ast.stmt | None = None
    for node in ast.walk(source.tree) if source.tree is not None else ():
        if not isinstance(node, ast.stmt) or not node.lineno <= line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (
            function is None or node.lineno > function.lineno
        ):
            function = node
        if statement is None or node.lineno >= statement.lineno:
            statement = node
    lines = {line}
    if statement is not None:
        body = getattr(statement, "body", None)
        last = body[0].lineno - 1 if isinstance(body, list) and body else statement.end_lineno or statement.lineno
        lines.update(range(statement.lineno, max(last, statement.lineno) + 1))
    if function is not None:
        lines.add(function.lineno)
    return frozenset(lines)
