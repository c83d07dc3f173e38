import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from inspect import isasyncgenfunction, isgeneratorfunction

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


@pytest.fixture
def reports() -> list[dbprofile.Report]:
    return []


@pytest.fixture
def profiler(reports: list[dbprofile.Report]) -> Profiler:
    return Profiler(sinks=[reports.append])


def test_a_decorated_generator_is_recorded_at_each_step_and_only_there(
    profiler: Profiler, reports: list[dbprofile.Report]
) -> None:
    with shop() as database:

        @dbprofile.record("rows", profiler=profiler)
        def rows() -> Iterator[int]:
            for number in range(3):
                yield database.execute("SELECT ? FROM orders", (number,)).fetchall()[0][0]

        with profiler.scope("request", "r") as request:
            for _ in rows():
                database.execute("SELECT name FROM customer")

    assert isgeneratorfunction(rows)
    assert [report.profile.name for report in reports] == ["r"]
    assert request.profile().query_count == 6


def test_a_decorated_generator_keeps_what_is_sent_thrown_and_returned(
    profiler: Profiler, reports: list[dbprofile.Report]
) -> None:
    with shop() as database:

        @dbprofile.record(profiler=profiler)
        def echo() -> Generator[object, object, str]:
            heard: object = "first"
            while heard != "enough":
                database.execute("SELECT name FROM customer")
                try:
                    heard = yield heard
                except ZeroDivisionError as error:
                    heard = type(error).__name__
            return "done"

        steps = echo()
        assert [next(steps), steps.send("second"), steps.throw(ZeroDivisionError())] == [
            "first",
            "second",
            "ZeroDivisionError",
        ]
        with pytest.raises(StopIteration) as end:
            steps.send("enough")

    assert end.value.value == "done"
    assert [report.profile.query_count for report in reports] == [3]


def test_a_decorated_generator_that_is_abandoned_is_closed_inside_its_block(
    profiler: Profiler, reports: list[dbprofile.Report]
) -> None:
    with shop() as database:

        @dbprofile.record(profiler=profiler)
        def rows() -> Iterator[int]:
            try:
                yield 1
            finally:
                database.execute("SELECT name FROM customer")

        steps = rows()
        next(steps)
        steps.close()  # type: ignore[attr-defined]

    assert [report.profile.query_count for report in reports] == [1]
    assert dbprofile.current_scope() is None


def test_a_decorated_async_generator_is_recorded_at_each_step(
    profiler: Profiler, reports: list[dbprofile.Report]
) -> None:
    with shop() as database:

        @dbprofile.record(profiler=profiler)
        async def rows() -> AsyncIterator[int]:
            for number in range(3):
                await asyncio.sleep(0)
                yield database.execute("SELECT ? FROM orders", (number,)).fetchall()[0][0]

        async def read_all() -> list[int]:
            return [row async for row in rows()]

        assert asyncio.run(read_all()) == [0, 1, 2]

    assert isasyncgenfunction(rows)
    assert [report.profile.query_count for report in reports] == [3]


def test_one_block_serves_several_tasks_at_once(profiler: Profiler) -> None:
    block = dbprofile.record("shared", profiler=profiler)

    async def ask(number: int) -> int:
        with shop() as database, block as recording:
            await asyncio.sleep(0.001 * (3 - number))
            for _ in range(number):
                database.execute("SELECT name FROM customer")
        return recording.query_count

    async def gather() -> list[int]:
        return await asyncio.gather(*map(ask, range(1, 4)))

    assert asyncio.run(gather()) == [1, 2, 3]


def test_a_block_inside_itself_counts_twice(profiler: Profiler) -> None:
    block = dbprofile.record(profiler=profiler)
    with shop() as database, block as outer:
        with block as inner:
            database.execute("SELECT name FROM customer")
        database.execute("SELECT name FROM customer")

    assert (outer.query_count, inner.query_count) == (2, 1)


def test_the_decorator_works_without_parentheses() -> None:
    @dbprofile.record
    def count() -> int:
        scope = dbprofile.current_scope()
        assert scope is not None
        return len(scope.name)

    assert count() == len(count.__qualname__)


def test_a_name_that_is_no_text_is_an_error_at_once() -> None:
    with pytest.raises(dbprofile.ConfigurationError, match="takes the name of a block, not 42"):
        dbprofile.record(42)  # type: ignore[call-overload]
