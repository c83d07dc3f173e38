"""The contract of adapters that open a scope round each unit of work of a framework, as tests to inherit."""

from __future__ import annotations

import gc
import os
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from dbprofile import streaming
from dbprofile.capture import scope as capture
from dbprofile.capture.profile import Profile
from dbprofile.capture.scope import Scope, current_scope
from dbprofile.errors import ConfigurationError
from dbprofile.findings.report import Report
from dbprofile.profiler import Profiler, default_profiler
from dbprofile.recording import record
from dbprofile.testing.suite.sabotage import named_faults
from dbprofile.testing.suite.source import Source, opened
from dbprofile.testing.suite.surroundings import Outcome, alone, environment, faults_swallowed, outcome_of, undisturbed

__all__ = ["Call", "Handle", "Reply", "ScopesContract", "profiles_of", "text_of"]

#: Functions of the core that run for each unit of work, called by guarded ones.
UNGUARDED: Final[list[tuple[Any, str]]] = [
    *((Scope, name) for name in ("__init__", "entered", "lane", "record", "profile")),
    *((Profiler, name) for name in ("scope", "wants", "report")),
    (capture, "enclosing_scope"),
    (capture, "_root_frame"),
    (capture, "_reset"),
]


@dataclass
class Reply:
    """What a unit of work answers.

    Attributes:
        text: the whole answer.
        chunks: a body that is made step by step instead, for frameworks that stream.
        after: what is left to do once the answer is out, for frameworks with background work.
        status: of a response over HTTP.
    """

    text: str = ""
    chunks: Iterable[str] | None = None
    after: Callable[[], object] | None = None
    status: int = 200


_ONE: Final = "SELECT 1 AS one"

#: What a unit of work does; the number tells one from another.
Handle = Callable[[int], Reply]
#: Runs one unit of work to its end, and returns its answer in a form that compares.
Call = Callable[..., object]


