import logging
from collections.abc import Iterable

import pytest

from dbprofile import ConfigurationError, Finding, Profiler, Query, Report, Scope, Severity, Statement
from dbprofile.analysis.groups import Analysis
from dbprofile.guard import FAULT_LIMIT
from dbprofile.profiler import default_profiler, profiler_for, set_default_profiler
from tests.building import SQLITE, profile, read
from tests.sources import shop


def ten_is_too_many(analysis: Analysis) -> Iterable[Finding]:
    if analysis.profile.query_count > 10:
        yield Finding(
            "APP001", "too_many", Severity.INFO, "requests", "more than ten queries", analysis.profile.query_count
        )


def test_a_function_is_a_rule() -> None:
    profiler = Profiler(rules=[ten_is_too_many])
    found = profiler.report(profile(*[read("SELECT id FROM book") for _ in range(11)])).findings

    assert [finding.code for finding in found] == ["APP001"]


def test_a_rule_that_fails_costs_one_log_line_and_its_own_findings(
    caplog: pytest.LogCaptureFixture, failing_open: None
) -> None:
    def broken(analysis: Analysis) -> Iterable[Finding]:
        raise KeyError(analysis)

    profiler = Profiler(rules=[broken, ten_is_too_many])
    queries = profile(*[read("SELECT id FROM book") for _ in range(11)])
    with caplog.at_level(logging.ERROR, "dbprofile"):
        codes = [[finding.code for finding in profiler.report(queries).findings] for _ in range(3)]

    assert codes == [["APP001"]] * 3
    assert len(caplog.records) == 1


def test_what_fails_again_and_again_switches_off_itself_alone(failing_open: None) -> None:
    def broken(_about: object) -> Iterable[Finding]:
        raise RuntimeError

    queries = profile(*[read("SELECT id FROM book") for _ in range(11)])
    delivered: list[Report] = []
    profiler = Profiler(rules=[broken, ten_is_too_many], sinks=[broken, delivered.append])
    for _ in range(FAULT_LIMIT + 1):
        with profiler.scope("request", "r"):
            pass

    assert [finding.code for finding in profiler.report(queries).findings] == ["APP001"]
    assert len(delivered) == FAULT_LIMIT + 1


def test_a_profile_that_cannot_be_analysed_is_a_report_without_findings(failing_open: None) -> None:
    class NoQuery(Query):
        @property
        def statement(self) -> Statement:
            raise RuntimeError

    broken = NoQuery("SELECT 1", SQLITE)
    assert Profiler().report(profile(broken)).findings == ()


def test_a_sink_that_fails_stops_neither_the_application_nor_the_other_sinks(failing_open: None) -> None:
    delivered: list[Report] = []

    def broken(_report: Report) -> None:
        raise RuntimeError

    with Profiler(sinks=[broken, delivered.append]).scope("request", "r"):
        pass

    assert len(delivered) == 1


