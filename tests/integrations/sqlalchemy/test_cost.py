"""What the hooks cost a statement, counted in calls, which are the same on every machine."""

import gc
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, StaticPool, create_engine, select
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

import dbprofile
import dbprofile_sqlalchemy
from dbprofile.capture.stack import Walk
from tests.integrations.sqlalchemy.models import Author, Tag, fill

STATEMENT = select(Author.__table__.c.id).where(Author.__table__.c.id == 1)
TURNS = 20
_WALK = {Walk.__init__.__code__, Walk.path.__code__}


@dataclass(frozen=True)
class Calls:
    """Calls of one statement; those in C without the walk up the stack, which makes two or three for each frame."""

    python: float
    c: float

    def __sub__(self, other: "Calls") -> "Calls":
        return Calls(self.python - other.python, self.c - other.c)


def _calls(connection: Connection) -> Calls:
    found: Counter[str] = Counter()

    def count(frame: FrameType, what: str, _argument: Any) -> None:
        if what == "call" or (what == "c_call" and frame.f_code not in _WALK):
            found[what] += 1

    for _ in range(TURNS):
        connection.execute(STATEMENT).all()
    gc.collect()
    gc.disable()  # what a collection calls back is nobody's statement
    sys.setprofile(count)
    try:
        for _ in range(TURNS):
            connection.execute(STATEMENT).all()
    finally:
        sys.setprofile(None)
        gc.enable()
    return Calls(found["call"] / TURNS, found["c_call"] / TURNS)


@pytest.fixture(autouse=True)
def _nobody_has_listened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags that listeners of other tests have left behind are paid for by each statement."""
    for owner in (Engine, Dialect):
        monkeypatch.setattr(owner, "_has_events", False)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def test_a_statement_outside_any_scope_costs_three_calls(connection: Connection) -> None:
    none = _calls(connection)
    dbprofile_sqlalchemy.install()
    try:
        added = _calls(connection) - none
    finally:
        dbprofile_sqlalchemy.uninstall()
    assert added.python <= 3
    assert added.c <= 6


@pytest.mark.parametrize("cursor_events", [False, True])
def test_a_statement_costs_nothing_once_we_are_uninstalled(engine: Engine, cursor_events: bool) -> None:
    with engine.connect() as connection:
        none = _calls(connection)
    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    with engine.connect() as connection, dbprofile.record():
        assert _calls(connection).python > none.python
    dbprofile_sqlalchemy.uninstall()
    with engine.connect() as connection:
        assert _calls(connection) == none


def test_a_statement_in_full_detail_costs_no_more_calls_than_it_did(connection: Connection) -> None:
    none = _calls(connection)
    dbprofile_sqlalchemy.install()
    try:
        with dbprofile.record() as recording:
            added = _calls(connection) - none
    finally:
        dbprofile_sqlalchemy.uninstall()
    assert len(recording.queries) == 2 * TURNS
    assert added.python <= 29
    assert added.c <= 27


def _calls_of_batch(size: int) -> int:
    found: Counter[str] = Counter()

    def count(_frame: FrameType, what: str, _argument: Any) -> None:
        found[what] += 1

    engine = create_engine("sqlite://", poolclass=StaticPool)
    fill(engine, 1)
    with Session(engine) as session, dbprofile.record():
        session.add_all([Tag(name="tag") for _ in range(size)])
        sys.setprofile(count)
        try:
            session.flush()
        finally:
            sys.setprofile(None)
    engine.dispose()
    return found["call"] + found["c_call"]


@pytest.mark.usefixtures("installed")
def test_a_batch_twice_as_long_costs_twice_as_much() -> None:
    assert _calls_of_batch(1000) < 2.2 * _calls_of_batch(500)
