"""Where the log sink's records go, with and without logging set up; and that they never go there twice."""

import io
import json
import logging
import logging.config
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dbprofile import ConfigurationError, Report
from dbprofile.output.sinks import LogSink
from tests.output import shop as shops
from tests.output.shop import Shop

LOGGERS = (logging.getLogger("dbprofile"), logging.getLogger("dbprofile.findings"), logging.getLogger())


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    with shops.opened(tmp_path) as shop:
        yield shop


@contextmanager
def bare_logging() -> Iterator[None]:
    """As in a process that has not set up logging; what pytest listens with is put aside."""
    before = [(log, log.handlers[:], log.level, log.propagate, log.disabled) for log in LOGGERS]
    for log in LOGGERS:
        log.handlers[:] = []
        log.setLevel(logging.NOTSET)
    LOGGERS[-1].setLevel(logging.WARNING)
    try:
        yield
    finally:
        for log, handlers, level, propagate, disabled in before:
            log.handlers[:] = handlers
            log.setLevel(level)
            log.propagate, log.disabled = propagate, disabled


class Kept(logging.Handler):
    """A handler of the application that keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def pages(shop: Shop) -> tuple[Report, Report]:
    return shops.fine(shop), shops.many_queries(shop)


def heads(text: str) -> list[str]:
    """How each record begins: the name and number of the page."""
    return [line[:31].rstrip() for line in text.splitlines() if line.startswith("dbprofile ")]


FINE, WRONG = "dbprofile GET /orders/ 200 | 3", "dbprofile GET /orders/ 200 | 54"


def test_without_logging_lines_and_blocks_go_to_standard_error(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        for report in pages(shop):
            LogSink(root=shop.root)(report)

    out, err = capsys.readouterr()
    assert (heads(err), out) == ([FINE, WRONG], "")
    assert "select_related" in err


def test_a_block_is_followed_by_a_blank_line_and_a_line_is_not(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        LogSink(root=shop.root)(shops.many_queries(shop))
        LogSink(root=shop.root)(shops.fine(shop))

    err = capsys.readouterr().err
    assert err.splitlines()[-2] == ""
    assert err.endswith("#41\n")


def test_findings_alone_are_quiet_while_all_is_well(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        for report in pages(shop):
            LogSink("findings")(report)

    assert heads(capsys.readouterr().err) == [WRONG]


def test_each_record_is_one_write(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    monkeypatch.setattr(sys, "stderr", Stream())
    with bare_logging():
        for report in pages(shop):
            LogSink()(report)

    assert [heads(text) for text in writes] == [[FINE], [WRONG]]


def test_logging_of_the_application_gets_the_records_and_standard_error_nothing(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Kept()
    with bare_logging():
        logging.basicConfig(handlers=[kept], level=logging.INFO)
        for report in pages(shop):
            LogSink(root=shop.root)(report)

    assert [(record.name, record.levelname, heads(record.getMessage())) for record in kept.records] == [
        ("dbprofile", "INFO", [FINE]),
        ("dbprofile.findings", "WARNING", [WRONG]),
    ]
    assert "\x1b" not in "".join(record.getMessage() for record in kept.records)
    assert capsys.readouterr().err == ""


def test_in_a_log_the_number_follows_the_line_and_stands_at_no_edge(shop: Shop) -> None:
    kept = Kept()
    with bare_logging():
        logging.basicConfig(handlers=[kept], level=logging.INFO)
        LogSink()(shops.fine(shop))

    assert kept.records[0].getMessage().endswith(" | 52 rows  #41")


def test_where_the_application_logs_warnings_only_a_fine_page_is_not_even_rendered(shop: Shop) -> None:
    kept = Kept()
    with bare_logging():
        logging.basicConfig(handlers=[kept], level=logging.WARNING)
        for report in pages(shop):
            LogSink()(report)

    assert [record.name for record in kept.records] == ["dbprofile.findings"]


def test_logging_set_up_later_takes_over_and_no_line_comes_twice(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    kept, sink = Kept(), LogSink()
    with bare_logging():
        sink(shops.fine(shop))
        logging.basicConfig(handlers=[kept], level=logging.WARNING)
        for report in pages(shop):
            sink(report)
        level = LOGGERS[0].level

    assert heads(capsys.readouterr().err) == [FINE]
    assert [heads(record.getMessage()) for record in kept.records] == [[WRONG]]
    assert level == logging.NOTSET


@pytest.mark.parametrize("name", ["dbprofile", "dbprofile.findings"])
def test_a_handler_for_our_loggers_is_enough(shop: Shop, capsys: pytest.CaptureFixture[str], name: str) -> None:
    kept = Kept()
    with bare_logging():
        logging.getLogger(name).addHandler(kept)
        LogSink()(shops.many_queries(shop))

    assert len(kept.records) == 1
    assert capsys.readouterr().err == ""


def test_logging_can_mute_us(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"nowhere": {"class": "logging.NullHandler"}},
        "loggers": {"dbprofile": {"handlers": ["nowhere"], "propagate": False}},
    }
    with bare_logging():
        logging.config.dictConfig(configuration)
        for report in pages(shop):
            LogSink()(report)

    assert capsys.readouterr().err == ""


def test_a_level_that_somebody_chose_for_us_stays(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        LOGGERS[0].setLevel(logging.WARNING)
        for report in pages(shop):
            LogSink()(report)

    assert heads(capsys.readouterr().err) == [WRONG]


def test_two_sinks_do_not_make_two_handlers(shop: Shop) -> None:
    with bare_logging():
        LogSink()(shops.fine(shop))
        LogSink()(shops.fine(shop))

        assert len(LOGGERS[0].handlers) == 1


def test_facts_are_fields_of_the_record(shop: Shop) -> None:
    kept = Kept()
    with bare_logging():
        logging.basicConfig(handlers=[kept])
        LogSink()(shops.many_queries(shop))

    facts = vars(kept.records[0])
    assert facts["dbprofile_kind"] == "request"
    assert facts["dbprofile_name"] == "GET /orders/"
    assert facts["dbprofile_number"] == 42
    assert facts["dbprofile_query_count"] == 54
    assert facts["dbprofile_rows"] == 103
    assert facts["dbprofile_seconds"] == pytest.approx(0.098)
    assert facts["dbprofile_database_seconds"] == pytest.approx(0.061)
    assert facts["dbprofile_findings"] == ["DBP101", "DBP111"]


def test_a_name_with_a_percent_sign_is_no_format(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        LogSink()(shop.report(shops.request("/%s/%d", 1, (), seconds=1)))

    assert capsys.readouterr().err.startswith("dbprofile GET /%s/%d 200 | 0 queries")


def test_json_is_one_object_a_line_without_queries(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with bare_logging():
        for report in pages(shop):
            LogSink("json", root=shop.root)(report)

    fine, wrong = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (fine["query_count"], wrong["query_count"]) == (3, 54)
    assert list(fine)[:2] == ["dbprofile", "kind"]
    assert fine["pid"] == os.getpid()
    assert "queries" not in fine
    assert wrong["findings"][0]["fix"]["place"]["file"] == "shop/views.py"


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_colour_in_a_pipe(
    shop: Shop,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    coloured: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with bare_logging():
        LogSink()(shops.many_queries(shop))

    assert ("\x1b[" in capsys.readouterr().err) is coloured


def test_an_explicit_choice_of_colour_beats_the_environment(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with bare_logging():
        LogSink(colour=False)(shops.many_queries(shop))

    assert "\x1b[" not in capsys.readouterr().err


def test_another_console_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"console='xml' is not one of 'text', 'findings', 'json'"):
        LogSink("xml")


@pytest.mark.parametrize("broken", [None, "closed", "gone"])
def test_a_standard_error_that_cannot_be_written_is_no_error(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, broken: str | None
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    stream = Gone() if broken else None
    if stream is not None and broken == "closed":
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    with bare_logging():
        LogSink()(shops.many_queries(shop))


WRITERS = """
import sys, threading
from pathlib import Path
from dbprofile.output.sinks import LogSink
from tests.output import shop

with shop.opened(Path(sys.argv[1])) as opened:
    sink, report = LogSink(root=opened.root), shop.many_queries(opened)
    threads = [threading.Thread(target=lambda: [sink(report) for _ in range(25)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_blocks_of_threads_and_processes_never_mix_in_one_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = [sys.executable, "-c", WRITERS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    workers = [subprocess.Popen([*command, str(tmp_path / name)], stderr=writing, env=environment) for name in "abcd"]
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    assert [worker.wait() for worker in workers] == [0, 0, 0, 0]

    blocks = text.split("dbprofile GET")[1:]
    assert len(blocks) == 4 * 8 * 25
    assert len(set(blocks)) == 1
    assert {len(block.splitlines()) for block in blocks} == {13}
