"""Transactions: which one a statement runs in, and which statements a rollback took back; on every database."""

import contextlib
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

import dbprofile_django
from dbprofile import Profiler, Query, Recording, Scope, record
from dbprofile_django.transactions import KEPT
from tests.integrations.django import project
from tests.integrations.django.shop.models import Order, Region
from tests.services import TemporaryDatabase

every_database = pytest.mark.usefixtures("any_shop")


class TakenBackError(Exception):
    """Rolls back the block that it leaves."""


@pytest.fixture
def recording() -> Iterator[Recording]:
    with record("block", profiler=Profiler()) as recorded:
        yield recorded


def counted(recording: Recording) -> tuple[Query, ...]:
    return recording.report.profile.counted


def undone(recording: Recording) -> dict[str, bool]:
    """Of each region that was inserted, whether that was taken back."""
    return {
        str(query.values[0]): query.undone  # type: ignore[index]
        for query in recording.queries
        if query.statement.verb == "INSERT" and query.values
    }


@pytest.fixture
def writing() -> Iterator[Recording]:
    """A recording that keeps values: the names of the regions that were written."""
    with record("block", profiler=Profiler(show_values=True)) as recorded:
        yield recorded


def write(*names: str) -> None:
    for name in names:
        Region.objects.create(name=name)


# --- numbers --------------------------------------------------------------------------------------------------------


@every_database
def test_each_outermost_block_is_a_transaction(recording: Recording) -> None:
    Order.objects.count()
    for _ in range(2):
        with transaction.atomic():
            Order.objects.count()
            with transaction.atomic():
                Order.objects.count()
    alone, first, nested, second, last = counted(recording)
    assert (alone.transaction, alone.autocommit) == (None, True)
    assert first.transaction == nested.transaction is not None
    assert second.transaction == last.transaction is not None
    assert first.transaction != second.transaction
    assert not first.autocommit
    assert len({query.connection for query in recording.queries}) == 1


@every_database
@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_each_call_of_a_decorated_function_is_a_transaction(ends: str, recording: Recording) -> None:
    @transaction.atomic
    def count() -> None:
        Order.objects.count()
        if ends == "rollback":
            raise TakenBackError

    for _ in range(2):
        with contextlib.suppress(TakenBackError):
            count()
    first, second = counted(recording)
    assert first.transaction is not None
    assert first.transaction != second.transaction


@every_database
def test_a_savepoint_rolled_back_is_no_end_of_the_transaction(recording: Recording) -> None:
    @transaction.atomic
    def work() -> None:
        Order.objects.count()
        for _ in range(2):
            with contextlib.suppress(TakenBackError), transaction.atomic():
                Order.objects.count()
                raise TakenBackError
        Order.objects.count()

    work()
    assert len({query.transaction for query in counted(recording)}) == 1


@every_database
def test_a_savepoint_rolled_back_unseen_is_no_end_of_the_transaction() -> None:
    profiler = Profiler()
    with transaction.atomic():
        with record("before", profiler=profiler) as before:
            Order.objects.count()
        with contextlib.suppress(TakenBackError), transaction.atomic():
            raise TakenBackError
        with record("after", profiler=profiler) as after:
            Order.objects.count()
        numbers = [query.transaction for query in (*before.queries, *after.queries)]
    assert len(numbers) == 2
    assert len(set(numbers)) == 1


@every_database
def test_the_transaction_of_a_test_case_is_none_of_the_application(recording: Recording) -> None:
    case: Any = transaction.atomic()
    case._from_testcase = True

    @transaction.atomic
    def work() -> None:
        Order.objects.count()

    with case:
        Order.objects.count()
        work()
        work()
        Order.objects.count()
    alone, first, second, last = counted(recording)
    assert (alone.transaction, alone.autocommit) == (last.transaction, last.autocommit) == (None, True)
    assert first.transaction is not None
    assert second.transaction not in {None, first.transaction}


