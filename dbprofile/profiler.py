"""Profiler: the application's one object. It opens scopes, asks the rules, and hands reports to the sinks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from copy import copy
from fnmatch import fnmatchcase
from importlib import import_module
from random import random
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from dbprofile.analysis.grouping import analyse
from dbprofile.analysis.groups import Analysis
from dbprofile.capture import demand
from dbprofile.capture.listening import add_listener, remove_listener
from dbprofile.capture.profile import Profile
from dbprofile.capture.query import Query
from dbprofile.capture.scope import UNIT_KINDS, Scope, muted, next_number
from dbprofile.errors import ConfigurationError
from dbprofile.findings.finding import Finding
from dbprofile.findings.report import Report
from dbprofile.findings.silence import Silence, Silenced
from dbprofile.guard import gathering, guarded
from dbprofile.output.sinks import LogSink
from dbprofile.output.told import Told
from dbprofile.rules.rule import Rule
from dbprofile.settings import Settings, project_root, project_settings, switch

if TYPE_CHECKING:
    from types import ModuleType, TracebackType

__all__ = ["Profiler", "Sink", "build_profiler", "default_profiler", "profiler_for", "set_default_profiler", "watch"]

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

#: A sink is called with each report when its scope has closed and was judged. It may also define, and is then told of,
#: ``query_done(query, handle, exception)`` after each execution, with or without a scope; ``unit_opened(scope)``; and
#: ``unit_done(scope)`` at the last moment at which a server's span still records. Neither handle nor exception may be kept.
#: ``attached(profiler)``, if defined, is called once, when the sink is given to a Profiler.
#: A sink may ask the application's own database: of what it sends no scope is told, and of what it sends in ``query_done`` no sink.
Sink = Callable[[Report], object]

_telling: ContextVar[bool] = ContextVar("dbprofile_telling", default=False)


class Profiler:
    """Opens scopes, judges what they did, delivers reports.

    Args:
        rules: what is asked of each profile; the default rules with the thresholds of the settings otherwise.
        sinks: called with each report. One that defines ``query_done``, ``unit_opened`` or ``unit_done`` is also told of those.
        settings: any of the settings' keys, ``slow_ms=250``.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type.
    """

    def __init__(
        self,
        rules: Iterable[Rule] | None = None,
        sinks: Iterable[Sink] = (),
        **settings: Any,
    ) -> None:
        self.settings = Settings.of(settings)
        self.rules: tuple[Rule, ...] = tuple(rules) if rules is not None else self.settings.rules()
        self._ask = gathering((_place("rule", rule), rule) for rule in self.rules)
        self.sinks: tuple[Sink, ...] = tuple(sinks)
        self.silence = self.settings.silence()
        self.settings.apply()
        for subject in {getattr(rule, "asks_of", "") for rule in self.rules} - {""}:
            demand.want(subject, self)
        self._follows = self.settings.follow_threads
        if self._follows:
            _threads().follow_threads()
        self._told: dict[str, tuple[Callable[..., object], ...]] = {}
        for sink in self.sinks:
            self._attach(sink)
        self._listen()

    def add_sink(self, sink: Sink) -> None:
        """Deliver to one more sink from now on."""
        self.sinks = (*self.sinks, sink)
        self._attach(sink)
        self._listen()

    def _attach(self, sink: Sink) -> None:
        attached = getattr(sink, "attached", None)
        if attached is not None:
            _safe(attached)(self)

    def _listen(self) -> None:
        for name in ("query_done", "unit_opened", "unit_done"):
            self._told[name] = tuple(_safe(getattr(sink, name)) for sink in self.sinks if hasattr(sink, name))
        self._told["report"] = tuple(map(_safe, self.sinks))
        if self._told["query_done"]:
            add_listener(self)

    def wants(self, path: str) -> bool:
        """Whether a request to this path is profiled: by the patterns of ``include`` and ``exclude``, and by ``sample``."""
        settings = self.settings
        if settings.include and not any(fnmatchcase(path, pattern) for pattern in settings.include):
            return False
        if any(fnmatchcase(path, pattern) for pattern in settings.exclude):
            return False
        return settings.sample >= 1 or random() < settings.sample  # noqa: S311 - a sample, not a secret

    def scope(
        self,
        kind: str,
        name: str,
        *,
        labels: dict[str, object] | None = None,
        reach: str = "context",
        parent: int | None = None,
    ) -> Scope:
        """Open a unit of work: ``with profiler.scope("request", "GET /orders/") as scope: ...``.

        Args:
            kind: ``request``, ``background``, ``message``, ``task``, ``command``, ``block`` or ``test``.
            name: what people read.
            labels: what is known of it, by OpenTelemetry's names (``http.request.method``).
            reach: ``process`` to take in statements of the process that are in no scope.
            parent: number of the scope it belongs to, where that is not the one round it.
        """
        settings = self.settings
        scope = Scope(
            kind,
            name,
            number=next_number(),
            on_close=self._closed,
            on_settle=self._settled,
            detail_limit=settings.detail_limit,
            slow_seconds=settings.slow_seconds,
            reach=reach,
            labels=labels,
            parent=parent,
            show_values=settings.show_values,
        )
        if self._told["unit_opened"] and _stands_alone(scope):
            with muted():
                for tell in self._told["unit_opened"]:
                    tell(scope)
        return scope

    def report(self, profile: Profile) -> Report:
        """Ask the rules about a profile. Worst findings first, then the most avoidable time."""
        analysis = _analysed(profile) if profile.happened else None
        if analysis is None:
            return Report(profile)
        findings = self._ask(analysis)
        if not findings:
            return Report(profile)
        findings.sort(key=lambda finding: (-finding.severity, -finding.avoidable_seconds, -finding.seconds))
        return _split(self.silence, tuple(findings), profile)

    def without_sinks(self) -> Profiler:
        """One with the same rules and settings whose reports go nowhere: for whoever asks for them."""
        twin = copy(self)
        vars(twin).update(sinks=(), _told=dict.fromkeys(self._told, ()), _follows=False)
        return twin

    @guarded("profiler.close", None)
    def close(self) -> None:
        """Tell nobody of anything any more. Idempotent."""
        remove_listener(self)
        demand.leave(self)
        if self._follows:
            self._follows = False
            _threads().leave_threads()
        self.sinks = ()
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def query_done(self, query: Query, handle: object, exception: BaseException | None) -> None:
        """Pass a statement on to the sinks that want to hear of it; not one that they send while they are told of another."""
        if _telling.get():
            return
        token = _telling.set(True)
        try:
            for tell in self._told["query_done"]:
                tell(query, handle, exception)
        finally:
            _telling.reset(token)

    def _settled(self, scope: Scope) -> None:
        if self._told["unit_done"] and _stands_alone(scope):
            with muted():
                for tell in self._told["unit_done"]:
                    tell(scope)

    @guarded("profiler.deliver", None)
    def _closed(self, scope: Scope, profile: Profile) -> None:
        if not self.sinks or (scope.kind not in UNIT_KINDS and scope.outer is not None):
            return  # nobody listens, or the scope round it delivers
        report = self.report(profile)
        if report.findings or report.silenced:
            report = _of_this_unit(report)
        with muted():  # a sink may keep reports in the application's own database
            for tell in self._told["report"]:
                tell(report)


def _threads() -> ModuleType:
    # Where it is wanted only: it imports concurrent.futures, which nothing else of ours does.
    return import_module("dbprofile.capture.threads")


def _stands_alone(scope: Scope) -> bool:
    """Whether sinks are told of a scope as a unit of work: of a request, and of a block with nothing round it."""
    return scope.kind in UNIT_KINDS or (scope.kind != "test" and scope.outer is None)


def _of_this_unit(report: Report) -> Report:
    """Without findings that a scope inside delivers: what is left is of this unit, or of no unit at all."""
    profile = report.profile
    inner = {query.unit for query in profile.queries if isinstance(query.unit, tuple) and query.unit[0] in UNIT_KINDS}
    inner.discard(profile.unit)
    if not inner:
        return report

    def is_own(finding: Finding) -> bool:
        return not any(query.unit in inner for query in finding.queries)

    return Report(
        profile,
        tuple(filter(is_own, report.findings)),
        tuple(each for each in report.silenced if is_own(each.finding)),
    )


def _split(silence: Silence, findings: tuple[Finding, ...], profile: Profile) -> Report:
    split = _silenced(silence, findings, profile)
    return Report(profile, *split) if split is not None else Report(profile, findings)


@guarded("profiler.silence", None)
def _silenced(
    silence: Silence, findings: tuple[Finding, ...], profile: Profile
) -> tuple[tuple[Finding, ...], tuple[Silenced, ...]] | None:
    return silence.split(findings, profile)


@guarded("profiler.analyse", None)
def _analysed(profile: Profile) -> Analysis | None:
    return analyse(profile)


def _safe(sink: Callable[P, R]) -> Callable[P, R | None]:
    """A sink under a guard of its own: one that fails again and again switches itself off, and no other."""
    return guarded(_place("sink", sink), None)(sink)


def _place(what: str, owner: object) -> str:
    named = owner if hasattr(owner, "__qualname__") else type(owner)
    return f"{what} {named.__module__}.{named.__qualname__}"


# --- which profiler -------------------------------------------------------------------------------------------------

_default: Profiler | None = None


def default_profiler() -> Profiler:
    """The one Profiler of the process that ``record()`` and adapters without ``profiler=`` use.

    Built from ``[tool.dbprofile]`` on first use, unless an adapter has set one before.

    Raises:
        ConfigurationError: if the table holds what no Profiler knows.
    """
    global _default
    if _default is None:
        _default = build_profiler(project_settings())
    return _default


def set_default_profiler(profiler: Profiler | None) -> None:
    """Set the default Profiler; ``None`` lets the next use build one anew."""
    global _default
    _default = profiler


def profiler_for(given: Mapping[str, object], *, debug: bool | None, profiler: object = None) -> Profiler | None:
    """The Profiler that a framework's adapter uses: from the settings it was given over those of the project.

    Without settings of its own it is the default one; the first that is built becomes the default. It prints to the console where
    a person is watching.

    Args:
        given: keys and values, as in ``DBPROFILE`` of Django's settings.
        debug: the framework's own flag; ``None`` where none speaks: a terminal on standard error then decides.
        profiler: one that was built by hand: it is used as it is, and does not become the default.

    Returns:
        ``None`` where dbprofile is switched off, by ``enabled`` or ``DBPROFILE=0``.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type, and for settings beside ``profiler``.
    """
    chosen = switch()
    if profiler is not None:
        by_hand = _by_hand(profiler, given)
        return None if chosen is False or not by_hand.settings.enabled else by_hand
    built = build_profiler({**project_settings(), **given}) if given else default_profiler()
    if chosen is False or not built.settings.enabled:
        return None
    watch(built, debug)
    if _default is None:
        set_default_profiler(built)
    return built


def _by_hand(profiler: object, given: Mapping[str, object]) -> Profiler:
    if not isinstance(profiler, Profiler):
        raise ConfigurationError(
            f"dbprofile: profiler={profiler!r} is no Profiler; build one with dbprofile.Profiler(...)"
        )
    if given:
        keys = ", ".join(sorted(given))
        raise ConfigurationError(
            f"dbprofile: {keys} would be ignored beside profiler=; give them to dbprofile.Profiler(...)"
        )
    return profiler


def watch(profiler: Profiler, debug: bool | None) -> None:
    """Print a Profiler's reports to the console if a person is watching. Idempotent: some frameworks know only later.

    Args:
        profiler: whose settings have the last word.
        debug: the framework's own flag; ``None`` where none speaks: a terminal on standard error then decides.

    Raises:
        ConfigurationError: if ``DBPROFILE`` in the environment says what is no answer.
    """
    chosen = switch()
    settings = profiler.settings
    watched = settings.debug if settings.debug is not None else debug
    if chosen is not None:
        watched = chosen is not False
    if watched is None:
        watched = sys.stderr is not None and sys.stderr.isatty()
    console = "findings" if chosen == "findings" else settings.console
    if watched and console != "off" and not any(isinstance(sink, LogSink) for sink in profiler.sinks):
        root = project_root()
        # A log of CI is read once, from its beginning, and JSON by programs.
        told = None if console == "json" or os.environ.get("CI") else Told(root)
        profiler.add_sink(LogSink(console, root=root, told=told))


def build_profiler(given: Mapping[str, Any]) -> Profiler:
    """A Profiler from keys and values of settings alone.

    Raises:
        ConfigurationError: for an unknown key or a value of the wrong type.
    """
    Settings.of(given)  # first: `rules` and `sinks` are keywords of a Profiler, but no settings
    return Profiler(**given)
