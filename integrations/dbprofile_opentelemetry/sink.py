"""OpenTelemetry: the sink. Slow statements are sent as they end, totals as a unit of work settles, the rest with its Report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter_ns, time_ns
from typing import Final

# The key that exporters set round their own requests has no public name.
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, Context, get_value
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import NonRecordingSpan, get_current_span, set_span_in_context
from opentelemetry.trace import Span as ServerSpan

from dbprofile import ConfigurationError, Finding, Profile, Profiler, Query, Report, Scope, Severity, current_scope
from dbprofile.hooks import CallSite, find_call_site, guarded, shown_path
from dbprofile_opentelemetry import telemetry
from dbprofile_opentelemetry.limits import EventRate, RateLimiter
from dbprofile_opentelemetry.logs import WAYS, Grade, LoggerProvider, Logs, Notice, Value
from dbprofile_opentelemetry.names import SLOW_QUERY_CODE, Attribute, Occurrence
from dbprofile_opentelemetry.telemetry import TEXTS, Instruments

__all__ = ["OpenTelemetry"]

#: Seconds from which a slow statement is an error.
_ERROR: Final = 5.0
#: Kinds of scopes that are served for somebody: each sends its totals, whatever is round it.
_SERVED: Final = frozenset({"request", "message", "task", "background"})
#: Kinds of scopes within which a block or a command is a part of something greater.
_UNITS: Final = _SERVED | {"command"}
_LOOPS: Final = frozenset({"n_plus_one", "query_loop"})
_SETTLES: Final = ("count", "judge")

_Said = tuple[str, dict[str, Value]]


class OpenTelemetry:
    """Sends slow queries, N+1 queries and the totals of each unit of work: ``Profiler(sinks=[OpenTelemetry()])``.

    Nothing is recorded before the first statement. Without an SDK in the process all of it is silent, but for events, which then
    go to the log of the standard library.

    Args:
        meter_provider: the global one by default, also if it is set later.
        logger_provider: the same, for events.
        slow_query_ms: milliseconds from which a statement is slow; the Profiler's by default.
        events: ``auto``: the Logs API where it is enabled, else the standard library's log; or ``otel``, ``logging``, ``both``, ``off``.
        query_text: ``sanitized``, without any literal; ``verbatim``, as it was sent if it had parameters; or ``off``.
        query_text_limit: characters of the text.
        request_metrics: record the histograms of queries and database time of each unit of work.
        settle: what the server's span carries: ``count`` the totals; ``judge`` also its N+1 queries, which delays the last byte.
        event_rate: how many events may leave the process.
        max_summaries: distinct statements that counters tell apart.
        max_connections: distinct databases that counters tell apart.

    Raises:
        ConfigurationError: for a value that is not allowed.
    """

    def __init__(
        self,
        *,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        slow_query_ms: float | None = None,
        events: str = "auto",
        query_text: str = "sanitized",
        query_text_limit: int = 4096,
        request_metrics: bool = True,
        settle: str = "count",
        event_rate: EventRate | None = None,
        max_summaries: int = 200,
        max_connections: int = 50,
    ) -> None:
        _among("events", events, WAYS)
        _among("query_text", query_text, TEXTS)
        _among("settle", settle, _SETTLES)
        _number("query_text_limit", query_text_limit, least=1)
        _number("max_summaries", max_summaries, least=0)
        _number("max_connections", max_connections, least=0)
        if slow_query_ms is not None:
            _number("slow_query_ms", slow_query_ms, least=0)
        self._threshold = 0.1 if slow_query_ms is None else slow_query_ms / 1000
        self._has_threshold = slow_query_ms is not None
        self._text = query_text
        self._limit = query_text_limit
        self._request_metrics = request_metrics
        self._judges = settle == "judge"
        self._profiler: Profiler | None = None
        release = _version()
        self._logs = Logs(events, release, logger_provider)
        self._limiter = RateLimiter(event_rate if event_rate is not None else EventRate())
        self._instruments = Instruments(
            release, meter_provider, max_summaries=max_summaries, max_connections=max_connections
        )

    # --- what the Profiler tells --------------------------------------------------------------------------------

    def attached(self, profiler: Profiler) -> None:
        """Learn the threshold of slow statements, and whom to ask for a verdict."""
        self._profiler = profiler
        if not self._has_threshold:
            self._threshold = profiler.settings.slow_seconds

    @guarded("opentelemetry.query_done", None)
    def query_done(self, query: Query, handle: object, exception: BaseException | None) -> None:  # noqa: ARG002 - the Profiler passes it
        """Send a statement that was slow to execute."""
        if query.seconds < self._threshold or _is_suppressed():
            return
        scope = current_scope()
        if query.batch_size is not None:
            # It may yet grow by further round trips: the Report must know that it was sent.
            opened = self._opened_round(scope)
            if opened is not None:
                opened.sent.add(query)
        labels = next((outer.labels for outer in _outward(scope) if Attribute.HTTP_METHOD in outer.labels), {})
        site = query.call_site if query.call_site is not None else find_call_site()
        self._slow(query, query.seconds, telemetry.served(labels), site, exception=exception)

    @guarded("opentelemetry.unit_opened", None)
    def unit_opened(self, scope: Scope) -> None:
        """Keep the server's span of a unit of work."""
        alone = not any(outer.kind in _UNITS for outer in _outward(scope.outer))
        scope.notes[self] = _Opened(get_current_span(), is_suppressed=_is_suppressed(), is_outermost=alone)

    @guarded("opentelemetry.unit_done", None)
    def unit_done(self, scope: Scope) -> None:
        """Put the totals on the server's span, while it still records."""
        opened = self._opened(scope.notes)
        if opened is None or opened.is_suppressed or not opened.sends_totals(scope.kind):
            return
        span = opened.settled(scope.kind)
        if not span.is_recording():
            return
        profile = scope.profile()
        totals = telemetry.request_totals(profile, self._threshold)
        if self._judges and self._profiler is not None:
            totals |= telemetry.loop_totals(list(_loops(self._profiler.report(profile).findings)))
        span.set_attributes(totals)

    @guarded("opentelemetry.report", None)
    def __call__(self, report: Report) -> None:
        """Record the histograms of a unit of work, and send its N+1 queries and what was slow only to fetch."""
        profile = report.profile
        opened = self._opened(profile.notes)
        if opened is not None and opened.is_suppressed:
            return
        context = opened.context() if opened is not None else None
        if self._request_metrics and _sends_totals(profile, opened):
            self._record(profile, context)
        labels = telemetry.served(profile.labels)
        for finding in _loops(report.findings):
            self._loop(finding, labels, context)
        sent = opened.sent if opened is not None else set()
        for finding in report.findings:
            if finding.kind == "slow_query":
                for query in finding.queries:
                    if query.total_seconds >= self._threshold and not self._was_sent(query, sent):
                        self._slow(query, query.total_seconds, labels, finding.trigger, context=context)

    # --- what is sent -------------------------------------------------------------------------------------------

    def _slow(
        self,
        query: Query,
        seconds: float,
        labels: dict[str, Value],
        site: CallSite | None,
        *,
        exception: BaseException | None = None,
        context: Context | None = None,
    ) -> None:
        self._instruments.slow.add(1, self._instruments.series(query), context)
        grade = Grade.ERROR if seconds >= _ERROR else Grade.WARN
        statement = query.statement

        def say() -> _Said:
            body = f"Slow query ({seconds:.3f} s >= {self._threshold:.3f} s): {statement.summary or statement.verb}"
            about = telemetry.slow_attributes(query, exception, site, text=self._text, limit=self._limit)
            about[Attribute.DURATION] = seconds
            about[Attribute.THRESHOLD] = self._threshold
            about[Attribute.FINDING_CODE] = SLOW_QUERY_CODE
            return body, about | labels

        self._emit(Notice(Occurrence.SLOW_QUERY, grade, _end_of(query), context), statement.fingerprint, say)

    def _loop(self, finding: Finding, labels: dict[str, Value], context: Context | None) -> None:
        self._instruments.findings.add(1, {**labels, Attribute.LOOP_KIND: finding.kind}, context)

        def say() -> _Said:
            about = telemetry.loop_attributes(finding, text=self._text, limit=self._limit)
            site = finding.trigger
            place = f" at {shown_path(site.file)}:{site.line}" if site is not None else ""
            what = about.get(Attribute.DB_SUMMARY, finding.subject)
            body = f"N+1: {what} executed {about[Attribute.LOOP_COUNT]} times ({finding.seconds:.3f} s){place}"
            return body, about | labels

        fingerprint = finding.statement.fingerprint if finding.statement is not None else finding.subject
        self._emit(Notice(Occurrence.N_PLUS_ONE, Grade.WARN, time_ns(), context), fingerprint, say)

    def _emit(self, notice: Notice, fingerprint: str, say: Callable[[], _Said]) -> None:
        ways = self._logs.ways(notice)
        if not any(ways):
            return
        refused = self._limiter.admit((notice.name, fingerprint))
        if refused is None:
            self._drop(notice, "rate_limit")
        elif not self._is_sent(ways, notice, say, refused):
            self._drop(notice, "error")

    @guarded("opentelemetry.event", False)
    def _is_sent(self, ways: tuple[bool, bool], notice: Notice, say: Callable[[], _Said], refused: int) -> bool:
        body, attributes = say()
        if refused:
            attributes[Attribute.SUPPRESSED] = refused
        self._logs.send(ways, notice, body, attributes)
        return True

    def _drop(self, notice: Notice, reason: str) -> None:
        attributes = {Attribute.EVENT_NAME: notice.name, Attribute.DROP_REASON: reason}
        self._instruments.dropped.add(1, attributes, notice.context)

    def _record(self, profile: Profile, context: Context | None) -> None:
        attributes = telemetry.served(profile.labels)
        attributes[Attribute.SCOPE_KIND] = profile.kind
        if profile.kind == "task":
            attributes[Attribute.SCOPE_NAME] = profile.name
        self._instruments.queries.record(profile.query_count, attributes, context)
        self._instruments.duration.record(profile.database_seconds, attributes, context)

    # --- what is kept -------------------------------------------------------------------------------------------

    def _opened(self, notes: object) -> _Opened | None:
        found = notes.get(self) if isinstance(notes, dict) else None
        return found if isinstance(found, _Opened) else None

    def _opened_round(self, scope: Scope | None) -> _Opened | None:
        return next(
            (opened for outer in _outward(scope) if (opened := self._opened(outer.notes)) is not None),
            None,
        )

    def _was_sent(self, query: Query, sent: set[Query]) -> bool:
        """Whether the hot path has sent a slow query: it looked at the execute time of the first round trip alone."""
        return query in sent if query.round_trips > 1 else query.seconds >= self._threshold


