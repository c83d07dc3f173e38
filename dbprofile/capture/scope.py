"""Scope: an open unit of work, kept in a ContextVar. Where a statement of this moment is recorded, and what was not seen.

The variable holds the mutable Scope itself, so that copied contexts (thread pools, child tasks) record into the same one. Each
thread and task of a scope has a lane that only it appends to: no lock, no lost increment.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Self

from dbprofile.capture import listening, unseen
from dbprofile.capture.connection import Connection
from dbprofile.capture.counters import CounterRoom
from dbprofile.capture.eager import EagerLoad
from dbprofile.capture.lane import Lane
from dbprofile.capture.profile import Profile
from dbprofile.capture.texts import LongTexts
from dbprofile.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator
    from types import FrameType, TracebackType

    from dbprofile.capture.connection import Event
    from dbprofile.capture.provenance import Lineage
    from dbprofile.capture.query import Query

__all__ = [
    "DETAIL_LIMIT",
    "LANE_LIMIT",
    "UNIT_KINDS",
    "Scope",
    "current_scope",
    "enclosing_scope",
    "made_current",
    "muted",
    "next_number",
    "receiver",
    "recorded_since",
    "travelling",
]

#: Statements that a scope keeps in full detail; beyond it counters by text.
DETAIL_LIMIT: Final = 1_000
#: Lanes of a scope beyond which its tasks share them: those of one thread never write at once. A prime, because ids are not.
LANE_LIMIT: Final = 251
#: Relations loaded at once whose uses a scope counts.
EAGER_LIMIT: Final = 1_000
#: Scopes of these kinds are units of work: their queries are never judged together with others.
UNIT_KINDS: Final = frozenset({"request", "background", "task", "command", "message"})

_get_ident = threading.get_ident
_started = attrgetter("started")
#: CO_GENERATOR and CO_ASYNC_GENERATOR; importing inspect for two numbers costs 6 ms.
_GENERATOR: Final = 0x20 | 0x200


class Scope:
    """An open unit of work.

    Opened by ``Profiler.scope``; ``with scope:`` makes it current, and closes it at the end. An adapter whose unit of work is left
    and entered again (a streamed body) uses ``entered()`` for each step and calls ``close()`` itself.

    Args:
        kind: ``request``, ``background``, ``message``, ``task``, ``command``, ``block`` or ``test``.
        name: what people read; may be improved until the scope closes.
        number: the ``#42``.
        on_close: gets the Profile when the scope closes or is cut.
        on_settle: called once, at the last moment at which a server's span still records.
        detail_limit: statements in full detail; 0 keeps counters only, and what is slow.
        slow_seconds: at or over it a statement is kept in full even beyond the limit.
        reach: ``context``: statements of this context; ``process``: also statements of the process that are in no scope.

    Attributes:
        in_unit: whether a request, a task or another of ``UNIT_KINDS`` is the unit of its statements.
        began: ``perf_counter_ns`` when it opened, or when its last part was cut off.
        notes: what a sink keeps for the unit of work, with the sink as the key; the Profile has the same notes.
        stopped: ``perf_counter_ns`` when the work was over, where the scope is closed only later; ``None`` until then.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        *,
        number: int,
        on_close: Callable[[Scope, Profile], None] | None = None,
        on_settle: Callable[[Scope], None] | None = None,
        detail_limit: int = DETAIL_LIMIT,
        slow_seconds: float = 0.1,
        reach: str = "context",
        labels: dict[str, object] | None = None,
        parent: int | None = None,
        show_values: bool = False,
    ) -> None:
        self.kind = kind
        self.name = name
        self._number: int | None = number
        self.parent = parent
        self.labels: dict[str, object] = labels if labels is not None else {}
        self.notes: dict[object, object] = {}
        self.phase = "handling"
        self.open = True
        self.settled = False
        self.detail_limit = detail_limit
        self.slow_seconds = slow_seconds
        self.show_values = show_values
        self.reach = reach
        self.detailed = 0
        self.root: FrameType | None = None
        outer = self.outer = enclosing_scope()
        # Tests are units where something stands round them: of a command that runs many no two are judged together.
        alone = kind in UNIT_KINDS or kind == "test" or outer is None
        self.unit: Hashable = (kind, number) if alone or outer is None else outer.unit
        self.in_unit = _is_unit(self.unit)
        self._on_close = on_close
        self._on_settle = on_settle
        # Lanes are numbered by the unit of work, so that blocks inside it that run at once do not all begin at 0.
        self._numbering: Scope = self if outer is None or kind in UNIT_KINDS else outer._numbering  # noqa: SLF001 - a Scope's
        self._generation = _generation
        self._lanes: dict[int, Lane] = {}
        self._room = CounterRoom()
        self._received: dict[int, list[Query]] = {}
        self._connections: dict[Hashable, Connection] = {}
        self._eager: dict[Hashable, EagerLoad] = {}
        self._texts: LongTexts | None = None
        self._serials = count()
        self._thread = _get_ident()
        self._tokens: list[Token[Scope | None]] = []
        self._begin()
        if reach == "process":
            _enter_process(self)

    def _begin(self) -> None:
        self.stopped: int | None = None
        self._wall = time.time_ns()
        self.began = time.perf_counter_ns()
        # Plain dictionaries: a Counter copies itself in Python.
        self._outside = dict(unseen.outside)
        self._late = dict(unseen.late)
        self.lane()  # number 0 is that of the opener, whoever queries first

    # --- the hot path -------------------------------------------------------------------------------------------

    def lane(self) -> Lane:
        """The lane of the running thread or task; of a scope that is closed a new one each time, which nobody keeps."""
        if not self.open:
            return Lane(0, None)
        loop = None
        events = sys.modules.get("asyncio.events")  # an asyncio that was never imported runs no task
        if events is not None:
            loop = events._get_running_loop()  # noqa: SLF001 - the documented way raises where there is no loop
        # A task by its id, which another one may have when it is over: no task is kept. What is none is a callback of the loop's.
        key = _get_ident() if loop is None else id(sys.modules["asyncio.tasks"].current_task(loop) or loop)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._new_lane(key, on_loop=loop is not None)
        return lane

    def _new_lane(self, key: int, *, on_loop: bool) -> Lane:
        if on_loop and len(self._lanes) >= LANE_LIMIT:
            key %= LANE_LIMIT
            lane = self._lanes.get(key)
            if lane is not None:
                return lane
        numbering = self._numbering
        number = next(self._serials) if numbering is self or not numbering.open else numbering.lane().number
        thread = None if _get_ident() == self._thread else unseen.thread_name()
        lane = Lane(number, thread, on_loop=on_loop and not _waits_elsewhere(), room=self._room)
        return self._lanes.setdefault(key, lane)

    def record(self, query: Query, lane: Lane | None = None) -> None:
        """Keep a query that has been executed, here and in each scope round this one."""
        if not self.open:
            self._receive_late(query)
            return
        if lane is None:
            lane = self.lane()
        elif lane.handed_over:
            lane, query.unit = self.lane(), self.unit
        query.lane = lane.number
        # Only what differs from nearly all others: setting an attribute that is no slot makes a dictionary.
        if lane.thread is not None:
            query.thread = lane.thread
        if self.phase != "handling":
            query.phase = self.phase
        if self.detailed < self.detail_limit:  # as in _keeps, which nearly every query would call for nothing
            self.detailed += 1
            lane.queries.append(query)
        elif query.seconds >= self.slow_seconds and self._keeps(query):
            lane.queries.append(query)
        else:
            lane.counters.count(query)
        if self.outer is not None or _processes:
            self._pass_on(query)

    def _pass_on(self, query: Query) -> None:
        for scope in self._reached():
            scope.receive(query)

    def _reached(self) -> Iterator[Scope]:
        """The scopes that hear of what happens in this one: those round it, and those of the process."""
        outer = self.outer
        while outer is not None:
            yield outer
            outer = outer.outer
        for process in _processes:
            if process is not self and not self._is_inside(process):
                yield process

    def receive(self, query: Query) -> None:
        """Keep a query of a scope inside this one, or of the process."""
        if not self.open:
            return
        ident = _get_ident()
        received = self._received.get(ident)
        if received is None:
            received = self._received.setdefault(ident, [])
        if self._keeps(query):
            received.append(query)
        else:
            self.lane().counters.count(query)

    def add_object_seconds(self, seconds: float, lane: Lane | None = None) -> None:
        """Add time in which rows became objects, here and in the scopes that hear of it."""
        lane = lane or self.lane()
        lane.object_seconds = (lane.object_seconds or 0.0) + seconds
        if self.outer is not None or _processes:
            for scope in self._reached():
                lane = scope.lane()
                lane.object_seconds = (lane.object_seconds or 0.0) + seconds

    def connection(self, library: str, serial: int, event: Event, moment: int) -> None:
        """Something happened to a connection, of which the scopes round this one are told too.

        Args:
            library: whose connection it is, as ``Database.library``.
            serial: its number, as ``Query.connection``.
            event: a method of ``Connection``.
            moment: ``perf_counter_ns``.
        """
        key = (self.unit, library, serial)
        lane = self.lane().number
        for scope in (self, *self._reached()):
            if scope.open:
                known = scope._connections.setdefault(key, Connection(library, serial, self.unit, lane))  # noqa: SLF001 - a Scope's
                event(known, moment)

    def eager_load(self, relation: str, lineage: Lineage) -> EagerLoad:
        """The sums of a relation that is loaded at once for rows of a query; the scopes round this one see the same."""
        key = (self.unit, relation, lineage)
        found = self._eager.get(key) or EagerLoad(relation, lineage, self.unit)
        for scope in (self, *self._reached()):
            if scope.open and len(scope._eager) < EAGER_LIMIT:  # noqa: SLF001 - a Scope's
                scope._eager.setdefault(key, found)  # noqa: SLF001 - a Scope's
        return found

    def _pass_on_unfinished(self, lanes: dict[int, Lane]) -> None:
        unfinished = sum(lane.unfinished for lane in list(lanes.values()))
        outer = next((scope for scope in self._reached() if scope.open), None) if unfinished else None
        if outer is not None:
            outer.lane().unfinished += unfinished

    def _keeps(self, query: Query) -> bool:
        slow = query.seconds >= self.slow_seconds
        if self.detailed < self.detail_limit + (DETAIL_LIMIT if slow else 0):
            self.detailed += 1
            return True
        return False

    def _is_inside(self, scope: Scope) -> bool:
        outer = self.outer
        while outer is not None:
            if outer is scope:
                return True
            outer = outer.outer
        return False

    def keep_text(self, sql: object) -> object:
        """What stands for a text of unusual length, or of a type of a driver's own, in the records of this scope."""
        if not self.open:
            return sql
        if self.outer is not None and self.outer.open:
            return self.outer.keep_text(sql)
        if self._texts is None:
            self._texts = LongTexts()
        return self._texts.keep(sql)

    def _receive_late(self, query: Query) -> None:
        unseen.of_closed(self.name)
        if _get_ident() != self._thread:
            query.thread = unseen.thread_name()
        self._pass_on(query)

    # --- opening and closing ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if self.root is None:
            self.root = _root_frame(sys._getframe(1))  # noqa: SLF001 - the frame itself is wanted, not a copy of the stack
        self._tokens.append(_CURRENT.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _reset(self._tokens.pop())
        self.close()

    @property
    def number(self) -> int:
        """The ``#42`` by which people refer to it. A part that was cut off takes its own when somebody asks first."""
        if self._number is None:
            self._number = next_number()
        return self._number

    def entered(self) -> AbstractContextManager[Scope]:
        """Make the scope current for one step, without closing it at the end."""
        return _Step(self)

    @guarded("scope.settle", None)
    def settle(self) -> None:
        """The last moment before the response is over: counts and durations go to the sinks. Idempotent."""
        if not self.settled:
            self.settled = True
            if self._on_settle is not None:
                self._on_settle(self)

    @guarded("scope.cut", None)
    def cut(self, kind: str, name: str, phase: str = "background", *, discard: bool = False) -> None:
        """Hand over what is recorded so far as a Profile, and go on with an empty record as another unit.

        Args:
            kind: of the unit that begins.
            name: of the unit that begins.
            phase: in which its statements run.
            discard: hand nothing over, for a part that turned out empty.
        """
        if not self.open:
            return
        if not discard:
            self.settle()
        # The new record first: another thread may be recording at this moment.
        lanes, received = self._lanes, self._received
        self._lanes, self._received, self.detailed, self._serials = {}, {}, 0, count()
        kept, self._connections, self._eager = (self._connections, self._eager), {}, {}
        self._texts, self._room = None, CounterRoom()
        for lane in list(lanes.values()):
            lane.handed_over = True  # statements in flight belong to the part that begins
        self._pass_on_unfinished(lanes)
        profile = None if discard else self._profile(lanes, received, *kept)
        if self._on_close is not None and profile is not None:
            self._on_close(self, profile)
        if self.kind != kind:
            self.parent = None if profile is None else profile.number
        self.kind, self.name, self.phase = kind, name, phase
        self._number = None
        if kind in UNIT_KINDS:
            self.unit, self.in_unit = (kind, -next(_parts)), True
        self._begin()

    @guarded("scope.close", None)
    def close(self, *, discard: bool = False) -> None:
        """End the unit of work and hand its Profile over. Idempotent; from any thread and any context.

        Args:
            discard: close without handing anything over, for a part that turned out empty.
        """
        if not self.open:
            return
        if self._generation != _generation:
            self.open = False  # the child of a fork: the unit of work is its parent's, who hands it over
            return
        if not discard:
            self.settle()
        self.open = False
        if self.reach == "process":
            _leave_process(self)
        self.root = self._texts = None
        self._pass_on_unfinished(self._lanes)
        for lane in list(self._lanes.values()):
            lane.notes.clear()  # an adapter may keep frames there, and with them the application's objects
        if self._on_close is not None and not discard:
            self._on_close(self, self.profile())

    def forget(self) -> None:
        """Let go of the record of a closed scope: what outlives the unit (a connection that it opened) may hold its context."""
        if not self.open:
            self._lanes, self._received, self._connections, self._eager = {}, {}, {}, {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing was recorded since the scope opened or was cut."""
        return not self._received and not any(lane.queries or lane.counters for lane in self._lanes.values())

    def recorded_since(self, moment: int) -> Iterator[Query]:
        """The queries in full detail that began at a moment (``perf_counter_ns``) or after it, the latest of each lane first."""
        for lane in list(self._lanes.values()):
            for query in reversed(lane.queries):
                if query.started < moment:
                    break
                yield query
        for received in list(self._received.values()):
            yield from (
                query for query in reversed(received) if query.started >= moment
            )  # those of tasks are in no order

    def profile(self) -> Profile:
        """What has been recorded so far; also while the scope is open."""
        return self._profile(self._lanes, self._received, self._connections, self._eager)

    def _profile(
        self,
        recorded: dict[int, Lane],
        received: dict[int, list[Query]],
        connections: dict[Hashable, Connection],
        eager: dict[Hashable, EagerLoad],
    ) -> Profile:
        now = time.perf_counter_ns()
        lanes = list(recorded.values())
        queries = [query for lane in lanes for query in lane.queries]
        queries.extend(query for those in list(received.values()) for query in those)
        queries.sort(key=_started)
        built = [lane.object_seconds for lane in lanes if lane.object_seconds is not None]
        return Profile(
            kind=self.kind,
            name=self.name,
            number=self.number,
            parent=self.parent if self.parent is not None else (self.outer.number if self.outer else None),
            labels=dict(self.labels),
            notes=self.notes,
            started=self._wall / 1e9,
            seconds=((self.stopped or now) - self.began) / 1e9,
            queries=tuple(queries),
            counters=tuple(counter for lane in lanes for counter in list(lane.counters.values())),
            unit=self.unit,
            connections=tuple(known.until(now) for known in list(connections.values())),
            eager_loads=tuple(known.so_far() for known in list(eager.values())),
            object_seconds=sum(built) if built else None,
            untracked=unseen.since(self._outside, unseen.outside),
            late=unseen.since(self._late, unseen.late),
            unfinished=sum(lane.unfinished for lane in lanes),
        )

    def __reduce__(self) -> tuple[object, tuple[()]]:
        # What carries a scope (a request, the environment of a server) is pickled and copied by the application: as nothing.
        return (type(None), ())

    def __repr__(self) -> str:
        return f"Scope({self.kind!r}, {self.name!r}, number={self.number})"


# --- the current scope ----------------------------------------------------------------------------------------------

_CURRENT: ContextVar[Scope | None] = ContextVar("dbprofile_scope", default=None)
_processes: tuple[Scope, ...] = ()
#: How many forks lie between this process and the one that imported us.
_generation = 0
_numbers = count(1)
#: Units of parts whose number is not taken yet; negative, so that they are nobody's number.
_parts = count(1)


def next_number() -> int:
    """The next ``#42`` of this process."""
    return next(_numbers)


def enclosing_scope() -> Scope | None:
    """The open scope that one opened now would be inside of: the current one, else the innermost of the process."""
    outer = _CURRENT.get()
    if outer is None or outer is _MUTED:
        outer = _processes[-1] if _processes else None
    while outer is not None and not outer.open:
        outer = outer.outer
    return outer


def current_scope() -> Scope | None:
    """The innermost open scope of this context; ``None`` outside any, and while muted."""
    scope = _CURRENT.get()
    while scope is not None and not scope.open:
        scope = scope.outer
    return scope


def recorded_since(moment: int) -> Iterator[Query]:
    """The queries of this context that began at a moment (``perf_counter_ns``) or after it, of scopes that are open: they may still change.

    One that was recorded in several scopes may come more than once.
    """
    scope = enclosing_scope()
    while scope is not None:
        if scope.open:
            yield from scope.recorded_since(moment)
        if scope.began <= moment:
            return
        scope = scope.outer


def receiver() -> Scope | None:
    """Where a statement of this moment is recorded; ``None`` if nobody wants to know of it.

    Asked by every hook before anything else. A statement outside any scope is counted here, by the name of its thread.
    """
    scope = _CURRENT.get()
    if scope is not None:
        return scope if scope.open else _late_receiver(scope)
    if _processes:
        return _processes[-1]
    try:  # as unseen.of_this_thread(), without the call: this is all that a statement which nobody watches should cost
        unseen.outside[unseen.here.name] += 1
    except AttributeError:
        unseen.of_this_thread()
    return _OUTSIDE if listening.listeners else None


@guarded("scope.late", None)
def _late_receiver(closed: Scope) -> Scope | None:
    """For a task that outlived its request: counted as late, never guessed into another unit."""
    if closed is _MUTED:
        return None
    if closed.outer is not None or listening.listeners or _processes:
        return closed
    unseen.of_closed(closed.name)
    return None


def _is_unit(unit: Hashable) -> bool:
    return isinstance(unit, tuple) and unit[0] in UNIT_KINDS


def _reset(token: Token[Scope | None]) -> None:
    # Entered in one context, left in another (an async generator closed elsewhere): the variable there is not ours.
    try:  # noqa: SIM105 - suppress() is three calls
        _CURRENT.reset(token)
    except ValueError:
        pass


class made_current:  # noqa: N801 - a context manager, as contextlib.suppress
    """For the duration of a block statements of this context belong to a scope, or to none."""

    # A class, and not a generator under contextlib's decorator: four calls less, several times in each request.
    __slots__ = ("_scope", "_token")

    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope

    def __enter__(self) -> None:
        self._token = _CURRENT.set(self._scope)

    def __exit__(self, *error: object) -> None:
        _reset(self._token)


class _Step:
    """A scope that is current for one step, and open for the next."""

    __slots__ = ("_rooted", "_scope", "_token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __enter__(self) -> Scope:
        scope = self._scope
        if scope._generation != _generation:  # noqa: SLF001 - a Scope's
            scope.open = False  # a body that goes on in the child of a fork
        self._rooted = scope.open and scope.root is None
        if self._rooted:
            scope.root = _root_frame(sys._getframe(1))  # noqa: SLF001 - as in Scope.__enter__
        self._token = _CURRENT.set(scope)
        return scope

    def __exit__(self, *error: object) -> None:
        _reset(self._token)
        if self._rooted:
            # A frame holds what its function does: the response too, and nobody else may be holding that.
            self._scope.root = None


def muted() -> AbstractContextManager[None]:
    """Statements inside are dbprofile's own: neither recorded nor counted as outside."""
    return made_current(_MUTED)


def travelling() -> Scope | None:
    """What a thread that is started now inherits if threads are followed: an open scope, or that it is muted."""
    scope = _CURRENT.get()
    return scope if scope is not None and (scope.open or scope is _MUTED) else None


def _enter_process(scope: Scope) -> None:
    global _processes
    _processes = (*_processes, scope)


def _leave_process(scope: Scope) -> None:
    global _processes
    _processes = tuple(known for known in _processes if known is not scope)


def _waits_elsewhere() -> bool:
    """Whether gevent has patched the process: a driver that blocks lets other greenlets run, and the loop may run in one of them."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("socket"))


def _root_frame(frame: FrameType | None) -> FrameType | None:
    """The first frame outward that is neither contextlib's, a generator nor ours: the loop round a block is often in it."""
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))  # a program that is run by exec may have none
        ours = name == "contextlib" or name.partition(".")[0] == "dbprofile" or name.startswith("dbprofile_")
        if not ours and not frame.f_code.co_flags & _GENERATOR:
            return frame
        frame = frame.f_back
    return None


def _forget_parent_process() -> None:
    """In the child of a fork: no scope of the parent is open here, and nothing of it is counted or handed over twice."""
    global _processes, _generation
    _generation += 1
    _CURRENT.set(None)
    _processes = ()
    unseen.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent_process)


class _Closed(Scope):
    """A scope that records nothing: what stands in the variable while muted, and for statements outside any scope."""

    def __init__(self, name: str) -> None:
        super().__init__("none", name, number=0)
        self.open = False

    def record(self, query: Query, lane: Lane | None = None) -> None:
        """Keep nothing."""


_MUTED: Final[Scope] = _Closed("muted")
_OUTSIDE: Final[Scope] = _Closed("outside")