@every_database
def test_an_application_that_commits_by_hand_has_transactions_too(recording: Recording) -> None:
    transaction.set_autocommit(False)
    try:
        Order.objects.count()
        with transaction.atomic():
            Order.objects.count()
        Order.objects.count()
        transaction.commit()
        Order.objects.count()
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    Order.objects.count()
    first, nested, last, second, alone = counted(recording)
    assert first.transaction == nested.transaction == last.transaction is not None
    assert second.transaction not in {None, first.transaction}
    assert (alone.transaction, alone.autocommit) == (None, True)
    assert not first.autocommit


# --- what is taken back ---------------------------------------------------------------------------------------------


@every_database
def test_a_rolled_back_transaction_is_undone_and_a_committed_one_is_not(writing: Recording) -> None:
    with transaction.atomic():
        write("committed")
    with contextlib.suppress(TakenBackError), transaction.atomic():
        write("taken back", "this too")
        raise TakenBackError
    write("alone")
    assert undone(writing) == {"committed": False, "taken back": True, "this too": True, "alone": False}
    assert set(Region.objects.values_list("name", flat=True)) >= {"committed", "alone"}
    assert not Region.objects.filter(name="taken back").exists()


@every_database
def test_a_savepoint_rolled_back_undoes_what_came_after_it(writing: Recording) -> None:
    with transaction.atomic():
        write("before")
        with contextlib.suppress(TakenBackError), transaction.atomic():
            write("inside")
            with transaction.atomic():
                write("deeper, and released")
            raise TakenBackError
        write("after")
    assert undone(writing) == {"before": False, "inside": True, "deeper, and released": True, "after": False}


@every_database
def test_a_savepoint_may_be_rolled_back_to_twice(writing: Recording) -> None:
    with transaction.atomic():
        write("before")
        savepoint: Any = connection.savepoint()  # the function of django.db.transaction has another name from 6.1 on
        write("first")
        connection.savepoint_rollback(savepoint)
        write("second")
        connection.savepoint_rollback(savepoint)
        write("after")
        connection.savepoint_commit(savepoint)
    assert undone(writing) == {"before": False, "first": True, "second": True, "after": False}


@every_database
def test_a_block_that_may_not_commit_is_undone(writing: Recording) -> None:
    with transaction.atomic():
        write("marked")
        transaction.set_rollback(True)
    with contextlib.suppress(IntegrityError), transaction.atomic():
        region = Region.objects.create(name="before the error")
        Region.objects.create(pk=region.pk, name="the error")
    assert undone(writing)["marked"]
    assert undone(writing)["before the error"]


@every_database
def test_a_transaction_rolled_back_by_hand_is_undone(writing: Recording) -> None:
    transaction.set_autocommit(False)
    try:
        write("first")
        transaction.commit()
        write("second")
        transaction.rollback()
    finally:
        transaction.set_autocommit(True)
    assert undone(writing) == {"first": False, "second": True}


@every_database
def test_a_connection_closed_in_a_transaction_undoes_it(writing: Recording) -> None:
    with transaction.atomic():
        write("lost")
        connection.close()
    assert undone(writing) == {"lost": True}
    assert not Region.objects.filter(name="lost").exists()


@every_database
def test_the_block_of_a_test_case_tells_of_the_savepoints_inside_it(writing: Recording) -> None:
    case: Any = transaction.atomic()
    case._from_testcase = True
    with contextlib.suppress(TakenBackError), case:
        with contextlib.suppress(TakenBackError), transaction.atomic():
            write("taken back")
            raise TakenBackError
        with transaction.atomic():
            write("released")
        raise TakenBackError
    assert undone(writing) == {"taken back": True, "released": False}