class _Opened:
    """What is kept of a unit of work from its opening to its Report."""

    __slots__ = ("_span", "_span_context", "is_outermost", "is_suppressed", "sent")

    def __init__(self, span: ServerSpan, *, is_suppressed: bool, is_outermost: bool) -> None:
        self._span: ServerSpan | None = span
        self._span_context = span.get_span_context()
        self.is_suppressed = is_suppressed
        self.is_outermost = is_outermost
        self.sent: set[Query] = set()

    def sends_totals(self, kind: str) -> bool:
        """Whether a scope of this kind sends totals: a block or command only where nothing is round it."""
        return kind in _SERVED or (kind != "test" and self.is_outermost)

    def settled(self, kind: str) -> ServerSpan:
        """The server's span. A Profile may be kept for long, so that only its ids stay here."""
        span, self._span = self._span, None
        if span is None or kind == "task" or not self._span_context.is_valid:
            # Some instrumentations start their span after the framework has told us of the unit. Of an eager task the span that was
            # current by then is its request's.
            current = get_current_span()
            if span is None or current.get_span_context().is_valid:
                span = current
                self._span_context = span.get_span_context()
        return span

    def context(self) -> Context | None:
        """The current context, with the ids of the server's span; ``None`` where there is none."""
        return set_span_in_context(NonRecordingSpan(self._span_context)) if self._span_context.is_valid else None


