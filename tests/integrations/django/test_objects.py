"""The time in which rows become objects: of the outermost iterable, less the database's, and only where nothing else runs in between."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_init

from dbprofile import Profiler, record
from dbprofile_django import building
from tests.integrations.django import project
from tests.integrations.django.shop.models import Customer, Line, Order, Region

pytestmark = pytest.mark.usefixtures("shop")

#: Seconds that the clock of these tests goes on with each object that is made.
STEP = 1.0
ORDERS = 5


class Clock:
    """A clock that stands still unless an object is made or a driver works."""

    def __init__(self) -> None:
        self.nanoseconds = 1

    def __call__(self) -> int:
        return self.nanoseconds

    def go_on(self, seconds: float) -> None:
        self.nanoseconds += round(seconds * 1e9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Each object takes a second to make, and each statement ten in the driver."""
    clock = Clock()
    for module in ("dbprofile.hooks", "dbprofile_django.queries", "dbprofile_django.fetches", building.__name__):
        monkeypatch.setattr(f"{module}.perf_counter_ns", clock)

    def made(**_keywords: object) -> None:
        clock.go_on(STEP)

    def working(execute: Any, *arguments: Any) -> Any:
        clock.go_on(10)
        return execute(*arguments)

    post_init.connect(made, dispatch_uid="clock")
    with connection.execute_wrapper(working):
        yield clock
    post_init.disconnect(dispatch_uid="clock")


def object_seconds(block: Callable[[], object], **settings: Any) -> float | None:
    with record("block", profiler=Profiler(**settings)) as recorded:
        block()
    return recorded.report.profile.object_seconds


def test_the_time_of_objects_is_that_of_their_making(clock: Clock) -> None:
    assert object_seconds(lambda: list(Order.objects.all())) == pytest.approx(ORDERS * STEP)


def test_a_real_clock_gives_less_than_the_wall_and_more_than_nothing() -> None:
    profiler = Profiler()
    with record("block", profiler=profiler) as recorded:
        list(Order.objects.all())
    profile = recorded.report.profile
    assert profile.object_seconds is not None
    assert 0 < profile.object_seconds <= profile.seconds - profile.database_seconds


@pytest.mark.parametrize(
    ("read", "objects"),
    [
        (lambda: Order.objects.get(note="Note 1"), 1),
        (lambda: Order.objects.first(), 1),
        (lambda: list(Order.objects.select_related("customer")), 2 * ORDERS),
        (lambda: list(Order.objects.prefetch_related("lines")), ORDERS + 2 * ORDERS),
        (lambda: [order.customer for order in Order.objects.all()], 2 * ORDERS),
        (lambda: list(Order.objects.raw("SELECT * FROM shop_order")), ORDERS),
        (lambda: list(Order.objects.none()), None),
        (lambda: list(Order.objects.filter(note="there is none")), 0),
        (lambda: list(Order.objects.values("note")), None),
        (lambda: Order.objects.count(), None),
        (lambda: list(Order.objects.iterator()), None),
        (lambda: list(Order.objects.raw("SELECT * FROM shop_order").iterator()), None),
    ],
    ids=[
        "get", "first", "joined", "prefetched", "loop", "raw", "none", "empty", "values", "count", "iterator", "raw, row by row",
    ],
)  # fmt: skip
def test_whose_time_is_known(clock: Clock, read: Callable[[], object], objects: int | None) -> None:
    seconds = object_seconds(read)
    assert seconds == (None if objects is None else pytest.approx(objects * STEP))


def test_what_an_application_does_between_rows_is_not_counted(clock: Clock) -> None:
    def read() -> None:
        for _ in Order.objects.iterator():
            clock.go_on(1000)
        for _ in Order.objects.raw("SELECT * FROM shop_order").iterator():
            clock.go_on(1000)
        for _ in Order.objects.all():
            clock.go_on(1000)

    assert object_seconds(read) == pytest.approx(ORDERS * STEP)


def test_objects_made_while_objects_are_made_are_counted_once(clock: Clock) -> None:
    def look_around(instance: Any, **_keywords: object) -> None:
        list(Region.objects.all())

    post_init.connect(look_around, sender=Customer, dispatch_uid="look around")
    try:
        seconds = object_seconds(lambda: list(Customer.objects.all()))
    finally:
        post_init.disconnect(sender=Customer, dispatch_uid="look around")
    assert seconds == pytest.approx(ORDERS * STEP + ORDERS * ORDERS * STEP)


def test_a_scope_round_another_has_its_objects_too(clock: Clock) -> None:
    profiler = Profiler()
    with profiler.scope("test", "test", reach="process") as test, profiler.scope("request", "GET /") as request:
        list(Order.objects.all())
        request.cut("background", "GET /")
        list(Line.objects.all())
    assert test.profile().object_seconds == pytest.approx(3 * ORDERS * STEP)
    assert request.profile().object_seconds == pytest.approx(2 * ORDERS * STEP)


def test_an_exception_while_objects_are_made_spoils_nothing(clock: Clock) -> None:
    def refuse(instance: Any, **_keywords: object) -> None:
        raise LookupError

    profiler = Profiler()
    with record("block", profiler=profiler) as recorded:
        post_init.connect(refuse, sender=Customer, dispatch_uid="refuse")
        with pytest.raises(LookupError):
            list(Customer.objects.all())
        post_init.disconnect(sender=Customer, dispatch_uid="refuse")
        before = recorded.report.profile.object_seconds or 0.0
        list(Order.objects.all())
    after = recorded.report.profile.object_seconds
    assert after == pytest.approx(before + ORDERS * STEP)


def test_beyond_the_detail_limit_the_time_of_objects_is_unknown(clock: Clock) -> None:
    assert object_seconds(lambda: list(Order.objects.all()), detail_limit=0) is None


def test_a_scope_closed_while_objects_are_made_stays_closed() -> None:
    profiler = Profiler()
    scope = profiler.scope("block", "block")

    def close(instance: Any, **_keywords: object) -> None:
        scope.close()

    post_init.connect(close, sender=Customer, dispatch_uid="close")
    try:
        with scope:
            assert len(list(Customer.objects.all())) == ORDERS
    finally:
        post_init.disconnect(sender=Customer, dispatch_uid="close")
    assert scope.profile().object_seconds is None


def test_threads_add_up(clock: Clock) -> None:
    def read() -> None:
        list(Order.objects.all())
        project._close_here()

    with Profiler(follow_threads=True) as profiler, record("block", profiler=profiler) as recorded:
        for _ in range(3):
            thread = threading.Thread(target=read)
            thread.start()
            thread.join()
        list(Order.objects.all())
    assert recorded.report.profile.object_seconds == pytest.approx(4 * ORDERS * STEP)


def test_nothing_of_a_read_waits_for_the_garbage_collector() -> None:
    gc.disable()
    try:
        with record("block", profiler=Profiler()):
            orders = Order.objects.all()
            gone = [weakref.ref(order) for order in orders]
            del orders
            assert [order() for order in gone] == [None] * ORDERS
    finally:
        gc.enable()