@pytest.mark.usefixtures("shop")
def test_only_the_last_statements_of_a_long_transaction_are_kept_for_it() -> None:
    profiler = Profiler(detail_limit=2 * KEPT)
    with (
        record("block", profiler=profiler) as recorded,
        contextlib.suppress(TakenBackError),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        for _ in range(KEPT + 10):
            cursor.execute("SELECT 1")
        raise TakenBackError
    marks = [query.undone for query in recorded.report.profile.counted]
    assert marks == [False] * 10 + [True] * KEPT


@pytest.mark.usefixtures("shop")
def test_a_query_whose_scopes_are_closed_stays_as_it_is() -> None:
    profiler = Profiler()
    with contextlib.suppress(TakenBackError), transaction.atomic():
        with record("closed", profiler=profiler) as closed:
            write("one")
        with record("outer", profiler=profiler) as outer:
            with record("inner", profiler=profiler) as inner:
                write("two")
            with contextlib.suppress(TakenBackError), transaction.atomic():
                raise TakenBackError
            transaction.set_rollback(True)
            assert [query.undone for query in inner.queries] == [False]
        raise TakenBackError
    assert [query.undone for query in closed.queries] == [False]
    assert [query.undone for query in outer.queries if query.statement.verb == "INSERT"] == [False]


@pytest.mark.usefixtures("shop")
def test_a_query_grows_until_its_outermost_scope_closes() -> None:
    profiler = Profiler()
    with record("outer", profiler=profiler) as outer, contextlib.suppress(TakenBackError), transaction.atomic():
        with record("inner", profiler=profiler):
            write("one")
        raise TakenBackError
    assert [query.undone for query in outer.report.profile.counted] == [True]


# --- what is kept, and what is put back -----------------------------------------------------------------------------


@every_database
def test_callbacks_of_a_rolled_back_transaction_are_let_go(recording: Recording) -> None:
    class Callback:
        def __call__(self) -> None: ...

    def work() -> weakref.ref[Callback]:
        callback = Callback()
        with contextlib.suppress(TakenBackError), transaction.atomic():
            Order.objects.count()
            transaction.on_commit(callback)
            Order.objects.count()
            raise TakenBackError
        return weakref.ref(callback)

    gone = work()
    gc.collect()
    assert gone() is None


@every_database
def test_nothing_is_kept_of_a_transaction_that_is_over(recording: Recording) -> None:
    with transaction.atomic():
        write("one")
    assert not connections["default"].__dict__["_dbprofile"].uncommitted._kept


@pytest.mark.usefixtures("shop")
def test_a_connection_that_never_commits_keeps_no_scope_that_is_closed() -> None:
    profiler = Profiler()

    def request() -> weakref.ref[Scope]:
        with profiler.scope("request", "GET /") as scope:
            Order.objects.count()
        return weakref.ref(scope)

    transaction.set_autocommit(False)
    try:
        requests = [request() for _ in range(3)]
        gc.collect()
        assert [scope() is None for scope in requests] == [True, True, False]
        transaction.rollback()
        gc.collect()
        assert requests[-1]() is None
    finally:
        transaction.set_autocommit(True)


@pytest.mark.usefixtures("shop")
def test_the_methods_of_connections_are_put_back() -> None:
    names = ("commit", "rollback", "savepoint_rollback", "close")
    ours = [vars(BaseDatabaseWrapper)[name] for name in names]
    dbprofile_django.uninstall()
    try:
        theirs = [vars(BaseDatabaseWrapper)[name] for name in names]
    finally:
        dbprofile_django.install()
    assert [method.__wrapped__ for method in ours] == theirs
    assert {method.__module__ for method in theirs} == {"django.db.backends.base.base"}


@every_database
def test_threads_have_transactions_of_their_own(any_shop: TemporaryDatabase) -> None:
    profiler = Profiler()
    numbers: list[int | None] = []
    # SQLite lets one in at a time.
    barrier = threading.Barrier(1 if any_shop.system == "sqlite" else 3, timeout=10)

    def work() -> None:
        with record("block", profiler=profiler) as recorded, transaction.atomic():
            Order.objects.count()
            barrier.wait()
            Order.objects.count()
        numbers.extend({query.transaction for query in recorded.report.profile.counted})
        project._close_here()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == len(set(numbers)) == 3
