"""Twenty thousand lazy loads in one request: counted to the last one, and no more memory than for ten thousand."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import StaticPool, create_engine, select
from sqlalchemy.orm import Session

import dbprofile_sqlalchemy
from dbprofile import Profiler
from dbprofile.capture.scope import DETAIL_LIMIT
from tests import services
from tests.integrations.django import project
from tests.integrations.django.shop.models import Customer
from tests.integrations.django.shop.models import fill as fill_shop
from tests.integrations.sqlalchemy.models import Author, fill

PARENTS = 5
LOADS = 10_000


def twice(load: Callable[[], None]) -> None:
    """Load ten thousand times, and once more; of the second time nothing may stay."""
    with Profiler(slow_ms=10**9).scope("request", "GET /") as scope:
        for _ in range(LOADS // PARENTS):
            load()
        gc.collect()
        blocks = sys.getallocatedblocks()
        for _ in range(LOADS // PARENTS):
            load()
        gc.collect()
        grown = sys.getallocatedblocks() - blocks
    assert grown < LOADS // 10, "of ten loads not one object stays"
    profile = scope.profile()
    assert profile.query_count == 2 * LOADS
    assert (
        sum(query.provenance is not None and query.provenance.role == "lazy" for query in profile.queries)
        == DETAIL_LIMIT
    )
    assert sum(counter.count for counter in profile.counters) == 2 * LOADS - DETAIL_LIMIT


@pytest.fixture
def session() -> Iterator[Session]:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    fill(engine, PARENTS)
    dbprofile_sqlalchemy.install()
    with Session(engine) as session:
        yield session
    dbprofile_sqlalchemy.uninstall()
    engine.dispose()


def test_of_sqlalchemy(session: Session) -> None:
    authors = session.scalars(select(Author)).all()

    def load() -> None:
        for author in authors:
            assert author.books
            session.expire(author, ["books"])

    twice(load)


def test_of_django(request: pytest.FixtureRequest, sqlite_database: services.TemporaryDatabase) -> None:
    with project.database_access(request), project.using(sqlite_database):
        fill_shop(PARENTS)
        customers = list(Customer.objects.all())

        def load() -> None:
            for customer in customers:
                assert customer.region.pk
                del customer._state.fields_cache["region"]

        twice(load)
