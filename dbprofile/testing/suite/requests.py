"""The contract of adapters whose units of work are requests over HTTP: labels, bodies that are streamed, work after the response."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

from dbprofile.capture.profile import Profile
from dbprofile.profiler import Profiler
from dbprofile.testing.suite.scopes import Handle, Reply, ScopesContract, profiles_of, text_of
from dbprofile.testing.suite.source import Source, opened
from dbprofile.testing.suite.surroundings import alone, outcome_of

__all__ = ["RequestsContract"]


class RequestsContract(ScopesContract):
    """Tests of an adapter with requests, on top of those of every adapter with scopes.

    ``call(number, method="GET", chunks=None)`` returns status, headers and body; with ``chunks`` the client goes away after so many
    of them. The framework turns a ``Reply`` into its own response.
    """

    pattern: str = "/orders/{number}"
    """The label ``http.route`` of every request."""
    streams: bool = True
    """Whether bodies can be made step by step."""
    defers: bool = True
    """Whether there is work after the response."""

    # --- names and labels ---------------------------------------------------------------------------------------------

    def test_a_request_is_labelled_with_method_status_and_pattern(self) -> None:
        with self._asking() as (call, _, reports):
            call(7)
        (profile,) = profiles_of(reports)
        assert profile.labels == {
            "http.request.method": "GET",
            "http.response.status_code": 200,
            "http.route": self.pattern,
        }

    def test_head_and_a_response_without_a_body_are_ordinary_requests(self) -> None:
        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            return Reply(status=304 if number == 8 else 200)

        with opened() as database, self._profiled(handle) as (call, reports):
            call(7, method="HEAD")
            call(8)
        seen = [
            (profile.name, profile.labels["http.response.status_code"], profile.query_count)
            for profile in profiles_of(reports)
        ]
        assert seen == [(self.name.replace("GET", "HEAD"), 200, 1), (self.name, 304, 1)]

    def test_an_exception_in_a_view_is_status_500(self) -> None:
        def handle(number: int) -> Reply:
            raise LookupError(number)

        with self._profiled(handle) as (call, reports):
            outcome_of(call, 7)
        (profile,) = profiles_of(reports)
        assert profile.labels["http.response.status_code"] == 500

    # --- bodies -------------------------------------------------------------------------------------------------------

    def test_what_a_streamed_body_does_is_streaming(self) -> None:
        if not self.streams:
            return
        with opened() as database, self._profiled(_streaming(database)) as (call, reports):
            call(7)
        (profile,) = profiles_of(reports)
        assert _phases(profile) == ["handling", "streaming", "streaming", "streaming", "streaming"]
        assert [query.sql for query in profile.queries] == database.sent

    def test_a_body_that_is_closed_early_ends_its_request_once(self) -> None:
        if not self.streams:
            return
        with opened() as database, self._profiled(_streaming(database)) as (call, reports):
            watching = Profiler().scope("block", "watching, but not current")
            outcome_of(call, 7, chunks=1)
            gc.collect()  # frameworks that drop a body instead of closing it
            unseen = watching.profile()
        told = profiles_of(reports)
        assert [profile.kind for profile in told] in (["request"], ["request", "background"])
        assert _phases(told[0]) in [["handling", *["streaming"] * steps] for steps in (1, 2, 3)]
        missed = sum(unseen.late.values()) + sum(unseen.untracked.values())
        assert sum(profile.query_count for profile in told) + missed == len(database.sent)

    def test_a_body_that_fails_keeps_its_status_and_tells_the_class_of_the_error(self) -> None:
        if not self.streams:
            return

        def body(number: int) -> Iterator[str]:
            database.execute(text_of(number))
            yield "chunk"
            raise LookupError("who")

        def handle(number: int) -> Reply:
            return Reply(chunks=body(number))

        with opened() as database, alone():
            with self.serve(handle, None) as bare:
                expected = outcome_of(bare, 7)
            with self._profiled(handle) as (call, reports):
                outcome = outcome_of(call, 7)
        (profile,) = profiles_of(reports)
        assert outcome.seen == expected.seen
        assert profile.labels["http.response.status_code"] == 200
        assert profile.labels.get("error.type") == type(outcome.error).__qualname__
        assert _phases(profile) == ["streaming"]

    def test_streams_that_run_at_once_do_not_mix(self) -> None:
        if not self.streams:
            return
        together = threading.Barrier(4, timeout=60)

        def body(number: int) -> Iterator[str]:
            for _ in range(5):
                if self.in_threads:
                    together.wait()
                database.execute(text_of(number))
                yield f"{number}"

        def handle(number: int) -> Reply:
            return Reply(chunks=body(number))

        with opened() as database, self._profiled(handle) as (call, reports):
            self.together(call, range(4))
        assert [profile.query_count for profile in profiles_of(reports)] == [5] * 4
        seen = [{query.sql for query in profile.queries} for profile in profiles_of(reports)]
        assert sorted(seen, key=sorted) == [{text_of(number)} for number in range(4)]
        turns = sum(one != other for one, other in zip(database.sent, database.sent[1:], strict=False))
        assert turns > 4, "they did not run at once"

    # --- after the response -------------------------------------------------------------------------------------------

    def test_what_runs_after_the_response_is_background_of_its_request(self) -> None:
        if not self.defers:
            return
        told: list[int] = []

        def after() -> None:
            told.append(len(reports))
            database.execute("SELECT 'after'")

        def handle(number: int) -> Reply:
            database.execute(text_of(number))
            return Reply(str(number), after=after)

        with opened() as database, self._profiled(handle) as (call, reports):
            call(7)
        request, background = profiles_of(reports)
        assert told == [1], "the request is told before its background work runs"
        assert (request.kind, background.kind) == ("request", "background")
        assert (background.name, background.parent) == (request.name, request.number)
        assert (_phases(request), _phases(background)) == (["handling"], ["background"])
        assert "http.response.status_code" not in background.labels

    # --- what the tests are made of -----------------------------------------------------------------------------------

    def _worked(self, database: Source) -> Handle:
        plain, streaming = super()._worked(database), _streaming(database)

        def handle(number: int) -> Reply:
            if number in {9, 10} and self.streams:
                return streaming(number)
            if number == 11 and self.defers:
                return Reply("deferred", after=lambda: database.execute(text_of(number)))
            return plain(number)

        return handle

    def _outcomes(self, call: Any) -> list[Any]:
        more = [outcome_of(call, number) for number in (9, 11)]
        return [
            *super()._outcomes(call),
            *more,
            outcome_of(call, 10, chunks=1),
            outcome_of(call, 7, method="HEAD"),
        ]


def _streaming(database: Source) -> Handle:
    def body(number: int) -> Iterator[str]:
        try:
            for _ in range(3):
                database.execute(text_of(number))
                yield f"{number}"
        finally:
            if database.open:
                database.execute("SELECT 'finally'")

    def handle(number: int) -> Reply:
        database.execute(text_of(number))
        return Reply(chunks=body(number))

    return handle


def _phases(profile: Profile) -> list[str]:
    return [query.phase for query in profile.queries]
