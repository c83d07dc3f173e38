"""Connections that come, go and come again, and wrappers of others: each statement once, against the account of what was sent."""

import threading
import unittest
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.exceptions import SynchronousOnlyOperation
from django.db import close_old_connections, connection, connections, transaction
from django.db.utils import DatabaseError, OperationalError
from django.test import SimpleTestCase, TransactionTestCase

import dbprofile_django
from dbprofile import Profile, Profiler, record
from dbprofile_django.queries import record_statement
from tests.integrations.django.account import Account
from tests.integrations.django.shop.models import Order

pytestmark = pytest.mark.usefixtures("account")

SECOND = "second"


@pytest.fixture
def second() -> Iterator[None]:
    """A second alias of the same database."""
    connections.settings[SECOND] = dict(connections.settings["default"])
    yield
    connections[SECOND].close()
    del connections[SECOND]
    del connections.settings[SECOND]


def did(block: Callable[[], object]) -> Profile:
    with record("block", profiler=Profiler()) as recorded:
        block()
    return recorded.report.profile


def reads(profile: Profile) -> list[Any]:
    return [query for query in profile.counted if "shop_order" in query.statement.tables]


def wrapper() -> Any:
    return connections["default"]


def run(case: type[unittest.TestCase]) -> None:
    """Run a test case as unittest does, with what it does for its class."""
    result = unittest.TestResult()
    unittest.TestSuite([case("test")]).run(result)
    assert result.testsRun == 1
    assert result.wasSuccessful(), [text for _, text in (*result.errors, *result.failures)]


def check(account: Account, profile: Profile, times: int) -> None:
    """So often the orders were read, sent and seen, and nothing else of the application's."""
    assert account.sent() == ["SELECT shop_order"] * times
    assert account.unseen(profile) == []
    assert len(reads(profile)) == times
    assert profile.query_count == times
    assert (profile.untracked, profile.late) == ({}, {})


# --- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("second")
def test_a_second_alias_is_seen_under_its_name(account: Account) -> None:
    def read() -> None:
        Order.objects.count()
        Order.objects.using(SECOND).count()

    profile = did(read)
    check(account, profile, 2)
    assert [query.database.name for query in reads(profile)] == ["default", SECOND]
    assert len({query.connection for query in reads(profile)}) == 2


def test_a_first_connection_sets_itself_up_unseen_and_uncounted(account: Account) -> None:
    profile = did(Order.objects.count)
    check(account, profile, 1)
    # The wrapper comes with the signal, and that after the set-up: it is sent, and is in nobody's profile.
    assert account.set_up or connection.vendor == "postgresql"
    assert profile.not_counted == {}


@pytest.mark.parametrize(
    "close",
    [lambda: connection.close(), connections.close_all, close_old_connections],
    ids=["close", "close_all", "close_old_connections"],
)
def test_after_a_reconnect_each_statement_is_seen_once(close: Callable[[], None], account: Account) -> None:
    def read() -> None:
        Order.objects.count()
        close()
        Order.objects.count()

    profile = did(read)
    check(account, profile, 2)
    assert wrapper().execute_wrappers == [record_statement]
    first, second = reads(profile)
    assert first.connection != second.connection
    # What the new connection sent to set itself up passed the wrapper this time, and is its own.
    set_up = [query for query in profile.queries if query not in profile.counted]
    assert {query.connection for query in set_up} <= {second.connection}
    assert set(profile.not_counted) <= {"connect"}


def test_a_copy_of_a_connection_is_seen_once(account: Account) -> None:
    def read() -> None:
        Order.objects.count()
        copy = connection.copy()
        with copy.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM shop_order")
        assert copy.execute_wrappers == [record_statement]
        copy.close()

    profile = did(read)
    check(account, profile, 2)
    assert len({query.connection for query in reads(profile)}) == 2


def test_a_connection_shared_between_threads_is_seen_once(account: Account) -> None:
    profiler = Profiler(follow_threads=True)

    def work(shared: Any) -> None:
        with shared.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM shop_order")

    with profiler, record("block", profiler=profiler) as recorded:
        Order.objects.count()
        shared: Any = wrapper()
        shared.inc_thread_sharing()
        thread = threading.Thread(target=work, args=(shared,))
        thread.start()
        thread.join()
        shared.dec_thread_sharing()
    check(account, recorded.report.profile, 2)


def test_a_test_case_that_opens_and_closes_the_database_is_seen_once(account: Account) -> None:
    class Case(TransactionTestCase):
        def test(self) -> None:
            Order.objects.count()
            with transaction.atomic():
                Order.objects.count()

        def _fixture_teardown(self) -> None:
            """The shop stays as it is."""

    profile = did(lambda: run(Case))
    assert [query.transaction is None for query in reads(profile)] == [True, False]
    assert account.unseen(profile) == []
    assert wrapper().execute_wrappers == [record_statement]


