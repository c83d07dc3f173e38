"""What the hooks cost once they are gone, and over a batch, counted in calls."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Engine, StaticPool, create_engine, select
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import Session

import dbprofile
import dbprofile_sqlalchemy
from benchmarks.bench_calls import calls
from tests.integrations.sqlalchemy.models import Author, Tag, fill

STATEMENT = select(Author.__table__.c.id).where(Author.__table__.c.id == 1)


@pytest.fixture(autouse=True)
def _nobody_has_listened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags that listeners of other tests have left behind are paid for by each statement."""
    for owner in (Engine, Dialect):
        monkeypatch.setattr(owner, "_has_events", False)


@pytest.mark.parametrize("cursor_events", [False, True])
def test_a_statement_costs_nothing_once_we_are_uninstalled(engine: Engine, cursor_events: bool) -> None:
    with engine.connect() as connection:
        none = calls(lambda: connection.execute(STATEMENT).all())
    dbprofile_sqlalchemy.install(cursor_events=cursor_events)
    with engine.connect() as connection, dbprofile.record():
        assert calls(lambda: connection.execute(STATEMENT).all()).python > none.python
    dbprofile_sqlalchemy.uninstall()
    with engine.connect() as connection:
        assert calls(lambda: connection.execute(STATEMENT).all()) == none


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