class Listening:
    """A sink that hears everything."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def query_done(self, query: Query, handle: object, exception: BaseException | None) -> None:
        self.heard.append(f"{query.statement.verb} {type(handle).__name__} {type(exception).__name__}")

    def unit_opened(self, scope: Scope) -> None:
        self.heard.append(f"opened {scope.name}")

    def unit_done(self, scope: Scope) -> None:
        self.heard.append(f"done {scope.profile().query_count}")

    def __call__(self, report: Report) -> None:
        self.heard.append(f"report {report.profile.query_count}")


def test_a_sink_hears_of_statements_and_units_in_order() -> None:
    sink = Listening()
    with Profiler(sinks=[sink]) as profiler, shop() as database:
        database.execute("SELECT 1 FROM orders")
        with profiler.scope("request", "r") as scope:
            database.execute("SELECT 2 FROM orders")
            scope.settle()
            scope.settle()
    with shop() as database:
        database.execute("SELECT 3 FROM orders")

    statement = "SELECT Cursor NoneType"
    assert sink.heard == [statement, "opened r", statement, "done 1", "report 1"]


def test_a_sink_may_store_what_it_hears_where_the_application_does() -> None:
    class Storing:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def _store(self, what: str) -> None:
            self.heard.append(what)
            database.execute(f"SELECT '{what}' FROM orders")

        def __call__(self, report: Report) -> None:
            self._store(f"{report.profile.name}: {report.profile.query_count}")

        def query_done(self, query: Query, handle: object, exception: BaseException | None) -> None:
            self._store(query.sql.split("'")[1])

        def unit_opened(self, scope: Scope) -> None:
            self._store(f"{scope.name} opens")

        def unit_done(self, scope: Scope) -> None:
            self._store(f"{scope.name} is over")

    sink = Storing()
    with (
        shop() as database,
        Profiler(sinks=[sink]) as profiler,
        Profiler().scope("test", "test", reach="process") as round_it,
    ):
        for name in ("one", "two"):
            with profiler.scope("request", name):
                database.execute(f"SELECT 'of {name}' FROM orders")

    assert sink.heard == [
        *("one opens", "of one", "one is over", "one: 2"),
        *("two opens", "of two", "two is over", "two: 2"),
    ]
    # The application's, and what the sink sent while the statement it was told of was the application's own business.
    assert round_it.profile().query_count == 4


def test_a_failed_statement_reaches_the_sink_with_its_exception() -> None:
    sink = Listening()
    with Profiler(sinks=[sink]), shop() as database, pytest.raises(Exception, match="no such table"):
        database.execute("SELECT 1 FROM nowhere")

    assert sink.heard == ["SELECT Cursor OperationalError"]


def test_findings_come_worst_first() -> None:
    slow = read("SELECT id FROM audit", ms=6_000)
    loop = [read("SELECT id FROM book WHERE id = ?", (number,)) for number in range(3)]
    found = Profiler().report(profile(*loop, slow)).findings

    assert [(finding.code, str(finding.severity)) for finding in found] == [("DBP201", "critical"), ("DBP102", "info")]


def test_paths_are_included_excluded_and_sampled() -> None:
    assert Profiler().wants("/health")
    assert not Profiler(exclude=["/health*"]).wants("/healthz")
    assert not Profiler(include=["/api/*"]).wants("/admin/")
    assert not Profiler(sample=0).wants("/")


@pytest.fixture
def no_default() -> Iterable[None]:
    set_default_profiler(None)
    yield
    set_default_profiler(None)


@pytest.mark.usefixtures("no_default")
def test_the_first_profiler_of_an_adapter_becomes_the_default() -> None:
    first = profiler_for({"slow_ms": 20}, debug=False)
    second = profiler_for({"slow_ms": 30}, debug=False)

    assert default_profiler() is first is not second


@pytest.mark.usefixtures("no_default")
def test_an_adapter_without_settings_uses_the_default_and_the_sinks_it_was_given() -> None:
    heard: list[Report] = []
    default_profiler().add_sink(heard.append)

    assert profiler_for({}, debug=False) is default_profiler()


@pytest.mark.usefixtures("no_default")
def test_a_profiler_built_by_hand_is_used_as_it_is() -> None:
    by_hand = Profiler()

    assert profiler_for({}, debug=True, profiler=by_hand) is by_hand
    assert by_hand.sinks == ()
    assert default_profiler() is not by_hand


@pytest.mark.usefixtures("no_default")
@pytest.mark.parametrize(
    ("given", "profiler", "told"),
    [
        ({"slow_ms": 20, "debug": True}, Profiler(), "debug, slow_ms would be ignored beside profiler="),
        ({}, "shop.profiler", "profiler='shop.profiler' is no Profiler"),
    ],
)
def test_a_profiler_that_cannot_be_used_is_refused(given: dict[str, object], profiler: object, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        profiler_for(given, debug=False, profiler=profiler)


@pytest.mark.usefixtures("no_default")
def test_zero_in_the_environment_turns_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBPROFILE", "0")

    assert profiler_for({}, debug=True) is None


@pytest.mark.usefixtures("no_default")
def test_the_console_is_on_where_a_person_is_watching() -> None:
    def sinks(given: dict[str, object], *, debug: bool | None) -> int:
        set_default_profiler(None)
        profiler = profiler_for(given, debug=debug)
        assert profiler is not None
        return len(profiler.sinks)

    assert sinks({}, debug=True) == 1
    assert sinks({}, debug=False) == 0
    assert sinks({"debug": True}, debug=False) == 1
    assert sinks({"console": "off"}, debug=True) == 0
