"""Traps of Django and its drivers that hooks on statements have fallen into; those of connections, batches and texts are in the matrix."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, connections
from django.db.models import Sum
from django.http import FileResponse, HttpRequest
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import path

from dbprofile import Profile, Profiler, Report, record
from tests.integrations.django.account import Account
from tests.integrations.django.serving import over_asgi, over_wsgi
from tests.integrations.django.shop.models import Line, Order, Region
from tests.services import TemporaryDatabase

pytestmark = [pytest.mark.usefixtures("account"), pytest.mark.urls(__name__)]


def sent_file(request: HttpRequest) -> FileResponse:
    Order.objects.count()
    return FileResponse(Path(__file__).open("rb"))


urlpatterns = [path("file/", sent_file)]


def did(block: Callable[[], object]) -> Profile:
    with record("block", profiler=Profiler()) as recorded:
        block()
    return recorded.report.profile


def wrapper() -> Any:
    return connections["default"]


def work() -> None:
    """A bit of everything that reads and writes."""
    list(Order.objects.select_related("customer").prefetch_related("lines"))
    Region.objects.filter(name="Region 1").update(name="Region 1")
    Line.objects.aggregate(Sum("pk"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM shop_region WHERE name = %s", ["Region 1"])
        assert len(list(cursor)) == 1


# --- what is never asked --------------------------------------------------------------------------------------------


def test_last_executed_query_is_never_called(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    Order.objects.count()
    asked: list[str] = []

    def refuse(*_arguments: object) -> str:
        asked.append("asked")
        raise AssertionError("psycopg opens a cursor for it")

    monkeypatch.setattr(wrapper().ops, "last_executed_query", refuse)
    profile = did(work)
    assert profile.query_count == 5
    assert [query.statement.text for query in profile.queries]
    assert not asked


def test_the_description_of_a_cursor_is_never_read(account: Account) -> None:
    class Driver:
        """A driver whose columns are built anew on each reading."""

        rowcount = 1

        def execute(self, text: str, parameters: object = None) -> None: ...

        def fetchall(self) -> list[tuple[int]]:
            return [(1,)]

        @property
        def description(self) -> object:
            raise AssertionError("it is costly")

    def read() -> None:
        cursor = wrapper().make_cursor(Driver())
        for text in ("SELECT 1", "UPDATE shop_region SET name = name"):
            cursor.execute(text, [])
            assert cursor.fetchall() == [(1,)]

    Order.objects.count()
    assert [query.rows for query in did(read).queries] == [1, 1]


def test_nothing_of_ours_is_sent(account: Account) -> None:
    """By the account of the database: as many statements with us and a report as without."""
    work()
    account.forget()
    work()
    without = list(account.ledger.sent)
    account.forget()
    with Profiler(sinks=[str]).scope("request", "GET /"):
        work()
    assert account.ledger.sent == without


def test_a_plan_that_the_application_asks_for_is_sent_once_and_counted(account: Account) -> None:
    texts: list[str] = []

    def listening(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        texts.append(sql)  # SQLite's own account does not tell of plans
        return execute(sql, params, many, context)

    def search() -> None:
        found = Order.objects.filter(note="Note 1")
        assert found.explain()
        assert len(found) == 1

    search()  # what a connection asks once, of itself and its server
    with connection.execute_wrapper(listening):
        search()
        without = texts.copy()
        texts.clear()
        with record("search", profiler=Profiler()) as recorded:
            search()
        assert str(recorded)
    assert texts == without
    assert [query.statement.verb for query in recorded.queries] == ["EXPLAIN", "SELECT"]
    assert (recorded.query_count, recorded.findings) == (2, ())


def test_a_list_of_thousands_of_keys_is_told_in_a_line_and_without_any_of_them(account: Account) -> None:
    secrets = [f"secret {number}" for number in range(5_000)]
    with record("search", profiler=Profiler(slow_ms=10**6)) as recorded:
        assert Order.objects.filter(note__in=secrets).count() == 0
        assert Order.objects.filter(note__in=secrets[:4_000]).count() == 0
    text = str(recorded)
    assert {finding.code for finding in recorded.findings} == {"DBP307"}
    assert sum(finding.count for finding in recorded.findings) == 2
    assert len(text) < 2_000
    assert "secret" not in text


# --- under DEBUG ----------------------------------------------------------------------------------------------------


def test_what_django_asks_under_debug_is_not_the_applications(account: Account, told_shop: TemporaryDatabase) -> None:
    def read() -> None:
        list(Region.objects.filter(name="Region 1"))

    Order.objects.count()
    account.forget()
    with CaptureQueriesContext(connection) as theirs:  # as DEBUG has it
        profile = did(read)
    assert [query.sql.partition(" ")[0] for query in profile.queries] == ["SELECT"]
    assert len(theirs) == 1
    # To show the values SQLite is asked to quote them: past the wrappers, with no statement of the application's.
    quoted = [text for text in account.ledger.sent if "QUOTE(" in text]
    assert bool(quoted) == (told_shop.system == "sqlite")
    assert len(account.ledger.sent) == 1 + len(quoted)
    assert account.unseen(profile) == ["SELECT"] * len(quoted)


def test_the_log_of_queries_is_neither_read_nor_cleared(account: Account) -> None:
    with CaptureQueriesContext(connection) as outer:
        Order.objects.count()
        profile = did(Order.objects.count)
        Order.objects.count()
    assert profile.query_count == 1
    assert len(outer) == 3
    assert not wrapper().force_debug_cursor


# --- parameters -----------------------------------------------------------------------------------------------------

#: A parameter that Python cannot hash, and that each driver takes.
_UNHASHABLE: dict[str, tuple[str, list[Any]]] = {
    "sqlite": ("SELECT name FROM shop_region WHERE CAST(name AS BLOB) = %s", [bytearray(b"Region 1")]),
    "postgresql": ("SELECT name FROM shop_region WHERE name = ANY(%s)", [["Region 1"]]),
    "mariadb": ("SELECT name FROM shop_region WHERE name IN %s", [["Region 1"]]),
}


def test_parameters_that_cannot_be_hashed_are_no_fault(account: Account, told_shop: TemporaryDatabase) -> None:
    text, parameters = _UNHASHABLE[told_shop.system]
    rows: list[Any] = []

    def read() -> None:
        with connection.cursor() as cursor:
            cursor.execute(text, parameters)
            rows.extend(cursor.fetchall())

    (query,) = did(read).counted
    assert [row[0] for row in rows] == ["Region 1"]
    assert (query.rows, query.error) == (1, None)
    assert (query.parameters is None) == (told_shop.system == "sqlite"), "lists are hashed as tuples, no other thing is"


def test_a_rare_kind_of_parameters_is_handed_on_as_it_came(account: Account) -> None:
    class Given(list[str]):
        """A list of the application's own."""

    given = Given(["Region 1"])
    received: list[object] = []

    def look(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        received.append(params)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look), connection.cursor() as cursor, record("block", profiler=Profiler()):
        cursor.execute("SELECT name FROM shop_region WHERE name = %s", given)
    assert received[-1] is given


