"""What a scope may take of memory, whatever the application sends."""

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from sys import getsizeof

import pytest

from dbprofile import Profiler, Scope, hooks
from dbprofile.capture.counters import COUNTER_LIMIT
from dbprofile.capture.profile import Profile
from dbprofile.capture.query import Query
from dbprofile.capture.scope import DETAIL_LIMIT, LANE_LIMIT
from dbprofile.capture.texts import LONG_TEXT, ROOM
from dbprofile.sql.cut import CutText
from tests.sources import DATABASE, Connection, shop

STATEMENTS = 5_000


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """How many bytes are held that were not when the block began."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    try:
        yield lambda: tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def send(scope: Scope, sql: object, parameters: object = ()) -> None:
    """A statement as a hook records it, with a driver that does nothing."""
    hooks.stop(hooks.start(scope, sql, parameters, DATABASE))


def listed(first: object, length: int) -> str:
    """A statement with a list of values written into it."""
    return f"SELECT name FROM customer WHERE id IN ({first}, {', '.join(['4711'] * (length // 6))})"


def ask(database: Connection, statements: int) -> None:
    for number in range(statements):
        database.execute("SELECT name FROM customer WHERE id = ?", (1_000 + number,)).fetchall()


# --- records and counters -------------------------------------------------------------------------------------------


def test_a_statement_in_full_detail_takes_800_bytes_all_told() -> None:
    with shop() as database, Profiler(detail_limit=10**9, slow_ms=10**9).scope("request", "r") as scope:
        ask(database, 10)  # what is made once: code objects, paths, lineages
        with traced() as held:
            ask(database, STATEMENTS)
            each = held() / STATEMENTS

    assert scope.profile().query_count == STATEMENTS + 10
    assert each <= 800


def test_a_record_without_its_digest_and_its_provenance_takes_400_bytes() -> None:
    with shop() as database, Profiler().scope("request", "r") as scope:
        ask(database, 1)

    (query,) = scope.profile().queries
    numbers = (query.started, query.seconds, query.fetch_seconds, query.fetch_started, query.answer)
    assert getsizeof(query) + sum(map(getsizeof, numbers)) + 8 <= 400
    assert not query.__dict__, "an attribute that nearly every query has set is one of its slots"


@pytest.mark.parametrize("text", ["SELECT {} FROM customer", "SELECT name FROM customer WHERE id = ? -- {}"])
def test_a_counter_takes_800_bytes_with_its_text_and_the_digests_it_tells_apart(text: str) -> None:
    with shop() as database, Profiler(detail_limit=0, slow_ms=10**9).scope("request", "r") as scope:
        database.execute("SELECT 1")
        with traced() as held:
            for number in range(COUNTER_LIMIT - 1):
                sql = text.format(number)
                database.execute(sql, (number,) * sql.count("?")).fetchall()
            each = held() / (COUNTER_LIMIT - 1)

    assert len(scope.profile().counters) == COUNTER_LIMIT
    assert each <= 800


@pytest.mark.parametrize("limit", [DETAIL_LIMIT, 0])
def test_twenty_thousand_statements_take_no_more_than_ten_thousand(limit: int) -> None:
    sizes = []
    for statements in (100, 10_000, 20_000):  # the first makes what is made once
        with shop() as database, Profiler(detail_limit=limit, slow_ms=10**9).scope("request", "r") as scope:
            ask(database, 1)
            with traced() as held:
                ask(database, statements)
                sizes.append(held())
        profile = scope.profile()
        assert profile.query_count == statements + 1
        assert len(profile.queries) == min(limit, statements + 1)

    assert sizes[2] <= 2_000_000
    assert abs(sizes[2] - sizes[1]) <= 10_000


def test_beyond_the_limit_each_new_text_takes_nothing() -> None:
    with Profiler(detail_limit=0, slow_ms=10**9).scope("request", "r") as scope:
        for number in range(COUNTER_LIMIT + 1):
            send(scope, f"SELECT {number} FROM orders")
        with traced() as held:
            for number in range(COUNTER_LIMIT):
                send(scope, f"SELECT {-number} FROM orders")
            grown = held()

    assert scope.profile().query_count == 2 * COUNTER_LIMIT + 1
    assert grown <= 1_000


def test_all_threads_of_a_scope_have_a_thousand_counters_together() -> None:
    with Profiler(detail_limit=0, slow_ms=10**9).scope("request", "r") as scope:

        def work(number: int) -> None:
            for turn in range(COUNTER_LIMIT // 4):
                send(scope, f"SELECT {number}, {turn} FROM orders")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    profile = scope.profile()
    others = [counter for counter in profile.counters if counter.sql == ""]
    assert profile.query_count == 2 * COUNTER_LIMIT
    # Two threads that take the last place at once may both have it.
    assert COUNTER_LIMIT <= len(profile.counters) - len(others) <= COUNTER_LIMIT + len(threads)


# --- lanes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 40, 1_000])
async def test_tasks_leave_a_bounded_number_of_lanes_and_are_not_kept(at_once: int) -> None:
    tasks: weakref.WeakSet[asyncio.Task[None]] = weakref.WeakSet()

    async def work(scope: Scope) -> None:
        await asyncio.sleep(0)
        send(scope, "SELECT 1 FROM orders")

    with Profiler(detail_limit=0).scope("command", "c") as scope:
        for _ in range(2_000 // at_once):
            started = [asyncio.create_task(work(scope)) for _ in range(at_once)]
            tasks.update(started)
            await asyncio.gather(*started)
            del started
        await asyncio.sleep(0)  # what woke us may still hold the last one
        assert not tasks
        assert len(scope._lanes) <= 2 * LANE_LIMIT

    assert scope.profile().query_count == 2_000


async def test_each_of_a_scopes_tasks_records_whatever_lane_it_shares() -> None:
    async def work(scope: Scope, number: int) -> None:
        for turn in range(3):
            send(scope, f"SELECT {number}, {turn} FROM orders")
            await asyncio.sleep(0)

    with Profiler(detail_limit=10**9).scope("command", "c") as scope:
        await asyncio.gather(*(work(scope, number) for number in range(1_000)))

    queries = scope.profile().queries
    assert len({query.sql for query in queries}) == len(queries) == 3_000
    assert LANE_LIMIT < len({query.lane for query in queries}) <= 2 * LANE_LIMIT


# --- long texts -----------------------------------------------------------------------------------------------------


def texts_of(scope: Scope) -> list[object]:
    return [query.raw_sql for query in scope.profile().queries]


def kept(texts: list[object]) -> int:
    """Characters of the texts, each once."""
    return sum(len(text) for text in {id(text): text for text in texts}.values() if isinstance(text, str | bytes))


def test_of_long_texts_a_scope_keeps_a_megabyte_whole_and_of_the_others_the_beginning() -> None:
    with Profiler().scope("request", "r") as scope:
        for number in range(500):
            send(scope, listed(number, 100_000))

    texts = texts_of(scope)
    whole = [text for text in texts if not isinstance(text, CutText)]
    assert len(texts) == 500
    assert ROOM - 100_100 < kept(whole) <= ROOM
    assert kept(texts) <= ROOM + 500 * LONG_TEXT


def test_a_long_text_that_is_sent_again_is_kept_once() -> None:
    with Profiler().scope("request", "r") as scope:
        for _ in range(500):
            send(scope, listed(1, 100_000))

    texts = texts_of(scope)
    assert not any(isinstance(text, CutText) for text in texts)
    assert kept(texts) < 110_000


def test_a_scope_round_many_has_one_megabyte_for_all_of_them() -> None:
    profiler = Profiler()
    with profiler.scope("test", "t", reach="process") as scope:
        for number in range(50):
            with profiler.scope("request", "r") as inner:
                for turn in range(10):
                    send(inner, listed(f"{number}, {turn}", 100_000))

    texts = texts_of(scope)
    assert len(texts) == 500
    assert kept([text for text in texts if not isinstance(text, CutText)]) <= ROOM


def test_each_part_of_a_scope_that_is_cut_has_a_megabyte_of_its_own() -> None:
    parts: list[Profile] = []
    with Scope("message", "m", number=1, on_close=lambda _, part: parts.append(part)) as scope:
        for _ in range(3):
            for number in range(20):
                send(scope, listed(number, 100_000))
            scope.cut("message", "m")

    assert [sum(not isinstance(query.raw_sql, CutText) for query in part.queries) for part in parts] == [9, 9, 9, 0]


def test_counters_of_long_texts_share_the_megabyte() -> None:
    with Profiler(detail_limit=0, slow_ms=10**9).scope("request", "r") as scope:
        for number in range(2 * COUNTER_LIMIT):
            send(scope, listed(number, 50_000))

    counters = scope.profile().counters
    assert (len(counters), sum(counter.count for counter in counters)) == (COUNTER_LIMIT + 1, 2 * COUNTER_LIMIT)
    assert kept([counter.sql for counter in counters]) <= ROOM + COUNTER_LIMIT * LONG_TEXT


@pytest.mark.parametrize("encode", [str, str.encode])
def test_what_is_shown_of_a_cut_text_is_its_shape(encode: Callable[[str], object]) -> None:
    sql = f"SELECT name FROM customer WHERE id = 'secret' OR id IN ({', '.join(['4711'] * 1_000_000)})"
    with Profiler().scope("request", "r") as scope:
        send(scope, encode(sql))

    (query,) = scope.profile().queries
    cut = query.raw_sql
    assert isinstance(cut, CutText)
    assert (len(cut), cut.length) == (LONG_TEXT, len(sql))
    assert query.statement.tables == ("customer",)
    assert "truncated" in query.statement.flags
    assert "secret" not in f"{query!r} {query.statement.text} {query.statement.sanitized}"
    assert "4711" not in f"{query!r} {query.statement.text} {query.statement.sanitized}"


def test_texts_that_differ_only_beyond_their_beginning_are_not_the_same_question() -> None:
    profiler = Profiler()
    tail = f"IN ({', '.join(['4711'] * 300_000)}"
    with profiler.scope("request", "r") as scope:
        for last in (1, 2, 2):
            send(scope, f"SELECT name FROM customer WHERE id {tail}, {last})")

    first, second, third = scope.profile().queries
    assert str.__eq__(first.sql, second.sql), "nothing of where they differ is kept"
    assert (first.sql == second.sql, second.sql == third.sql) == (False, True)
    assert len({first.sql, second.sql, third.sql}) == 2


def test_what_is_no_text_stays_what_it_is() -> None:
    class Composed:
        def as_string(self, _context: object) -> str:
            return "SELECT 1"

    sql = Composed()
    with Profiler().scope("request", "r") as scope:
        send(scope, sql)

    (query,) = scope.profile().queries
    assert query.raw_sql is sql
    assert query.sql == "SELECT 1"


def test_a_text_outside_any_scope_is_left_alone() -> None:
    heard: list[Query] = []

    class Listener:
        def query_done(self, query: Query, _handle: object, _error: object) -> None:
            heard.append(query)

    listener = Listener()
    hooks.add_listener(listener)
    try:
        for number in range(20):
            receiver = hooks.receiver()
            assert receiver is not None
            send(receiver, listed(number, 100_000))
    finally:
        hooks.remove_listener(listener)

    assert not any(isinstance(query.raw_sql, CutText) for query in heard)
