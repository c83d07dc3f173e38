"""A pool of connections, psycopg's, from which Django takes one for each request: nothing is doubled, and nothing lost."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.test import Client

from dbprofile import Profiler, Report, record
from dbprofile_django.queries import record_statement
from tests.integrations.django import project
from tests.integrations.django.shop.models import Order, fill
from tests.ledger import Ledger, telling
from tests.services import TemporaryDatabase

pytestmark = pytest.mark.service("postgresql")


@pytest.fixture
def ledger(request: pytest.FixtureRequest, postgresql_database: TemporaryDatabase) -> Iterator[Ledger]:
    """What is sent over the connections of a pool, once they are handed to Django."""

    def watch(*, connection: Any, **_keywords: object) -> None:
        kept.watch(connection.connection)

    with (
        project.database_access(request),
        telling(postgresql_database),
        project.using(postgresql_database),
        Ledger() as kept,
    ):
        fill(1)
        project.close()
        connections.settings["default"] |= {"CONN_MAX_AGE": 0, "OPTIONS": {"pool": {"min_size": 1, "max_size": 2}}}
        connection_created.connect(watch, dispatch_uid="pool")
        wrapper: Any = connections["default"]
        yield kept
        connection_created.disconnect(dispatch_uid="pool")
        wrapper.close()
        wrapper.close_pool()


def _read() -> None:
    Order.objects.count()
    connection.close()  # gives it back


def test_each_statement_is_seen_once_whichever_connection_the_pool_gives(ledger: Ledger) -> None:
    _read()
    ledger.forget()
    with record("block", profiler=Profiler()) as recorded:
        for _ in range(3):
            _read()
    counted = recorded.report.profile.counted
    assert len([text for text in ledger.sent if "shop_order" in text]) == len(counted) == 3
    assert len({query.connection for query in counted}) == 3
    assert {query.rows for query in counted} == {1}
    assert connection.execute_wrappers == [record_statement]


def test_threads_that_share_a_pool(ledger: Ledger) -> None:
    _read()
    ledger.forget()
    with Profiler(follow_threads=True) as profiler, record("block", profiler=profiler) as recorded:
        threads = [threading.Thread(target=_read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    counted = recorded.report.profile.counted
    assert len([text for text in ledger.sent if "shop_order" in text]) == len(counted) == 4
    assert all(query.lane for query in counted)


def test_requests_keep_their_own_statements_when_the_pool_is_closed_in_between(
    ledger: Ledger, reports: list[Report]
) -> None:
    wrapper: Any = connections["default"]

    def visit(number: int) -> None:
        assert Client().get(f"/numbered/{number}/").content == b",".join([str(number).encode()] * 10)
        connection.close()  # as Django does when a request ends: back to the pool

    for number in range(3):
        visit(number)
    wrapper.close_pool()
    threads = [threading.Thread(target=visit, args=(number,)) for number in range(3, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.profile.query_count for report in reports] == [10] * 9
    assert len([text for text in ledger.sent if "request_number" in text]) == 90