def _sends_totals(profile: Profile, opened: _Opened | None) -> bool:
    return opened.sends_totals(profile.kind) if opened is not None else profile.kind in _SERVED


def _outward(scope: Scope | None) -> Iterator[Scope]:
    while scope is not None:
        yield scope
        scope = scope.outer


def _loops(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The N+1 queries that are worth an event: two rows in a row are not."""
    return (finding for finding in findings if finding.kind in _LOOPS and finding.severity >= Severity.WARNING)


def _is_suppressed() -> bool:
    return bool(get_value(_SUPPRESS_INSTRUMENTATION_KEY) or get_value("suppress_instrumentation"))


def _end_of(query: Query) -> int:
    """When a query was over, in nanoseconds since the epoch: reckoned back from now, as it began by another clock."""
    end = query.started + round(query.seconds * 1e9)
    if query.fetches:
        end = query.fetch_started + round(query.fetch_seconds * 1e9)
    return time_ns() - max(0, perf_counter_ns() - end)


def _version() -> str:
    try:
        return version("dbprofile")
    except PackageNotFoundError:
        return ""  # run from a folder, without an installed distribution


def _among(keyword: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(
            f"dbprofile: OpenTelemetry({keyword}={value!r}) is not one of {', '.join(map(repr, allowed))}"
        )


def _number(keyword: str, value: object, *, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
        raise ConfigurationError(f"dbprofile: OpenTelemetry({keyword}={value!r}) is not a number from {least} up")
