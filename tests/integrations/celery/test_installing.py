"""install() and uninstall(): for one application or all, in any order; settings, and the console."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from celery.utils.log import LoggingProxy

import dbprofile_celery
from dbprofile import ConfigurationError, Profiler, Report, current_scope, default_profiler, set_default_profiler
from dbprofile.streaming import profiler_for
from dbprofile_celery import scopes
from dbprofile_celery.parents import HEADER
from tests.integrations.celery.working import App, Worker, profiles
from tests.sources import Connection

pytestmark = pytest.mark.usefixtures("no_default", "uninstalled")


@pytest.fixture
def uninstalled() -> Iterator[None]:
    yield
    dbprofile_celery.uninstall()


@pytest.fixture
def task(app: App) -> Any:
    @app.task(name="shop.mail.send")
    def send() -> None:
        """Send nothing."""

    return send


@pytest.fixture
def elsewhere() -> Any:
    """A task of another application."""

    @App("other", set_as_current=False).task(name="other.task")
    def other() -> None:
        """Do nothing."""

    return other


def receivers() -> list[list[object]]:
    return [list(signal.receivers) for signal in scopes._RECEIVERS]


def names(reports: list[Report]) -> list[str]:
    return [profile.name for profile in profiles(reports)]


# --- installing -----------------------------------------------------------------------------------------------------


def test_installing_twice_profiles_once(task: Any, worker: Worker, profiler: Profiler, reports: list[Report]) -> None:
    for _ in range(2):
        dbprofile_celery.install(profiler=profiler)
    task.delay()
    worker.work()

    assert names(reports) == ["shop.mail.send"]


def test_uninstalling_leaves_what_was_there_before(task: Any, worker: Worker, profiler: Profiler) -> None:
    before = receivers()
    dbprofile_celery.uninstall()
    dbprofile_celery.install(profiler=profiler)
    assert receivers() != before
    for _ in range(2):
        dbprofile_celery.uninstall()
        assert receivers() == before
    with profiler.scope("request", "GET /"):
        task.delay()
    worker.work()

    assert HEADER not in worker.headers[0]


def test_a_task_that_runs_while_it_is_uninstalled_is_profiled_to_its_end(
    app: App, worker: Worker, profiler: Profiler, reports: list[Report], database: Connection
) -> None:
    before = receivers()
    dbprofile_celery.install(profiler=profiler)

    @app.task(name="shop.last")
    def last() -> None:
        database.execute("SELECT 1 FROM orders")
        dbprofile_celery.uninstall()
        database.execute("SELECT 1 FROM orders")

    for _ in range(2):
        last.delay()
    worker.work()

    assert [profile.query_count for profile in profiles(reports)] == [2]
    assert current_scope() is None
    assert receivers() == before


def test_installed_for_one_application_the_tasks_of_others_are_left_alone(
    app: App, task: Any, elsewhere: Any, profiler: Profiler, reports: list[Report]
) -> None:
    dbprofile_celery.install(app, profiler=profiler)
    elsewhere.apply()
    task.apply()

    assert names(reports) == ["shop.mail.send"]


def test_what_is_installed_for_an_application_goes_before_what_is_installed_for_all(
    app: App, task: Any, elsewhere: Any, profiler: Profiler, reports: list[Report]
) -> None:
    others: list[Report] = []
    dbprofile_celery.install(app, profiler=profiler)
    dbprofile_celery.install(profiler=Profiler(sinks=[others.append]))
    for one in (task, elsewhere):
        one.apply()
    dbprofile_celery.uninstall(app)
    task.apply()
    dbprofile_celery.uninstall()
    task.apply()

    assert (names(reports), names(others)) == (["shop.mail.send"], ["other.task", "shop.mail.send"])


def test_the_current_application_stands_for_itself(task: Any, profiler: Profiler, reports: list[Report]) -> None:
    task.app.set_current()
    dbprofile_celery.install(current_app, profiler=profiler)
    task.apply()
    dbprofile_celery.uninstall(current_app)
    task.apply()

    assert names(reports) == ["shop.mail.send"]


def test_installing_without_settings_keeps_those_that_were_given(
    task: Any, profiler: Profiler, reports: list[Report]
) -> None:
    dbprofile_celery.install(profiler=profiler)
    dbprofile_celery.install()
    task.apply()

    assert names(reports) == ["shop.mail.send"]


def test_settings_that_are_given_later_replace_those_of_before(
    task: Any, worker: Worker, profiler: Profiler, reports: list[Report]
) -> None:
    dbprofile_celery.install()
    dbprofile_celery.install(profiler=profiler)
    task.apply()
    dbprofile_celery.install(enabled=False)
    task.apply()

    assert names(reports) == ["shop.mail.send"]


# --- settings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"include": ["shop.mail.*"]}, ["shop.mail.send"]),
        ({"include": ["/api/*"]}, []),
        ({"exclude": ["celery.*", "shop.*"]}, []),
        ({"exclude": ["celery.*"]}, ["shop.mail.send"]),
        ({"sample": 0.0}, []),
    ],
)
def test_settings_choose_tasks_by_their_names(
    task: Any, worker: Worker, reports: list[Report], settings: dict[str, Any], told: list[str]
) -> None:
    dbprofile_celery.install(profiler=Profiler(sinks=[reports.append], **settings))
    task.delay()
    worker.work()
    task.apply()

    assert names(reports) == told * 2


def test_a_wrong_setting_is_refused_where_it_is_installed() -> None:
    before = receivers()
    with pytest.raises(ConfigurationError, match=r"unknown setting 'slow_mss'\. Did you mean 'slow_ms'"):
        dbprofile_celery.install(slow_mss=3)

    assert receivers() == before


def test_settings_beside_a_profiler_are_refused(profiler: Profiler) -> None:
    with pytest.raises(ConfigurationError, match="would be ignored beside profiler="):
        dbprofile_celery.install(profiler=profiler, slow_ms=3)


def test_a_framework_that_is_set_up_later_builds_the_profiler_of_both(task: Any, reports: list[Report]) -> None:
    dbprofile_celery.install()
    built = profiler_for({"slow_ms": 5}, debug=False)
    assert built is not None
    built.add_sink(reports.append)
    task.apply()

    assert default_profiler() is built
    assert names(reports) == ["shop.mail.send"]


def test_switched_off_by_the_environment_nothing_is_opened(
    app: App, worker: Worker, monkeypatch: pytest.MonkeyPatch, reports: list[Report]
) -> None:
    monkeypatch.setenv("DBPROFILE", "0")
    set_default_profiler(Profiler(sinks=[reports.append]))
    found: list[object] = []

    @app.task(name="shop.look")
    def look() -> None:
        found.append(current_scope())

    given: list[dict[str, Any]] = [{}, {"slow_ms": 50}, {"profiler": Profiler(sinks=[reports.append])}]
    for settings in given:
        dbprofile_celery.install(**settings)
        look.delay()
        worker.work()

    assert (found, reports) == ([None] * 3, [])


# --- the console ----------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO, "dbprofile")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "dbprofile"]


@pytest.mark.parametrize("settings", [{}, {"slow_ms": 50}])
def test_a_worker_in_a_terminal_tells_of_its_tasks_also_when_celery_has_taken_standard_error(
    task: Any,
    worker: Worker,
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[str]],
    settings: dict[str, Any],
) -> None:
    monkeypatch.setattr(sys, "__stderr__", Terminal())
    monkeypatch.setattr(sys, "stderr", LoggingProxy(logging.getLogger("celery.redirected")))
    dbprofile_celery.install(**settings)
    task.delay()
    worker.work()

    (line,) = lines()
    assert line.startswith("dbprofile task shop.mail.send SUCCESS | 0 queries | ")


def test_a_worker_without_a_terminal_is_silent(
    task: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(sys, "__stderr__", io.StringIO())
    monkeypatch.setattr(sys, "stderr", LoggingProxy(logging.getLogger("celery.redirected")))
    dbprofile_celery.install()
    task.delay()
    worker.work()

    assert lines() == []


def test_a_worker_is_told_to_tell_by_the_environment(
    task: Any, worker: Worker, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("DBPROFILE", "1")
    dbprofile_celery.install()
    task.delay()
    worker.work()

    assert len(lines()) == 1


def test_in_a_process_that_is_no_worker_the_framework_decides(
    task: Any, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    dbprofile_celery.install()
    task.apply()
    assert lines() == []
    profiler_for({}, debug=True)
    task.apply()

    assert len(lines()) == 1


def test_a_profiler_made_by_hand_has_the_sinks_it_was_given(
    task: Any,
    worker: Worker,
    profiler: Profiler,
    reports: list[Report],
    monkeypatch: pytest.MonkeyPatch,
    lines: Callable[[], list[str]],
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    dbprofile_celery.install(profiler=profiler)
    task.delay()
    worker.work()

    assert (len(reports), lines()) == (1, [])
