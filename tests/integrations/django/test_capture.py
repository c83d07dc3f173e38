"""Every statement, once, with its rows, times, transaction and error; on SQLite, PostgreSQL and MariaDB."""

import asyncio
import gc
import sqlite3
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

import dbprofile_django
from dbprofile import Profile, Profiler, Recording, record
from dbprofile.capture.counters import is_transaction_control
from tests.integrations.django.shop.models import Line, Order, Region, Tag
from tests.services import TemporaryDatabase

every_database = pytest.mark.usefixtures("any_shop")


@pytest.fixture
def profiler() -> Profiler:
    return Profiler()


@pytest.fixture
def recording(profiler: Profiler) -> Iterator[Recording]:
    with record("block", profiler=profiler) as recorded:
        yield recorded


def cursor_round(driver: object) -> Any:
    """Django's cursor round a driver's."""
    make: Any = connection.make_cursor
    return make(driver)


def sent_by(block: Callable[[], object]) -> tuple[Profile, list[str]]:
    """What we saw of a block, and what the innermost wrapper of Django's own kind saw."""
    texts: list[str] = []

    def listening(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        texts.append(sql)
        return execute(sql, params, many, context)

    with record("block", profiler=Profiler()) as recorded, connection.execute_wrapper(listening):
        block()
    return recorded.report.profile, texts


def _write(name: str) -> Callable[[], object]:
    def block() -> None:
        region = Region.objects.create(name="Here")
        if name == "bulk_create":
            Region.objects.bulk_create(Region(name=f"There {number}") for number in range(20))
        elif name == "update":
            Region.objects.filter(pk=region.pk).update(name="Elsewhere")
        elif name == "delete":
            region.delete()
        elif name == "get_or_create":
            Region.objects.get_or_create(name="New", defaults={"name": "New"})

    return block


def _nested_atomic() -> None:
    with transaction.atomic(), transaction.atomic():
        Region.objects.create(name="Nested")


def _raw() -> None:
    assert len(list(Order.objects.raw("SELECT id FROM shop_order"))) == 5


def _cursor() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM shop_order WHERE note LIKE %s", ["100%%"])
        cursor.execute("SELECT '%%', '{}' FROM shop_order")
        assert cursor.fetchall()


def _executemany() -> None:
    with connection.cursor() as cursor:
        rows = ([f"Region {number}"] for number in range(3))
        cursor.executemany("INSERT INTO shop_region (name) VALUES (%s)", list(rows))


BLOCKS: dict[str, Callable[[], object]] = {
    **{name: _write(name) for name in ("create", "bulk_create", "update", "delete", "get_or_create")},
    "nested atomic": _nested_atomic,
    "raw": _raw,
    "cursor": _cursor,
    "executemany": _executemany,
    "relations": lambda: [order.customer.name for order in Order.objects.prefetch_related("tags", "lines")],
    "iterator": lambda: list(Order.objects.iterator(chunk_size=2)),
    "aggregates": lambda: (Order.objects.count(), Order.objects.exists(), Order.objects.aggregate()),
}


@every_database
@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_each_statement_is_seen_once(block: Callable[[], object]) -> None:
    profile, texts = sent_by(block)
    assert [query.sql for query in profile.queries] == texts
    counted = [text for text in texts if not is_transaction_control(text)]
    assert profile.query_count == len(counted)


@every_database
def test_the_rows_that_a_query_delivered(recording: Recording) -> None:
    list(Order.objects.all())
    Order.objects.get(pk=Order.objects.values_list("pk", flat=True)[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM shop_line")
        assert len(cursor.fetchmany(3)) == 3
        assert len(list(cursor)) == 7
        cursor.execute("SELECT id FROM shop_line WHERE item = %s", ["none of them"])
        assert cursor.fetchone() is None
    assert [query.rows for query in recording.queries] == [5, 1, 1, 10, 0]


@every_database
def test_the_rows_that_a_write_met(recording: Recording) -> None:
    assert Line.objects.filter(item="Item 1").update(item="Changed") == 5
    with connection.cursor() as cursor:
        cursor.execute("\n  update shop_line set item = %s where item = %s", ["Again", "Changed"])
        cursor.execute("DELETE FROM shop_line WHERE item = %s", ["Again"])
        cursor.execute("  select 1")
    assert [query.affected_rows for query in recording.queries] == [5, 5, 5, None]
    assert [query.provenance.role for query in recording.queries if query.provenance] == ["write"] * 3 + ["read"]


@every_database
def test_a_database_is_told_apart_by_its_settings(recording: Recording, any_shop: TemporaryDatabase) -> None:
    Order.objects.count()
    (query,) = recording.queries
    database = query.database
    assert (database.name, database.system, database.library) == ("default", any_shop.system, "django")
    assert database.namespace == any_shop.name
    if any_shop.system != "sqlite":
        assert (database.host, database.port) == (any_shop.host, any_shop.port)


@pytest.mark.usefixtures("shop")
def test_a_failing_fetch_keeps_its_django_class(recording: Recording) -> None:
    class Cursor:
        description = None
        rowcount = -1

        def fetchone(self) -> None:
            raise sqlite3.OperationalError("the connection is gone")

        fetchall = fetchmany = __iter__ = fetchone

        def execute(self, sql: str) -> None: ...

    for fetch in ("fetchone", "fetchall", "fetchmany", "__iter__"):
        cursor = cursor_round(Cursor())
        cursor.execute("SELECT 1")
        with pytest.raises(OperationalError):
            list(getattr(cursor, fetch)())
    assert [query.error for query in recording.queries] == ["OperationalError"] * 4


@pytest.mark.usefixtures("shop")
def test_a_fetch_outside_any_scope_keeps_its_django_class() -> None:
    class Cursor:
        def fetchone(self) -> None:
            raise sqlite3.OperationalError("the connection is gone")

    with pytest.raises(OperationalError):
        cursor_round(Cursor()).fetchone()


@pytest.mark.usefixtures("shop")
def test_a_procedure_is_a_query() -> None:
    class Cursor:
        def callproc(self, name: str, params: object = None) -> str:
            return f"called {name} with {params}"

    with record("block", profiler=Profiler()) as recorded:
        assert cursor_round(Cursor()).callproc("tidy_up", [1]) == "called tidy_up with [1]"
    assert [query.sql for query in recorded.queries] == ["CALL tidy_up"]
    assert cursor_round(Cursor()).callproc("tidy_up") == "called tidy_up with None"


def test_values_are_not_kept(shop: None, recording: Recording) -> None:
    Order.objects.filter(note="a secret of somebody").count()
    (query,) = recording.queries
    assert query.values is None
    assert "secret" not in query.sql


# --- the operation, as the application called it --------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("call", "role", "operation"),
    [
        (lambda: list(Order.objects.all()), "read", "all"),
        (lambda: Order.objects.first(), "read", "first"),
        (lambda: Order.objects.get(note="Note 1"), "read", "get"),
        (lambda: Order.objects.count(), "read", "count"),
        (lambda: Order.objects.exists(), "read", "exists"),
        (lambda: Order.objects.earliest("pk"), "read", "earliest"),
        (lambda: Order.objects.in_bulk([1]), "read", "in_bulk"),
        (lambda: list(Order.objects.iterator()), "read", "iterator"),
        (lambda: bool(Order.objects.all()), "read", "all"),
        (lambda: Region.objects.create(name="New"), "write", "create"),
        (lambda: Region(name="New").save(), "write", "save"),
        (lambda: Region.objects.update(name="New"), "write", "update"),
        (lambda: Region.objects.bulk_create([Region(name="New")]), "write", "bulk_create"),
        (lambda: Line.objects.filter(pk=0).delete(), "write", "delete"),
    ],
)
def test_the_operation_is_the_call_that_the_application_made(
    call: Callable[[], object], role: str, operation: str, profiler: Profiler
) -> None:
    with record("block", profiler=profiler) as recorded:
        call()
    provenances = [query.provenance for query in recorded.report.profile.counted]
    assert {why.role for why in provenances if why} == {role}
    assert {why.operation for why in provenances if why} == {operation}


@pytest.mark.usefixtures("shop")
def test_the_statements_of_one_call_share_its_number(profiler: Profiler) -> None:
    with record("block", profiler=profiler) as recorded:
        for name in ("one", "two"):
            Tag.objects.update_or_create(name=name, defaults={"name": name})
        order = Order.objects.all()[0]
        order.tags.add(Tag.objects.get(name="one"))
    calls = [query.provenance for query in recorded.report.profile.counted]
    updates = [why.invocation for why in calls if why and why.operation == "update_or_create"]
    assert len(updates) == 4
    assert len(set(updates)) == 2
    added = [why for why in calls if why and why.operation == "add"]
    assert added
    assert len({why.invocation for why in added}) == 1


@pytest.mark.usefixtures("shop")
def test_nothing_of_the_application_is_kept_once_the_scope_is_closed(profiler: Profiler) -> None:
    def save() -> weakref.ref[Region]:
        region = Region(name="Here")
        region.save()
        return weakref.ref(region)

    with profiler.scope("block", "block") as scope:
        saved = save()
    gc.collect()
    assert not scope.open
    assert saved() is None


@pytest.mark.usefixtures("shop")
def test_where_nobody_listens_a_statement_costs_three_calls() -> None:
    def calls() -> int:
        made = 0

        def note(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event == "call"

        for turn in range(3):  # the first turns warm up
            if turn == 2:
                sys.setprofile(note)
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchone()
            sys.setprofile(None)
        return made

    with_us = calls()
    dbprofile_django.uninstall()
    try:
        without_us = calls()
    finally:
        dbprofile_django.install()
    assert with_us - without_us <= 3


@pytest.mark.usefixtures("shop")
async def test_a_call_that_blocks_the_event_loop_is_marked(
    monkeypatch: pytest.MonkeyPatch, recording: Recording
) -> None:
    def from_a_callback() -> None:
        Order.objects.exists()
        done.set()

    await Order.objects.acount()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    Order.objects.first()
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(from_a_callback)
    await done.wait()
    connection.close()
    marks = {query.provenance.operation: query.on_loop for query in recording.queries if query.provenance}
    assert marks == {"count": False, "first": True, "exists": True}


@pytest.mark.usefixtures("shop")
def test_a_locking_read_is_marked_where_the_text_does_not_show_it(recording: Recording) -> None:
    with transaction.atomic():
        list(Order.objects.select_for_update())
    assert recording.report.profile.counted[0].locks


# --- beside Django's own -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shop")
def test_djangos_own_count_of_queries_is_left_alone(django_assert_num_queries: Any, recording: Recording) -> None:
    assert not connection.force_debug_cursor
    with django_assert_num_queries(2):
        Order.objects.count()
        list(Order.objects.all())
    assert not connection.force_debug_cursor
    assert recording.query_count == 2
