"""The line of a unit of work."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dbprofile import Profile, Report
from dbprofile.capture.counters import Counter
from dbprofile.output.headlines import headline
from dbprofile.output.terminal import LOG, PLAIN, Terminal
from tests.output import shop as shops
from tests.output.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shops.opened(tmp_path) as shop:
        yield shop


def line(profile: Profile, width: int = 100) -> str:
    return headline(Report(profile), Terminal(width))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (
            shops.fine,
            "dbprofile GET /orders/ 200 | 3 queries | db 3.1 ms of 18 ms (exec 2.6 + fetch 0.5) | 52 rows     #41",
        ),
        (
            shops.many_queries,
            "dbprofile GET /orders/ 200 | 54 queries | db 61 ms of 98 ms (62%) | 103 rows | 2 findings        #42",
        ),
        (
            shops.slow,
            "dbprofile GET /reports/sales/ 200 | 4 queries | db 1.84 s of 1.90 s (97%) | 4 rows | 1 finding   #43",
        ),
        (
            shops.background,
            "dbprofile background of GET /orders/ #44 | 3 queries | db 4.0 ms of 210 ms | 3 rows              #46",
        ),
        (
            shops.untracked,
            "dbprofile GET /export/ 200 | 9 queries | db 12 ms of 40 ms | 52 rows | 3 untracked (pool-1_0)    #47",
        ),
    ],
)
def test_pages_have_the_promised_line(shop: Shop, page: Callable[[Shop], Report], expected: str) -> None:
    assert headline(page(shop), PLAIN) == expected


def test_a_page_without_a_statement_shows_its_time_alone() -> None:
    assert line(Profile("request", "GET /health", seconds=0.0021)) == "dbprofile GET /health | 0 queries | 2.1 ms"


@pytest.mark.parametrize("kind", ["task", "command", "message", "test"])
def test_other_work_says_of_what_kind_it_is(kind: str) -> None:
    assert line(Profile(kind, "send mail", seconds=1)) == f"dbprofile {kind} send mail | 0 queries | 1.00 s"


@pytest.mark.parametrize(
    ("parent", "labels", "expected"),
    [
        (None, {}, "dbprofile task shop.send SUCCESS | 0 queries | 1.00 s  #7"),
        (3, {}, "dbprofile task shop.send SUCCESS of #3 | 0 queries | 1.00 s  #7"),
        (
            None,
            {"dbprofile.parent.number": 3, "dbprofile.parent.process": "4711@web-1"},
            "dbprofile task shop.send SUCCESS of #3 in process 4711@web-1 | 0 queries | 1.00 s  #7",
        ),
    ],
)
def test_a_task_says_how_it_ended_and_of_what_it_is(
    parent: int | None, labels: dict[str, object], expected: str
) -> None:
    profile = Profile("task", "shop.send", 7, parent, seconds=1, labels={"celery.state": "SUCCESS", **labels})

    assert headline(Report(profile), Terminal(aligned=False)) == expected


def test_a_narrow_line_of_a_task_says_how_it_ended_rather_than_where_it_came_from() -> None:
    labels = {"celery.state": "RETRY", "dbprofile.parent.number": 3, "dbprofile.parent.process": "4711@web-1.example"}
    profile = Profile("task", "shop.invoices.tasks.send_invoices", 7, labels=labels, seconds=1)

    assert line(profile, 80).startswith("dbprofile task shop.invoices.tasks.send_invoices RETRY | 0 queries | 1.00 s ")


def test_a_request_inside_a_block_does_not_say_so() -> None:
    assert line(Profile("request", "GET /", parent=3, seconds=1)) == "dbprofile GET / | 0 queries | 1.00 s"


def test_a_block_has_its_name_alone() -> None:
    assert line(Profile("block", "import orders", seconds=1)).startswith("dbprofile import orders | ")


def test_units_differ_from_each_other_where_the_times_do(shop: Shop) -> None:
    queries = (shops.query("SELECT a FROM t", shop.origin, at=1, ms=1200, fetch_ms=3, rows=1),)

    assert "db 1.20 s of 1.50 s (exec 1.20 s + fetch 3.0 ms)" in line(
        Profile("block", "b", queries=queries, seconds=1.5)
    )


def test_no_bracket_is_shown_where_no_fetch_was_timed(shop: Shop) -> None:
    queries = (shops.query("UPDATE t SET a = 1", shop.origin, at=1, ms=3),)

    assert line(Profile("block", "b", queries=queries, seconds=0.01)) == "dbprofile b | 1 query | db 3.0 ms of 10 ms"


def test_statements_beyond_the_detail_limit_are_said_to_be_only_counted(shop: Shop) -> None:
    counter = Counter("SELECT a FROM t", shops.DATABASE)
    counter.count, counter.seconds = 1200, 0.3
    queries = (shops.query("SELECT a FROM t", shop.origin, at=1, ms=3),)

    assert "1,201 queries" in line(Profile("block", "b", queries=queries, counters=[counter], seconds=1))
    assert line(Profile("block", "b", queries=queries, counters=[counter], seconds=1)).endswith("| 1,200 only counted")


def test_where_nothing_is_kept_in_detail_that_is_not_said_with_each_line() -> None:
    counter = Counter("SELECT a FROM t", shops.DATABASE)
    counter.count = 5

    assert line(Profile("block", "b", counters=[counter])) == "dbprofile b | 5 queries | db 0 us of 0 us"


def test_late_statements_name_the_scope_they_came_from() -> None:
    profile = Profile("block", "b", late={"GET /orders/ (worker-1)": 2})

    assert line(profile).endswith(" | 2 late (GET /orders/ (worker-1))")


def test_two_threads_are_named_and_more_are_counted() -> None:
    profile = Profile("block", "b", untracked={"one": 1, "two": 2, "three": 3, "four": 4})

    assert line(profile).endswith(" | 10 untracked (one, two and 2 more)")


def test_statements_whose_end_nobody_told_are_counted() -> None:
    assert line(Profile("block", "b", unfinished=2)).endswith(" | 2 unfinished")


def test_a_long_name_loses_its_middle_and_keeps_its_status() -> None:
    name = "GET /api/v1/tenants/{tenant}/customers/{customer}/orders/{order}/positions/{position}/"
    profile = Profile("request", name, 7, seconds=1, labels={"http.response.status_code": 404})

    shown = line(profile, 80)

    assert shown.startswith("dbprofile GET /api/v1/tenants/{ten")
    assert "…" in shown
    assert "position}/ 404 | 0 queries | 1.00 s  #7" in shown
    assert len(shown) == 80


def test_a_line_of_a_log_is_told_in_full() -> None:
    name = "GET /api/v1/tenants/{tenant}/customers/{customer}/orders/{order}/positions/{position}/"
    labels: dict[str, object] = {"http.response.status_code": 404}
    profile = Profile("request", name, 7, seconds=1, labels=labels, untracked={"a thread with a long name": 3})

    shown = headline(Report(profile), LOG)

    assert shown == f"dbprofile {name} 404 | 0 queries | 1.00 s | 3 untracked (a thread with a long name)  #7"


def test_times_that_overlap_never_make_more_than_all(shop: Shop) -> None:
    report = shops.many_queries(shop)
    short = Profile("request", "GET /", queries=report.profile.queries, seconds=0.001)

    assert "(100%)" in headline(Report(short, report.findings), PLAIN)
