"""The suite passes the adapters of the page that tells how to write one, and fails each that is broken in one place."""

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dbprofile_wsgi.scopes
from dbprofile import streaming
from dbprofile.testing.suite import QueriesContract, ScopesContract
from tests.integrations.test_wsgi import TestContract as OverWSGI
from tests.tree import REPOSITORY

PAGE = REPOSITORY / "integrations" / "README.md"
pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the page is no part of the wheel")
BLOCK = re.compile(r'^```python title="(?P<path>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
LEDGER, JOBS = "dbprofile_ledger/queries.py", "dbprofile_jobs/scopes.py"

Contract = QueriesContract | ScopesContract


def failures(contract: Contract) -> set[str]:
    """The tests of a contract that fail; they need no test framework."""
    names = [name for name in dir(contract) if name.startswith("test_")]
    assert len(names) > 15
    return {name for name in names if not _passes(getattr(contract, name))}


def _passes(test: Callable[[], object]) -> bool:
    try:
        test()
    except Exception:  # noqa: BLE001 - a broken adapter raises what it likes
        return False
    return True


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Callable[..., Contract]]:
    """The page's adapters, as written there or with one place changed; the contract that they keep then."""
    before = set(sys.modules)
    sys.path.insert(0, str(tmp_path))

    def built(test: str, contract: str, changed: str = "", change: Callable[[str], str] = str) -> Contract:
        for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
            path, text = block["path"], block["text"]
            if path == changed:
                text = change(text)
                assert text != block["text"], "nothing was changed"
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text, encoding="utf-8")
        importlib.invalidate_caches()
        made: Contract = getattr(importlib.import_module(test), contract)()
        return made

    yield built
    sys.path.remove(str(tmp_path))
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {
            "ledger",
            "jobs",
            "dbprofile_ledger",
            "dbprofile_jobs",
            "test_ledger",
            "test_jobs",
        }:
            del sys.modules[name]


def test_the_adapters_of_the_page_keep_their_contracts(page: Callable[..., Contract]) -> None:
    assert failures(page("test_ledger", "TestLedger")) == set()
    assert failures(page("test_jobs", "TestJobs")) == set()


ONE_QUERY = "test_a_statement_is_one_query_with_its_text_and_the_line_that_sent_it"
FAILING = "test_a_statement_that_fails_is_recorded_by_the_class_of_its_error_which_passes_unchanged"


@pytest.mark.parametrize(
    ("old", "new", "caught"),
    [
        ("        hooks.stop(watch)\n", "", ONE_QUERY),
        ("hooks.locate(watch)", "pass", ONE_QUERY),
        ("            hooks.stop(watch, error=error)\n", "", FAILING),
        ("hooks.stop(watch, error=error)", "hooks.stop(watch)", FAILING),
        ("            raise\n", "            raise RuntimeError from error\n", FAILING),
        ("hooks.fetched(query, started, found)", "pass", "test_rows_are_counted_where_they_are_fetched"),
        ("watch = hooks.start(scope, sql,", "watch = hooks.start(scope, sql.upper(),", ONE_QUERY),
        ("method(self, sql, parameters)\n        except", "method(self, sql % (), parameters)\n        except", "test_text_is_sent_and_recorded_as_it_was_written"),
        ("batch=True", "batch=False", "test_a_batch_is_one_query"),
        ("parameters, DATABASE, batch", "list(parameters), DATABASE, batch", "test_an_iterator_of_parameter_sets_is_left_to_the_driver"),
        ("hooks.locate(watch)", "hooks.locate(watch); watch.query.values = parameters", "test_values_are_told_apart_but_kept_only_where_a_setting_asks_for_them"),
        ("hooks.receiver()", "hooks.current_scope()", "test_outside_any_scope_nothing_is_recorded_and_its_thread_is_counted"),
        ("hooks.receiver()", "hooks.current_scope()", "test_a_scope_of_the_process_hears_of_what_is_in_no_scope"),
        ("hooks.receiver()", "hooks.current_scope()", "test_a_listener_hears_of_statements_in_a_scope_and_outside"),
        ("hooks.receiver()", "hooks.current_scope()", "test_a_statement_of_a_scope_that_is_over_is_late"),
        ("hooks.stop(watch)\n        if", "watch.scope.record(watch.query)\n        if", "test_a_listener_hears_of_statements_in_a_scope_and_outside"),
        ("if watch is not None and answer is not None", "if answer is not None", "test_a_fault_of_ours_changes_no_result"),
        ("hooks.start(scope,", "self.books.execute('SELECT 2') and hooks.start(scope,", "test_the_statements_recorded_are_those_that_the_driver_was_sent"),
        ("hooks.start(scope,", "self.books.execute('SELECT 2') and hooks.start(scope,", "test_the_adapter_changes_no_result"),
        ("        setattr(owner, name, method)\n", "        setattr(owner, name, _timing(vars(owner)[name]) if name == 'rows' else _recording(vars(owner)[name], batch=False))\n", "test_installing_twice_records_once_and_uninstalling_once_is_enough"),
        ("            setattr(owner, name, method.__wrapped__)\n", "            pass\n", "test_uninstalling_twice_or_what_was_never_installed_changes_nothing"),
    ],
)  # fmt: skip
def test_an_adapter_with_statements_that_is_broken_in_one_place_is_caught(
    page: Callable[..., Contract], old: str, new: str, caught: str
) -> None:
    assert caught in failures(page("test_ledger", "TestLedger", LEDGER, lambda text: text.replace(old, new)))