# --- what passes through --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, asyncio.CancelledError, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes_and_is_recorded(error: type[BaseException], account: Account) -> None:
    def interrupted(*_arguments: object) -> None:
        raise error

    Order.objects.count()
    with (
        record("block", profiler=Profiler()) as recorded,
        connection.execute_wrapper(interrupted),
        pytest.raises(error) as caught,
    ):
        Order.objects.count()
    assert type(caught.value) is error
    assert [query.error for query in recorded.queries] == [error.__name__]


def test_raw_querysets_have_their_time_in_the_fetches(account: Account) -> None:
    profile = did(lambda: list(Order.objects.raw("SELECT * FROM shop_order")))
    (query,) = profile.counted
    assert (query.rows, query.provenance.role if query.provenance else None) == (5, "read")
    assert query.fetches > 0
    assert query.fetch_seconds > 0


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_reaches_the_server_as_the_file_that_it_is(account: Account, reports: list[Report]) -> None:
    environ = RequestFactory().get("/file/").environ
    environ["wsgi.file_wrapper"] = FileWrapper
    body: Any = WSGIHandler()(environ, lambda *_arguments: lambda _: None)
    assert type(body) is FileWrapper
    assert not reports
    body.close()
    (report,) = reports
    assert report.profile.query_count == 1
    assert account.unseen(report.profile) == []


def test_a_file_is_served_whole_over_either_server(account: Account, reports: list[Report]) -> None:
    content = Path(__file__).read_bytes()
    assert over_wsgi("/file/").body == content
    with pytest.warns(Warning, match="must consume synchronous iterators"):
        assert asyncio.run(over_asgi("/file/")).body == content
    assert [report.profile.query_count for report in reports] == [1, 1]
    assert [{query.phase for query in report.profile.queries} for report in reports] == [{"handling"}] * 2
