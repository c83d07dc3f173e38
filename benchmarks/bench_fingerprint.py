"""What it takes to tell that two statements are the same: ours beside parsers and the regular expressions of peers.

``python -m benchmarks.bench_fingerprint`` prints one table. All instruments read the statements that Django and SQLAlchemy
really sent (``tests/sql/corpus.json``) and are judged by the same pairs and secrets as ours. The pairs are our own idea of
sameness: read the column as "what would be counted apart or together otherwise", not as errors of tools with other aims. A
text that an instrument cannot read, or not within some seconds, counts as wrong; a peer that is not installed is named below
the table.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import platform
import re
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, NamedTuple

from dbprofile.sql import Statement
from tests.sql.sending import corpus
from tests.sql.test_leaks import DIALECTS as LEAKING_DIALECTS
from tests.sql.test_leaks import LEAKS, NUMBER, SECRET
from tests.sql.test_pairs import DIALECTS, PAIRS

Normaliser = Callable[[str, str, str | None], str]
"""Text, dialect and paramstyle to what the instrument compares statements by."""

RESULTS: Final = Path(__file__).parent / "results"
ROUNDS: Final = 5
SECONDS: Final = 5.0
"""How long an instrument may take over one text."""
LIST: Final = "SELECT a FROM t WHERE b IN (" + ", ".join(map(str, range(50_000))) + ")"

INSTRUMENTS: dict[str, tuple[str, Callable[[], Normaliser]]] = {}


def instrument(name: str, distribution: str) -> Callable[[Callable[[], Normaliser]], Callable[[], Normaliser]]:
    """Register what makes a normaliser, importing its library only then."""

    def register(make: Callable[[], Normaliser]) -> Callable[[], Normaliser]:
        INSTRUMENTS[name] = (distribution, make)
        return make

    return register


@instrument("dbprofile", "dbprofile")
def _ours() -> Normaliser:
    return lambda sql, dialect, paramstyle: Statement(sql, dialect, paramstyle).text


@instrument("dbprofile, seen before", "dbprofile")
def _ours_cached() -> Normaliser:
    return lambda sql, dialect, paramstyle: Statement.of(sql, dialect, paramstyle).text


@instrument("sqlparse", "sqlparse")
def _sqlparse() -> Normaliser:
    """Its tokens, with literals and placeholders masked, as exporters of telemetry do."""
    sqlparse = _library("sqlparse")
    masked = (sqlparse.tokens.Literal, sqlparse.tokens.Name.Placeholder)

    def normalise(sql: str, _dialect: str, _paramstyle: str | None) -> str:
        tokens = [token for statement in sqlparse.parse(sql) for token in statement.flatten()]
        return " ".join(
            "?" if any(token.ttype in kind for kind in masked) else token.normalized.strip()
            for token in tokens
            if not token.is_whitespace and token.ttype not in sqlparse.tokens.Comment
        )

    return normalise


@instrument("sqlglot", "sqlglot")
def _sqlglot() -> Normaliser:
    """Its tree, with literals and placeholders replaced, written out again."""
    sqlglot = _library("sqlglot")
    expressions = _library("sqlglot.expressions")
    kinds = (expressions.Literal, expressions.Parameter, expressions.Placeholder, expressions.Boolean)
    names = {"postgresql": "postgres", "mysql": "mysql", "sqlite": "sqlite", "generic": None}

    def mask(node: Any) -> Any:
        return expressions.Placeholder() if isinstance(node, kinds) else node

    def normalise(sql: str, dialect: str, paramstyle: str | None) -> str:
        text = _numbered(sql, "?") if paramstyle in {None, "format", "pyformat"} else sql
        trees = sqlglot.parse(text, read=names[dialect])
        return "; ".join(tree.transform(mask).sql(comments=False, normalize=True) for tree in trees if tree is not None)

    return normalise


@instrument("pglast (libpg_query)", "pglast")
def _pglast() -> Normaliser:
    """PostgreSQL's own parser; it knows no placeholder but `$1`, and its fingerprint shows no text."""
    fingerprint = _library("pglast").fingerprint

    def normalise(sql: str, _dialect: str, _paramstyle: str | None) -> str:
        return str(fingerprint(_numbered(sql, "$1")))

    return normalise


@instrument("django-query-doctor", "django-query-doctor")
def _query_doctor() -> Normaliser:
    normalise = _library("query_doctor.fingerprint").normalize_sql
    return lambda sql, _dialect, _paramstyle: str(normalise(sql))


@instrument("django-query-guard", "django-query-guard")
def _query_guard() -> Normaliser:
    normalise = _library("django_query_guard.detector").normalize_sql
    return lambda sql, _dialect, _paramstyle: str(normalise(sql))


@instrument("pytest-queryguard", "pytest-queryguard")
def _queryguard() -> Normaliser:
    cached = _library("pytest_queryguard.detectors").normalize
    normalise = getattr(cached, "__wrapped__", cached)
    return lambda sql, _dialect, _paramstyle: str(normalise(sql))


