"""Installing and taking out again: in any order, on every thread, and after a fork."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper
from django.db.models.query import ModelIterable, RawModelIterable
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings

import dbprofile_django
from dbprofile import Profiler, Report, record
from dbprofile_django import configuration, queries
from dbprofile_django.queries import record_statement
from tests.integrations.django.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop")

#: The thread in which asynchronous tests do synchronous work waits for work, and holds no lock.
fork_safe = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
PATCHED = (
    *((BaseDatabaseWrapper, name) for name in ("commit", "rollback", "savepoint_rollback", "close")),
    *((CursorWrapper, name) for name in ("fetchone", "fetchmany", "fetchall", "__iter__", "callproc")),
    (ModelIterable, "__iter__"),
    (RawModelIterable, "__iter__"),
    (HttpRequest, "close"),
    (SyncToAsync, "__call__"),
)


def state() -> list[object]:
    """What the classes of Django and the connection of this thread have of their own."""
    wrapper = connections["default"]
    return [
        *(vars(owner).get(name) for owner, name in PATCHED),
        *wrapper.execute_wrappers,
        sorted(wrapper.__dict__),
        len(connection_created.receivers),
    ]


def call_procedure() -> None:
    """A call through Django's cursor to a driver that has procedures."""

    class Driver:
        def callproc(self, name: str, parameters: object = None) -> str:
            return name

    wrapper: Any = connections["default"]
    assert wrapper.make_cursor(Driver()).callproc("tidy_up") == "tidy_up"


@pytest.fixture
def untouched() -> Any:
    """The state before anybody installed; afterwards dbprofile is installed again."""
    Order.objects.count()
    dbprofile_django.uninstall()
    yield state()
    dbprofile_django.install()


@pytest.mark.parametrize(
    "steps",
    [
        (dbprofile_django.install, dbprofile_django.uninstall),
        (dbprofile_django.install, dbprofile_django.install, dbprofile_django.uninstall),
        (dbprofile_django.install, dbprofile_django.uninstall, dbprofile_django.uninstall),
        (dbprofile_django.uninstall,),
        (dbprofile_django.install, connection.close, Order.objects.count, dbprofile_django.uninstall),
        (dbprofile_django.install, dbprofile_django.uninstall) * 3,
    ],
    ids=["once", "installed twice", "taken out twice", "never installed", "over a reconnect", "three times"],
)
def test_taking_it_out_leaves_nothing_behind(steps: tuple[Callable[[], object], ...], untouched: list[object]) -> None:
    for step in steps:
        step()
    assert state() == untouched


def test_a_connection_made_while_it_is_taken_out_has_nothing_of_ours(untouched: list[object]) -> None:
    copy = connection.copy()
    copy.ensure_connection()
    queries._connected(connection=copy)  # as if the signal had been on its way
    copy.close()
    assert not copy.execute_wrappers
    assert "_dbprofile" not in copy.__dict__


def test_it_is_taken_out_of_every_thread() -> None:
    Order.objects.count()
    ready, go = threading.Event(), threading.Event()
    left: list[bool] = []

    def other_thread() -> None:
        Order.objects.count()
        ready.set()
        go.wait()
        wrapper = connections["default"]
        left.append(record_statement in wrapper.execute_wrappers or "_dbprofile" in wrapper.__dict__)
        wrapper.close()

    thread = threading.Thread(target=other_thread)
    thread.start()
    assert ready.wait(10)
    try:
        dbprofile_django.uninstall()
        go.set()
        thread.join()
        assert left == [False]
        with record("block", profiler=Profiler()) as recorded:
            list(Customer.objects.all())
        assert recorded.query_count == 0
    finally:
        go.set()
        dbprofile_django.install()
    with record("block", profiler=Profiler()) as recorded:
        list(Customer.objects.all())
    assert recorded.query_count == 1
    assert connection.execute_wrappers == [record_statement]


@pytest.mark.parametrize(("owner", "name"), PATCHED, ids=lambda part: getattr(part, "__name__", part))
def test_what_others_put_over_ours_stays_theirs_and_works(owner: Any, name: str, reports: list[Report]) -> None:
    ours = vars(owner)[name]

    def theirs(self: Any, *arguments: Any) -> Any:
        return ours(self, *arguments)

    setattr(owner, name, theirs)
    try:
        for _ in range(2):
            dbprofile_django.uninstall()
            assert vars(owner)[name] is theirs
            with record("block", profiler=Profiler()) as recorded, override_settings(MIDDLEWARE=[]):
                Client().get("/orders/")
                call_procedure()
            assert recorded.query_count == 0
            dbprofile_django.install()
            reports.clear()
            Client().get("/orders/")
            connection.close()
            call_procedure()
            assert [report.profile.query_count for report in reports] == [6]
    finally:
        setattr(owner, name, ours)
    reports.clear()
    Client().get("/orders/")
    assert [report.profile.query_count for report in reports] == [6]


def test_a_request_on_its_way_while_it_is_taken_out_is_closed_as_django_does(reports: list[Report]) -> None:
    request = RequestFactory().post("/", {"file": SimpleUploadedFile("name.txt", b"content")})
    file: Any = request.FILES["file"]
    close = request.close  # as Django's handler has it when the response is made
    dbprofile_django.uninstall()
    try:
        close()
    finally:
        dbprofile_django.install()
    assert file.closed


@fork_safe
def test_a_lock_held_at_a_fork_is_free_in_the_child() -> None:
    before = configuration._built[:]
    connection.close()
    with queries._lock, configuration._lock:
        child = os.fork()
        if not child:
            free = queries._lock.acquire(blocking=False) and configuration._lock.acquire(blocking=False)
            os._exit(0 if free else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert configuration._built == before


@fork_safe
def test_the_child_of_a_fork_records_its_own_statements() -> None:
    connection.close()
    with record("parent", profiler=Profiler()) as parent:
        child = os.fork()
        if not child:
            with record("child", profiler=Profiler()) as recorded:
                Order.objects.count()
            os._exit(0 if recorded.query_count == 1 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert parent.query_count == 0