ONE_PROFILE = "test_a_unit_of_work_is_one_profile_with_the_statements_that_were_sent"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a step that is never left
@pytest.mark.parametrize(
    ("old", "new", "caught"),
    [
        ("            finish(scope)\n", "", ONE_PROFILE),
        ("step = enter(scope)", "step = None", ONE_PROFILE),
        ('"task", name, path', '"task", f"{name} {arguments}", path', "test_it_is_named_by_its_pattern_and_not_by_its_values"),
        ("            leave(step)\n", "", "test_an_exception_passes_unchanged_and_its_class_is_kept"),
        ("            failed(scope, error)\n", "", "test_an_exception_passes_unchanged_and_its_class_is_kept"),
        ("            raise\n", "            raise RuntimeError from error\n", "test_an_exception_passes_unchanged_and_its_class_is_kept"),
        ("finish(scope)", "finish(scope) or finish(open_scope(self._profiler, 'task', name, path=name))", "test_a_unit_is_opened_settled_and_told_once_in_this_order"),
        ("path=name)\n", 'path="")\n', "test_paths_are_left_out_and_units_sampled_as_settings_say"),
        ("profiler_for(settings, debug=None, profiler=profiler)", "profiler", "test_a_wrong_setting_is_refused_at_set_up"),
        ("profiler_for(settings, debug=None, profiler=profiler)", "profiler", "test_where_nobody_listens_or_it_is_switched_off_no_scope_is_opened"),
        ("profiler_for(settings, debug=None, profiler=profiler)", "profiler", "test_a_sink_of_the_default_profiler_hears_where_no_other_is_given"),
        ("step = enter(scope)", "self.kept = scope; step = enter(scope)", "test_nothing_is_kept_of_a_unit_that_is_over"),
        ("        step = enter(scope)\n", "        assert enter(scope)\n        step = enter(scope)\n", "test_a_fault_of_ours_changes_no_answer"),
    ],
)  # fmt: skip
def test_an_adapter_with_scopes_that_is_broken_in_one_place_is_caught(
    page: Callable[..., Contract], old: str, new: str, caught: str
) -> None:
    assert caught in failures(page("test_jobs", "TestJobs", JOBS, lambda text: text.replace(old, new)))


def test_an_adapter_that_keeps_a_scope_on_its_object_is_caught(page: Callable[..., Contract]) -> None:
    broken = page("test_jobs", "TestJobs", JOBS, lambda text: re.sub(r"\bscope\b", "self.scope", text))
    assert "test_units_that_run_at_once_do_not_mix" in failures(broken)


# --- requests -------------------------------------------------------------------------------------------------------


def handler_alone(app: Any, environ: Any, start_response: Any, scope: streaming.Scope) -> Iterable[bytes]:
    """The scope ends with the handler, whatever the body goes on to do."""
    step = streaming.enter(scope)
    try:
        body: Iterable[bytes] = app(environ, start_response)
    finally:
        streaming.leave(step)
        streaming.finish(scope)
    return body


def status_unread(app: Any, environ: Any, start_response: Any, scope: streaming.Scope) -> Iterable[bytes]:
    """Nobody reads the status, or notices that the response has begun."""
    step = streaming.enter(scope)
    try:
        body: Iterable[bytes] = app(environ, start_response)
    finally:
        streaming.leave(step)
    return streaming.Body(body, scope)


def errors_unnamed(app: Any, environ: Any, start_response: Any, scope: streaming.Scope) -> Iterable[bytes]:
    """An exception ends the scope, and leaves no trace in it."""

    def ending(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            body: Iterable[bytes] = app(environ, start_response)
        except BaseException:
            streaming.finish(scope)
            raise
        return body

    return streaming.serve(ending, environ, start_response, scope)


def read_ahead(app: Any, environ: Any, start_response: Any, scope: streaming.Scope) -> Iterable[bytes]:
    """The body is made at once, though the server may not want all of it."""

    def ahead(environ: Any, start_response: Any) -> Iterable[bytes]:
        return list(app(environ, start_response))

    return streaming.serve(ahead, environ, start_response, scope)


def undivided(app: Any, environ: Any, start_response: Any, scope: streaming.Scope) -> Iterable[bytes]:
    """What is done after the response counts as the request's."""
    scope.cut = lambda *_arguments, **_keywords: None  # type: ignore[method-assign]
    return streaming.serve(app, environ, start_response, scope)


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (handler_alone, "test_what_a_streamed_body_does_is_streaming"),
        (handler_alone, "test_streams_that_run_at_once_do_not_mix"),
        (status_unread, "test_a_request_is_labelled_with_method_status_and_pattern"),
        (errors_unnamed, "test_an_exception_in_a_view_is_status_500"),
        (read_ahead, "test_a_body_that_is_closed_early_ends_its_request_once"),
        (undivided, "test_what_runs_after_the_response_is_background_of_its_request"),
    ],
)
def test_an_adapter_with_requests_that_is_broken_in_one_place_is_caught(
    broken: Callable[..., Iterable[bytes]], caught: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbprofile_wsgi.scopes, "serve", broken)
    assert caught in failures(OverWSGI())


def test_requests_of_a_method_that_is_left_out_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened = streaming.open_request

    def open_gets(profiler: Any, method: str, path: str, **more: Any) -> streaming.Scope | None:
        return None if method == "HEAD" else opened(profiler, method, path, **more)

    monkeypatch.setattr(dbprofile_wsgi.scopes, "open_request", open_gets)
    assert failures(OverWSGI()) == {"test_head_and_a_response_without_a_body_are_ordinary_requests"}
