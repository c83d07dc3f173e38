"""A fault in every function of ours that runs between a request and its end: the application notices nothing, the log is told once."""

from __future__ import annotations

import gc
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from math import ceil

import pytest

from dbprofile import Profiler, Report, guard
from dbprofile.capture.query import Query
from dbprofile.capture.scope import Scope
from dbprofile.output.sinks import LogSink
from dbprofile.profiler import Sink
from tests.faults import Fault, Place, all_names, forget_everything, forget_faults, places, told
from tests.integrations.django import project
from tests.integrations.shops import Shop, celery, plain
from tests.integrations.shops.frameworks import FRAMEWORKS

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 12), reason="the fault is put into code objects, of which newer Pythons warn"
)


VARIANTS = {
    **FRAMEWORKS,
    "celery": celery.opened,
    "plain, counters only": plain.opened,
    "plain, in a test": plain.opened,
}

#: What stands between the application and its libraries without a guard below it, and why it has to.
DOORS = {
    "asked for every statement: it reads a variable, and a guard would double its price": (
        r"dbprofile\.capture\.scope\.(receiver|current_scope)",
        r"dbprofile\.capture\.unseen\.of_this_thread",
        r"dbprofile_django\.uses\.is_auditing",
    ),
    "called in the place of a library's own function, which it calls; of ours it calls what is guarded": (
        r"dbprofile\.streaming\.serve",
        r"dbprofile_wsgi\.scopes\.ProfileMiddleware\.__call__",
        r"dbprofile_flask\.scopes\._Requests\.__call__",
        r"dbprofile_asgi\.scopes\.(ProfileMiddleware\.__call__|_Request\.send|_Websocket\.receive)",
        r"dbprofile_django\.scopes\.ProfileMiddleware\.(__call__|_respond)",
        r"dbprofile_django\.bridge\._bridged\..*",
        r"dbprofile_django\.endings\._close",
        r"dbprofile_django\.fetches\._(fetchone|fetchmany|fetchall|iterate)",
        r"dbprofile_django\.queries\.record_statement",
        r"dbprofile_django\.rows\._label.*",
        r"dbprofile_django\.transactions\._(after|telling_first)\..*",
        r"dbprofile_sqlalchemy\.queries\._do_execute(_of_batch|many)?",
        r"dbprofile_sqlalchemy\.transactions\._(taking_back|setting_savepoint)\..*",
        r"dbprofile_dbapi\.(cursors\.timed|proxies\._(all|next|one))",
    ),
    "an object that stands for one of a library's: each of its methods is one of those": (
        r"dbprofile\.streaming\.((Async)?Body|_Promised|_Start)\..*",
        r"dbprofile_django\.(scopes\._Within|endings\._Ending)\..*",
        r"dbprofile_sqlalchemy\.fetches\.FetchTimer\..*",
        r"dbprofile_dbapi\.(cursors|factories|proxies|sqlite)\.[A-Z]\w*\..*",
    ),
}
DOOR = re.compile("|".join(name for names in DOORS.values() for name in names))

#: Floors below one guard, that of delivering. They are walked where they run most.
JUDGING = re.compile(r"dbprofile\.(sql|analysis|findings|rules|output)\.")


class Listening:
    """A sink that wants to be told of everything."""

    def __call__(self, report: Report) -> None:
        """A report."""

    def query_done(self, query: Query, handle: object, error: BaseException | None) -> None:
        """A statement."""

    def unit_opened(self, scope: Scope) -> None:
        """A request begins."""

    def unit_done(self, scope: Scope) -> None:
        """A request ends."""


@pytest.fixture
def logged_to_nowhere() -> Iterator[None]:
    """Reports are rendered, and nobody is shown them."""
    log = logging.getLogger("dbprofile")
    handler = logging.NullHandler()
    log.addHandler(handler)
    log.propagate = False
    level = log.level
    log.setLevel(logging.INFO)
    yield
    log.setLevel(level)
    log.propagate = True
    log.removeHandler(handler)


def walked(framework: str, found: list[Place]) -> Iterator[tuple[Place, tuple[str, ...]]]:
    """The functions that fail in turn, each with the pages to visit: of the plain shop all on which it runs, of others some."""
    for place in found:
        judges = JUDGING.match(place.name) is not None
        if place.contained and (framework in {"plain", "flask"} or not judges):
            pages = tuple(sorted(place.pages))
            most = len(pages) if framework == "plain" else 2 if judges else 5
            yield place, pages[:: ceil(len(pages) / most)]


def forgotten(shop: Shop) -> None:
    forget_everything()
    shop.forget()


def visited(shop: Shop, pages: Sequence[str], fault: Fault) -> tuple[list[object], list[str]]:
    """What the application answers where a function fails, and what the log is told."""
    with told() as messages:
        return shop.visit(pages, fault), messages


def noticed(shop: Shop, place: Place, pages: Sequence[str], expected: list[object]) -> tuple[str, bool]:
    """What the application notices of a fault, if anything; and whether the function ran at all."""
    fault = Fault(place, forget_faults)
    answers, messages = visited(shop, pages, fault)
    if not fault.raised:  # perhaps what it fills is full
        fault = Fault(place, partial(forgotten, shop))
        answers, messages = visited(shop, pages, fault)
    if answers != expected:
        return f"{place.name}: other answers, statements or contents", True
    if fault.raised and not messages:
        return f"{place.name}: not a word of it", True
    if len(set(messages)) < len(messages):
        return f"{place.name}: told more than once: {messages}", True
    return "", bool(fault.raised)


@pytest.mark.usefixtures("logged_to_nowhere")
@pytest.mark.filterwarnings(
    "ignore:Unclosed file:ResourceWarning"
)  # Django leaves the body of a request that is given up
@pytest.mark.parametrize("framework", VARIANTS)
def test_no_fault_of_ours_reaches_the_application(framework: str, request: pytest.FixtureRequest) -> None:
    sinks: list[Sink] = [LogSink(), LogSink("json"), Listening()]
    profiler = Profiler(sinks=sinks, detail_limit=0 if "counters" in framework else 1_000)
    around = Profiler().scope("test", "t", reach="process") if "in a test" in framework else nullcontext()
    opened = VARIANTS[framework]
    with project.database_access(request), around:
        with opened(None) as shop:
            unprofiled = shop.visit()
        with opened(profiler) as shop:
            assert shop.visit() == unprofiled
            shop.reset()
            forgotten(shop)
            found = places(shop.pages)
            bare = [place.name for place in found if not place.contained and not DOOR.fullmatch(place.name)]
            assert not bare, "without a guard, and none of DOORS"

            expected: dict[tuple[str, ...], list[object]] = {}
            guard.reraising(False)
            mistakes, ran = [], []
            for place, pages in walked(framework, found):
                if pages not in expected:
                    expected[pages] = shop.visit(pages)
                mistake, raised = noticed(shop, place, pages, expected[pages])
                mistakes += [mistake] if mistake else []
                ran.append(raised)
            assert not mistakes
            # Some run by chance: when the garbage is collected.
            assert sum(ran) > 0.97 * len(ran) > 100

            forget_everything()
            gc.collect()  # responses that were given up, each with its request
            guard.reraising(True)
            assert shop.visit() == unprofiled


def test_every_door_is_a_function_of_ours() -> None:
    names = all_names()
    gone = [door for doors in DOORS.values() for door in doors if not any(re.fullmatch(door, name) for name in names)]
    assert not gone
