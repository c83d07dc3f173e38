"""Nothing is kept of requests that are over: neither ours nor the application's, however they ended."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from dbprofile import Profiler, Report, Scope, current_scope, hooks
from dbprofile.capture import scope as capture
from dbprofile.capture.profile import Profile
from tests.integrations.django import project
from tests.integrations.shops import Opened, Shop, things
from tests.integrations.shops.frameworks import FRAMEWORKS
from tests.sources import DATABASE, Connection, shop

SCOPES = 10_000
VISITS = 10

#: Django leaves the body of a request that is given up.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Unclosed file:ResourceWarning"),
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="newer Pythons keep frames and generators a little longer"),
]


def census() -> Counter[str]:
    """How many objects of each class of ours there are, in the whole process."""
    gc.collect()
    kinds = (type(found) for found in gc.get_objects())
    ours = Counter(kind.__qualname__ for kind in kinds if str(kind.__module__).startswith("dbprofile"))
    del ours["Statement"]  # of texts that were met lately, with the numbers of savepoints in them
    return ours


@pytest.fixture
def told() -> Iterator[Callable[[Report], None]]:
    """A sink that remembers some profiles weakly; at the end none of them is there."""
    profiles: deque[weakref.ref[Profile]] = deque(maxlen=100)
    yield lambda report: profiles.append(weakref.ref(report.profile))
    gc.collect()
    assert len(profiles) == 100
    assert not [profile for profile in profiles if profile() is not None]


@pytest.fixture
def allowed(request: pytest.FixtureRequest) -> Iterator[None]:
    with project.database_access(request):
        yield


# --- applications ---------------------------------------------------------------------------------------------------


def visits(shop: Shop, number: int) -> Counter[str]:
    """What there is of ours after so many visits of each page, when all that was given up has been collected."""
    for _ in range(number):
        shop.visit()
    gc.collect()
    # An event loop closes now what was collected, and the next request ends what was left open.
    shop.visit([page for page in shop.pages if "left" not in page])
    return census()


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_requests_leave_nothing_of_ours(framework: str) -> None:
    with FRAMEWORKS[framework](Profiler(sinks=[lambda report: None])) as opened:
        visits(opened, 3)
        before = visits(opened, 1)
        after = visits(opened, VISITS)
        assert after - before == Counter()
        assert current_scope() is None
        assert not capture._processes


def left_alive(opened: Opened, profiler: Profiler | None) -> dict[str, int]:
    """By each page, how many objects of the application outlive some visits as long as no garbage is collected."""
    alive = {}
    with opened(profiler) as shop:
        shop.visit()
        gc.collect()
        gc.disable()
        try:
            for name, page in shop.pages.items():
                before = len(things)
                for _ in range(4):
                    page()
                alive[name] = len(things) - before
        finally:
            gc.enable()
    gc.collect()
    return alive


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_an_application_lets_go_of_is_gone_as_soon_as_without_us(framework: str) -> None:
    opened, others = (
        FRAMEWORKS[framework],
        weakref.WeakSet(things),
    )  # what a report of another test still holds is not ours
    assert left_alive(opened, Profiler(sinks=[lambda report: None])) == left_alive(opened, None)
    assert not set(things) - set(others)


# --- scopes ---------------------------------------------------------------------------------------------------------


class VisitError(Exception):
    """Holds whatever its traceback leads to."""


@contextmanager
def nothing_grows() -> Iterator[None]:
    before, blocks = census(), sys.getallocatedblocks()
    yield
    after = census()
    assert after - before == Counter()
    assert sys.getallocatedblocks() - blocks < SCOPES // 10, "less than a tenth of an object is kept of each scope"


def work(profiler: Profiler, database: Connection, number: int) -> None:
    """One unit of work, each third of them failed, with a block and a read in it that is asked for twice."""
    with suppress(VisitError), profiler.scope("request", f"GET /{number}"), profiler.scope("block", "b"):
        for _ in range(2):
            database.execute("SELECT name FROM customer WHERE id = ?", (number % 5,)).fetchall()
        if number % 3 == 0:
            raise VisitError


def test_ten_thousand_scopes_in_threads(told: Callable[[Report], None]) -> None:
    profiler = Profiler(sinks=[told])

    def serve(thread: int) -> None:
        with shop() as database:
            for number in range(thread, SCOPES, 8):
                work(profiler, database, number)

    def run() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(serve, range(8)))

    with shop() as database:
        work(profiler, database, 1)
    with nothing_grows():
        run()


async def test_ten_thousand_scopes_in_tasks_some_of_them_cancelled(told: Callable[[Report], None]) -> None:
    profiler = Profiler(sinks=[told])

    async def serve(number: int) -> None:
        with profiler.scope("request", f"GET /{number}") as scope:
            hooks.stop(hooks.start(scope, "SELECT 1 FROM orders", (number,), DATABASE))
            await asyncio.sleep(0)
            if number % 3 == 0:
                await asyncio.Event().wait()
            if number % 3 == 1:
                raise VisitError

    async def some(first: int) -> None:
        tasks = [asyncio.create_task(serve(number)) for number in range(first, first + 50)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    await some(0)
    with nothing_grows():
        for first in range(0, SCOPES, 50):
            await some(first)


def test_exceptions_that_the_application_keeps_are_all_that_it_keeps() -> None:
    profiler = Profiler(sinks=[lambda report: None])
    kept: list[BaseException] = []
    scopes: list[weakref.ref[Scope]] = []

    def fail() -> None:
        with profiler.scope("request", "GET /") as scope:
            scopes.append(weakref.ref(scope))
            watch = hooks.start(scope, "SELECT 1 FROM orders", (), DATABASE)
            error = VisitError()
            hooks.stop(watch, error=error)
            raise error

    for _ in range(100):
        try:
            fail()
        except VisitError as error:
            kept.append(error.with_traceback(None))  # as a log of errors does that is good to its memory
    gc.collect()

    assert len(kept) == 100
    assert not [scope for scope in scopes if scope() is not None]
