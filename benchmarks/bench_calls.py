"""Calls that the hooks add to a statement, which are the same on every machine: ``python -m benchmarks.bench_calls``.

Run in a fresh interpreter: what other code has left behind (listeners, their flags, threads) would be counted with ours. Calls in
C that the walk up the stack makes, two or three for each frame, are left out.
"""

from __future__ import annotations

import gc
import json
import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.db import connection as django_connection
from sqlalchemy import create_engine, literal, select

import dbprofile_django
import dbprofile_sqlalchemy
from dbprofile import Profiler
from dbprofile.capture.stack import Walk

TURNS = 20
_WALK = {Walk.__init__.__code__, Walk.path.__code__}


class Calls(NamedTuple):
    """Calls of one statement."""

    python: float
    c: float


def calls(statement: Callable[[], object]) -> Calls:
    """Count the calls of a statement that is warm."""
    found: Counter[str] = Counter()

    def count(frame: FrameType, what: str, _argument: Any) -> None:
        if what == "call" or (what == "c_call" and frame.f_code not in _WALK):
            found[what] += 1

    for _ in range(TURNS):
        statement()
    gc.collect()
    gc.disable()  # what a collection calls back is nobody's statement
    sys.setprofile(count)
    try:
        for _ in range(TURNS):
            statement()
    finally:
        sys.setprofile(None)
        gc.enable()
    return Calls(found["call"] / TURNS, found["c_call"] / TURNS)


def added(statement: Callable[[], object], install: Callable[[], None]) -> dict[str, Calls]:
    """What each mode adds to a statement: installed with no scope open, counters alone, and full."""
    none = calls(statement)
    install()
    found = {"off": calls(statement)}
    for mode, detail_limit in (("counters", 0), ("full", 1_000)):
        with Profiler(detail_limit=detail_limit).scope("block", mode) as scope:
            found[mode] = calls(statement)
        assert scope.profile().query_count == 2 * TURNS
    return {mode: Calls(count.python - none.python, count.c - none.c) for mode, count in found.items()}


def by_sqlalchemy() -> dict[str, Calls]:
    """Of SQLAlchemy: a statement of Core that answers one row."""
    connection = create_engine("sqlite://").connect()
    one = select(literal(1))
    return added(lambda: connection.execute(one).all(), dbprofile_sqlalchemy.install)


def by_django() -> dict[str, Calls]:
    """Of Django: a statement of a new cursor that answers one row."""
    settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}})
    django.setup()

    def statement() -> None:
        with django_connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()

    return added(statement, dbprofile_django.install)


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"sqlalchemy": by_sqlalchemy(), "django": by_django()}, indent=1) + "\n")