# --- wrappers of others ---------------------------------------------------------------------------------------------


class Theirs:
    """Somebody else's wrapper, and what it saw."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        self.texts.append(sql)
        return execute(sql, params, many, context)


@contextmanager
def unattached() -> Iterator[None]:
    """A connection without our wrapper, as it is before dbprofile is installed."""
    dbprofile_django.uninstall()
    try:
        yield
    finally:
        dbprofile_django.install()


def test_connecting_inside_a_wrapper_of_somebody_else_leaves_theirs_by_its_own_door(account: Account) -> None:
    theirs = Theirs()

    def read() -> None:
        with connection.execute_wrapper(theirs):
            Order.objects.count()
            assert wrapper().execute_wrappers == [record_statement, theirs]
        assert wrapper().execute_wrappers == [record_statement]
        Order.objects.count()

    profile = did(read)
    check(account, profile, 2)
    assert len([text for text in theirs.texts if "shop_order" in text]) == 1


def test_installing_inside_a_wrapper_of_somebody_else_leaves_theirs_by_its_own_door(account: Account) -> None:
    theirs = Theirs()
    Order.objects.count()
    account.forget()
    with unattached():
        manager = connection.execute_wrapper(theirs)
        manager.__enter__()
    assert wrapper().execute_wrappers == [record_statement, theirs]
    profile = did(Order.objects.count)
    manager.__exit__(None, None, None)
    assert wrapper().execute_wrappers == [record_statement]
    check(account, profile, 1)


def test_taking_ours_out_inside_a_wrapper_of_somebody_else_leaves_theirs(account: Account) -> None:
    theirs = Theirs()
    with connection.execute_wrapper(theirs), unattached():
        profile = did(Order.objects.count)
        assert wrapper().execute_wrappers == [theirs]
    assert account.unseen(profile) == ["SELECT shop_order"]
    assert wrapper().execute_wrappers == [record_statement]


def test_a_statement_that_a_wrapper_inside_ours_blocks_was_not_sent(account: Account) -> None:
    def blocking(*_arguments: object) -> None:
        raise DatabaseError("not in a template")

    def read() -> None:
        with connection.execute_wrapper(blocking), pytest.raises(DatabaseError):
            Order.objects.count()

    Order.objects.exists()
    account.forget()
    with record("block", profiler=Profiler()) as recorded:
        read()
    assert account.sent() == []
    assert [query.error for query in recorded.queries] == ["DatabaseError"]


def test_a_wrapper_that_sends_one_more_statement_is_seen_with_both(account: Account) -> None:
    def doubling(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        context["cursor"].cursor.execute("SELECT 1")  # past the wrappers: in nobody's sight but the ledger's
        return execute(sql, params, many, context)

    Order.objects.exists()
    account.forget()
    with connection.execute_wrapper(doubling):
        profile = did(Order.objects.count)
    assert account.unseen(profile) == ["SELECT"]
    assert len(reads(profile)) == 1


# --- places where no database may be asked --------------------------------------------------------------------------


def test_where_a_test_case_forbids_the_database_nothing_of_ours_asks_it(account: Account) -> None:
    """Its guard replaces the methods that connect; installing, a scope, and a report of it touch none of them."""

    class Case(SimpleTestCase):
        def test(self) -> None:
            with unattached():
                pass
            with record("block", profiler=Profiler()) as recorded, pytest.raises(AssertionError, match="not allowed"):
                Order.objects.count()
            assert recorded.query_count == 0

    run(Case)
    assert account.ledger.entries == []


async def test_where_django_forbids_a_blocking_call_nothing_is_recorded(account: Account) -> None:
    with record("block", profiler=Profiler()) as recorded, pytest.raises(SynchronousOnlyOperation):
        Order.objects.count()
    assert recorded.query_count == 0
    assert account.sent() == []


def test_a_server_that_does_not_answer_is_the_errors_of_django(account: Account) -> None:
    unreachable = {**connections.settings["default"]}
    unreachable |= {"HOST": "127.0.0.1", "PORT": "1"} if connection.vendor != "sqlite" else {"NAME": "/nowhere/at/all"}
    connections.settings["nowhere"] = unreachable
    try:
        with record("block", profiler=Profiler()) as recorded, pytest.raises(OperationalError):
            Order.objects.using("nowhere").count()
    finally:
        del connections["nowhere"]
        del connections.settings["nowhere"]
    assert recorded.query_count == 0
