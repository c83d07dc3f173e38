import asyncio

import pytest

import dbprofile
from dbprofile import Profiler, Recording
from tests.sources import shop


def test_a_recording_is_live_inside_the_block_and_final_after_it() -> None:
    with shop() as database, dbprofile.record("orders") as recording:
        assert recording.query_count == 0
        database.execute("SELECT id FROM orders").fetchall()
        assert recording.query_count == 1
    assert recording.query_count == 1
    assert [query.rows for query in recording.queries] == [5]
    assert recording.report.profile.name == "orders"


def test_findings_can_be_read_inside_the_block() -> None:
    with shop() as database, dbprofile.record() as recording:
        for number in range(3):
            database.execute("SELECT name FROM customer WHERE id = ?", (number,))
        assert [finding.code for finding in recording.findings] == ["DBP102"]


def test_printing_shows_the_line_and_the_findings() -> None:
    with shop() as database, dbprofile.record("orders") as recording:
        for number in range(6):
            database.execute("SELECT name FROM customer WHERE id = ?", (number,))

    text = str(recording)
    assert "dbprofile orders" in text.splitlines()[0]
    assert "6 queries" in text
    assert "DBP102" in text
    assert "test_recording.py" in text


def test_a_decorated_function_is_recorded_at_each_call() -> None:
    reports: list[dbprofile.Report] = []
    profiler = Profiler(sinks=[reports.append])

    @dbprofile.record(profiler=profiler)
    def count() -> int:
        with shop() as database:
            return len(database.execute("SELECT id FROM orders").fetchall())

    assert [count(), count()] == [5, 5]
    assert [report.profile.query_count for report in reports] == [1, 1]
    assert reports[0].profile.name.endswith("count")


def test_a_decorated_coroutine_function_is_recorded_where_it_runs() -> None:
    reports: list[dbprofile.Report] = []

    @dbprofile.record("a task", profiler=Profiler(sinks=[reports.append]))
    async def count() -> int:
        with shop() as database:
            await asyncio.sleep(0)
            return len(database.execute("SELECT id FROM orders").fetchall())

    assert asyncio.run(count()) == 5
    assert [(report.profile.name, report.profile.query_count) for report in reports] == [("a task", 1)]


def test_an_exception_passes_and_the_recording_is_still_final() -> None:
    block = dbprofile.record()

    def fail() -> Recording:
        with shop() as database, block as recording:
            recordings.append(recording)
            database.execute("SELECT id FROM orders")
            raise ZeroDivisionError

    recordings: list[Recording] = []
    with pytest.raises(ZeroDivisionError):
        fail()

    assert recordings[0].query_count == 1