def _library(name: str) -> Any:
    return importlib.import_module(name)


_PLACEHOLDERS: Final = re.compile(r"%s|%\(\w+\)s|\?")


def _numbered(sql: str, placeholder: str) -> str:
    return _PLACEHOLDERS.sub(lambda _: placeholder, sql)


class Row(NamedTuple):
    """One line of the table."""

    name: str
    median: float
    """Microseconds for a statement of the corpus."""
    worst: float
    endless: float | None
    """Milliseconds for a list of 50,000; None if it was given up."""
    unread: int
    """Statements of the corpus that it refused."""
    wrong: int
    """Pairs judged otherwise."""
    leaked: int
    """Texts with secrets that still show one."""


class _TooLongError(Exception):
    pass


def _give_up(_signal: int, _frame: object) -> None:
    raise _TooLongError


def _tried(normalise: Normaliser, sql: str, dialect: str, paramstyle: str | None) -> str | None:
    """What the instrument makes of a text; None if it raises or takes too long."""
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        return normalise(sql, dialect, paramstyle)
    except Exception:  # noqa: BLE001 - a stranger's parser may raise anything
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _spent(normalise: Normaliser, sql: str, dialect: str, paramstyle: str | None) -> float | None:
    started = time.perf_counter()
    done = _tried(normalise, sql, dialect, paramstyle)
    return None if done is None else time.perf_counter() - started


def measure(name: str, normalise: Normaliser) -> Row:
    """Time and mistakes of one instrument."""
    times: list[float] = []
    unread = 0
    for sent in corpus():
        arguments = (sent.sql, sent.dialect, sent.paramstyle)
        rounds = [spent for _ in range(ROUNDS) if (spent := _spent(normalise, *arguments)) is not None]
        unread += not rounds
        times += [min(rounds)] if rounds else []
    lists = [_spent(normalise, LIST, "postgresql", None)]
    if lists[0] is not None:
        lists += [_spent(normalise, LIST, "postgresql", None) for _ in range(2)]
    endless = min((spent for spent in lists if spent is not None), default=None)
    wrong = sum(
        not _judged(normalise, pair.one, pair.two, dialect, pair.where.partition("/")[2] or None, same=pair.same)
        for pair in PAIRS
        for dialect in DIALECTS[pair.where.partition("/")[0]]
    )
    leaked = sum(
        SECRET.lower() in text.lower() or NUMBER in text
        for where, sql in LEAKS
        for dialect in (LEAKING_DIALECTS if where == "any" else (where,))
        if (text := _tried(normalise, sql, LEAKING_DIALECTS[dialect], None)) is not None
    )
    worst = max(times, default=0.0) * 1e6
    median = statistics.median(times) * 1e6 if times else 0.0
    return Row(name, median, worst, None if endless is None else endless * 1e3, unread, wrong, leaked)


def _judged(normalise: Normaliser, one: str, two: str, dialect: str, paramstyle: str | None, *, same: bool) -> bool:
    first, second = (_tried(normalise, text, dialect, paramstyle) for text in (one, two))
    return first is not None and second is not None and (first == second) is same


def _table() -> Iterator[str]:
    pairs = sum(len(DIALECTS[pair.where.partition("/")[0]]) for pair in PAIRS)
    secrets = sum(len(LEAKING_DIALECTS) if where == "any" else 1 for where, _ in LEAKS)
    yield (
        f"bench_fingerprint: Python {platform.python_version()}; {len(corpus())} statements sent by Django and SQLAlchemy, "
        f"{pairs} pairs, {secrets} texts with secrets\n\n"
        f"{'instrument':<34}{'median us':>10}{'worst us':>10}{'50,000 ms':>11}{'unread':>8}{'wrong':>7}{'leaked':>8}\n"
    )
    missing = []
    for name, (distribution, make) in INSTRUMENTS.items():
        try:
            normalise, installed = make(), version(distribution)
        except (ImportError, PackageNotFoundError):
            missing.append(distribution)
            continue
        row = measure(name, normalise)
        endless = f"> {SECONDS * 1e3:.0f}" if row.endless is None else f"{row.endless:.1f}"
        yield (
            f"{f'{name} {installed}':<34}{row.median:>10.1f}{row.worst:>10.1f}{endless:>11}"
            f"{row.unread:>8}{row.wrong:>7}{row.leaked:>8}\n"
        )
    if missing:
        yield f"\nnot measured, not installed: {', '.join(missing)}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser("python -m benchmarks.bench_fingerprint")
    parser.add_argument("--keep", action="store_true", help="write the table to results/ too")
    given = parser.parse_args(arguments)
    logging.disable()  # sqlglot tells of every statement that it does not know
    signal.signal(signal.SIGALRM, _give_up)
    table = []
    for line in _table():
        table.append(line)
        sys.stdout.write(line)
        sys.stdout.flush()
    if given.keep:
        name = f"bench_fingerprint-{platform.machine()}-{'.'.join(platform.python_version_tuple()[:2])}.txt"
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / name).write_text("".join(table), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