class ScopesContract:
    """Tests of an adapter with scopes, for a class that says how its framework runs one unit of work.

    ::

        class TestJobs(ScopesContract):
            modules = (dbprofile_jobs.scopes,)
            kind = "task"
            name = "close the month"
            path = "close the month"

            @contextmanager
            def serve(self, handle, settings):
                runner = Runner(lambda number: handle(number).text)
                if settings is not None:
                    runner = ProfiledRunner(runner, **settings)
                yield runner.run
    """

    modules: Sequence[ModuleType] = ()
    """The adapter's modules: faults are put into their guarded functions."""
    kind: str = "request"
    name: str = "GET /orders/{number}"
    """What every unit of work is named, whatever its number."""
    path: str = "/orders/7"
    """What ``include`` and ``exclude`` are asked about, of the unit with number 7."""
    in_threads: bool = True
    """Whether units that run at once may wait for each other; tasks of one event loop must not."""
    nests: bool = True
    """Whether a unit of work may run another one."""

    def serve(self, handle: Handle, settings: Mapping[str, object] | None, /) -> AbstractContextManager[Call]:
        """A framework whose units of work call ``handle``.

        Args:
            handle: called with the number that ``call(number)`` was given.
            settings: of the adapter, ``profiler=`` among them; ``None`` for the framework without it.
        """
        raise NotImplementedError

    def together(self, call: Call, numbers: Sequence[int]) -> list[object]:
        """Run units of work at once."""
        with ThreadPoolExecutor(len(numbers)) as pool:
            return list(pool.map(call, numbers))

    # --- one unit of work, one profile --------------------------------------------------------------------------------

    def test_a_unit_of_work_is_one_profile_with_the_statements_that_were_sent(self) -> None:
        with self._asking() as (call, database, reports):
            assert reports == []
            call(7)
        (profile,) = profiles_of(reports)
        assert (profile.kind, profile.parent) == (self.kind, None)
        assert [query.sql for query in profile.queries] == database.sent == [text_of(7)]
        assert [query.phase for query in profile.queries] == ["handling"]

    def test_it_is_named_by_its_pattern_and_not_by_its_values(self) -> None:
        with self._asking() as (call, _, reports):
            call(7)
            call(8)
        first, second = profiles_of(reports)
        assert (first.name, second.name) == (self.name, self.name)
        assert first.number < second.number

    def test_its_scope_is_current_inside_it_alone(self) -> None:
        scopes: list[Scope | None] = []

        def handle(number: int) -> Reply:
            scopes.append(current_scope())
            return Reply(str(number))

        with opened() as database, self._profiled(handle) as (call, _):
            watching = Profiler().scope("block", "watching, but not current")
            call(7)
            assert current_scope() is None
            database.execute(_ONE)
            unseen = watching.profile()
        (scope,) = scopes
        assert scope is not None
        assert not scope.open
        assert (sum(unseen.untracked.values()), unseen.late) == (1, {}), "a closed scope is still current"

    def test_units_that_run_at_once_do_not_mix(self) -> None:
        together = threading.Barrier(5, timeout=60)

        def handle(number: int) -> Reply:
            for _ in range(5):
                if self.in_threads:
                    together.wait()
                database.execute(text_of(number))
            return Reply(str(number))

        with opened() as database, self._profiled(handle) as (call, reports):
            self.together(call, range(5))
        seen = [{query.sql for query in profile.queries} for profile in profiles_of(reports)]
        assert sorted(seen, key=sorted) == [{text_of(number)} for number in range(5)]
        assert [profile.query_count for profile in profiles_of(reports)] == [5] * 5
        assert sorted(database.sent) == sorted(text_of(number) for number in range(5) for _ in range(5))

    def test_an_exception_passes_unchanged_and_its_class_is_kept(self) -> None:
        mistake = LookupError("who")

        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            raise mistake

        with opened() as database:
            with alone(), self.serve(handle, None) as bare:
                expected = outcome_of(bare, 7)
            with self._profiled(handle) as (call, reports):
                watching = Profiler().scope("block", "watching, but not current")
                outcome = outcome_of(call, 7)
                database.execute(_ONE)
                late = watching.profile().late
        (profile,) = profiles_of(reports)
        assert outcome.seen == expected.seen
        assert outcome.error is expected.error
        assert profile.name == self.name
        assert [query.sql for query in profile.queries] == database.sent[1:-1] == [text_of(7)]
        assert late == {}, "a closed scope is still current"
        if outcome.error is not None:
            assert profile.labels["error.type"] == "LookupError"
        assert "who" not in repr(profile.labels)

    def test_a_unit_is_opened_settled_and_told_once_in_this_order(self) -> None:
        course = _Course()
        with opened() as database, alone():
            handle = _asking(database)
            with self.serve(handle, {"profiler": Profiler(sinks=[course])}) as call:
                call(7)
        assert course.told == ["opened", "settled with 1", "told 1"]

    # --- what stands round it, and inside it --------------------------------------------------------------------------

    def test_a_test_round_units_of_work_sees_what_they_did_and_each_is_told(self) -> None:
        with self._asking() as (call, _, reports):
            with Profiler().scope("test", "round them", reach="process") as test:
                call(7)
                call(8)
            seen = test.profile()
        assert [query.sql for query in seen.queries] == [text_of(7), text_of(8)]
        assert len({query.unit for query in seen.queries}) == 2
        assert [(profile.kind, profile.parent) for profile in profiles_of(reports)] == [(self.kind, test.number)] * 2

    def test_a_recording_inside_a_unit_sees_its_own_part(self) -> None:
        counts: list[int] = []

        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            with record("part") as recording:
                database.execute(text_of(number))
            counts.append(recording.query_count)
            return Reply(str(number))

        with opened() as database, self._profiled(handle) as (call, reports):
            call(7)
        assert counts == [1]
        assert [(profile.kind, profile.query_count) for profile in profiles_of(reports)] == [(self.kind, 2)]

    def test_a_unit_inside_a_unit_is_one_of_its_own(self) -> None:
        if not self.nests:
            return

        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            if number == 7:
                inner(8)
                database.execute(text_of(number))
            return Reply(str(number))

        with opened() as database, self._profiled(handle) as (call, reports):
            inner = call
            call(7)
        first, second = profiles_of(reports)
        assert (first.name, first.query_count, first.parent) == (self.name, 1, second.number)
        assert (second.name, second.parent) == (self.name, None)
        assert [query.sql for query in second.queries] == database.sent == [text_of(7), text_of(8), text_of(7)]
        assert len({query.unit for query in second.queries}) == 2

    def test_what_outlives_its_unit_is_late_and_in_no_other(self) -> None:
        kept: list[Context] = []

        def handle(number: int) -> Reply:
            kept.append(copy_context())
            database.execute(text_of(number))
            return Reply(str(number))

        with opened() as database, self._profiled(handle) as (call, reports):
            watching = Profiler().scope("block", "watching, but not current")
            call(7)
            kept[0].run(database.execute, "SELECT 'late'")
            kept[0].run(call, 8)
        assert [[query.sql for query in profile.queries] for profile in profiles_of(reports)] == [
            [text_of(7)],
            [text_of(8)],
        ]
        assert [profile.parent for profile in profiles_of(reports)] == [None, None]
        assert sum(watching.profile().late.values()) == 1

    def test_a_fork_in_the_middle_of_a_unit_leaves_it_to_the_parent(self) -> None:
        if not hasattr(os, "fork"):
            return
        codes: list[int] = []

        def child() -> bool:
            clean = current_scope() is None
            with opened() as mine, Profiler().scope("block", "of the child") as scope:
                mine.execute(_ONE)
            return clean and not reports and [query.sql for query in scope.profile().queries] == mine.sent == [_ONE]

        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            codes.append(_in_a_fork(child))
            database.execute(text_of(number))
            return Reply(str(number))

        with opened() as database, self._profiled(handle) as (call, reports):
            call(7)
        (profile,) = profiles_of(reports)
        assert codes == [0]
        assert [query.sql for query in profile.queries] == database.sent == [text_of(7)] * 2

    def test_nothing_is_kept_of_a_unit_that_is_over(self) -> None:
        scopes: list[weakref.ref[Scope]] = []

        def handle(number: int) -> Reply:
            scope = current_scope()
            assert scope is not None
            scopes.append(weakref.ref(scope))
            database.execute(text_of(number))
            return Reply(str(number))

        settings = {"profiler": Profiler(sinks=[_forget])}
        with opened() as database, alone(), self.serve(handle, settings) as call:
            for number in range(3):
                call(number)
            # A thread of a pool lets go of its task an instant after the answer is out.
            until = time.monotonic() + 5
            while any(scope() for scope in scopes) and time.monotonic() < until:
                gc.collect()
                time.sleep(0.01)
            assert [scope() for scope in scopes] == [None, None, None]

    # --- switches and settings ----------------------------------------------------------------------------------------

    def test_paths_are_left_out_and_units_sampled_as_settings_say(self) -> None:
        told = []
        for settings in ({"exclude": [self.path]}, {"include": ["nowhere"]}, {"include": [self.path]}, {"sample": 0.0}):
            reports: list[Report] = []
            with opened() as database, alone():
                profiler = Profiler(sinks=[reports.append], **settings)
                with self.serve(_asking(database), {"profiler": profiler}) as call:
                    call(7)
            told.append(len(reports))
        assert told == [0, 0, 1, 0]

    def test_a_wrong_setting_is_refused_at_set_up(self) -> None:
        for settings, named in (
            ({"slow_mss": 5}, "slow_mss"),
            ({"slow_ms": "5"}, "slow_ms='5'"),
            ({"profiler": 5}, "profiler=5"),
            ({"profiler": Profiler(), "slow_ms": 5}, "slow_ms"),
        ):
            with alone(), Outcome() as outcome, self.serve(_nothing, settings):
                pass
            assert isinstance(outcome.error, ConfigurationError), f"{settings} passed"
            assert named in str(outcome.error)

    def test_a_sink_of_the_default_profiler_hears_where_no_other_is_given(self) -> None:
        reports: list[Report] = []
        with opened() as database, alone():
            default_profiler().add_sink(reports.append)
            with self.serve(_asking(database), {}) as call:
                call(7)
        assert [profile.query_count for profile in profiles_of(reports)] == [1]

    def test_where_nobody_listens_or_it_is_switched_off_no_scope_is_opened(self) -> None:
        scopes: list[Scope | None] = []

        def handle(number: int) -> Reply:
            scopes.append(current_scope())
            return Reply(str(number))

        for variables, profiler in (({}, Profiler()), ({"DBPROFILE": "0"}, Profiler(sinks=[_forget]))):
            with alone(), environment(**variables), self.serve(handle, {"profiler": profiler}) as call:
                call(7)
        assert scopes == [None, None]

    # --- faults of ours -----------------------------------------------------------------------------------------------

    def test_the_adapter_changes_no_answer(self) -> None:
        with opened() as database:
            expected = self._answers(database, None)
            for profiler in (Profiler(), Profiler(sinks=[_forget])):
                assert self._answers(database, {"profiler": profiler}) == expected

    def test_a_fault_of_ours_changes_no_answer(self) -> None:
        with opened() as database:
            expected = self._answers(database, None)
            for name, fault in named_faults((streaming, Scope, Profiler, *self.modules), UNGUARDED).items():
                course = _Course()
                settings = {"profiler": Profiler(sinks=[course])}
                assert self._answers(database, settings, fault) == expected, f"a fault in {name}"

    # --- what the tests are made of -----------------------------------------------------------------------------------

    @contextmanager
    def _profiled(self, handle: Handle) -> Iterator[tuple[Call, list[Report]]]:
        reports: list[Report] = []
        with alone(), self.serve(handle, {"profiler": Profiler(sinks=[reports.append])}) as call:
            yield call, reports

    @contextmanager
    def _asking(self) -> Iterator[tuple[Call, Source, list[Report]]]:
        with opened() as database, self._profiled(_asking(database)) as (call, reports):
            yield call, database, reports

    def _answers(
        self,
        database: Source,
        settings: Mapping[str, object] | None,
        fault: Callable[[], AbstractContextManager[None]] | None = None,
    ) -> list[object]:
        """All that a framework makes of a few units of work, one of which fails."""
        swallowed = faults_swallowed if fault is not None else undisturbed
        with alone(), swallowed(), self.serve(self._worked(database), settings) as call, (fault or undisturbed)():
            return [outcome.seen for outcome in self._outcomes(call)]

    def _worked(self, database: Source) -> Handle:
        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            if number == 8:
                raise LookupError("who")
            return Reply(f"number {number}")

        return handle

    def _outcomes(self, call: Call) -> list[Any]:
        return [outcome_of(call, number) for number in (7, 8)]


class _Course:
    """A sink that writes down what it is told, and when."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, report: Report) -> None:
        self.told.append(f"told {report.profile.query_count}")

    def unit_opened(self, _scope: Scope) -> None:
        self.told.append("opened")

    def unit_done(self, scope: Scope) -> None:
        self.told.append(f"settled with {scope.profile().query_count}")


def text_of(number: int) -> str:
    """The statement of a unit of work."""
    return f"SELECT {number} AS number"


def _asking(database: Source) -> Handle:
    def handle(number: int) -> Reply:
        database.execute(text_of(number))
        return Reply(str(number))

    return handle


def _nothing(_number: int) -> Reply:
    return Reply()


def _forget(_report: Report) -> None:
    """A sink that keeps nothing."""


def profiles_of(reports: Sequence[Report]) -> list[Profile]:
    """What was told."""
    return [report.profile for report in reports]


def _in_a_fork(check: Callable[[], bool]) -> int:
    """0 if a check holds in the child of a fork."""
    with warnings.catch_warnings():
        # Other threads of the tests may be running; the child goes on in this one alone, and not far.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 2
        try:
            code = 0 if check() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
