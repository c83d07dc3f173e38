"""The messages, word for word: people read them in a short summary, an annotation, a report of CI."""

import copy
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dbprofile import hooks
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.database import Database
from dbprofile.capture.provenance import Lineage, Provenance
from dbprofile.findings.finding import Fix
from dbprofile.findings.fixes import Problem
from dbprofile.testing import Count, QueryLog, assert_queries, at_most, record_queries
from dbprofile.testing.listing import LINES, Listing
from dbprofile.testing.project import Project, set_project
from tests.testing import shop

ROOT = Path("/app")
DATABASE = Database("default", system="sqlite", dialect="sqlite", paramstyle="qmark", library="testing")
VIEW = CallSite("/app/shop/views.py", 31, "order_list")
SERIALIZER = CallSite("/app/shop/serializers.py", 18, "OrderSerializer.to_representation")
MIDDLEWARE = CallSite("/app/shop/middleware.py", 12, "load_user")


@pytest.fixture(autouse=True)
def _project(project: Project) -> Iterator[None]:
    before = set_project(Project(root=ROOT, verbosity_options=True))
    yield
    set_project(before)


def send(sql: str, parameter: object = (), *, path: tuple[CallSite, ...] = (VIEW,), why: Any = None) -> None:
    """What the hook of an adapter does for one statement."""
    scope = hooks.receiver()
    assert scope is not None
    watch = hooks.start(scope, sql, parameter, DATABASE)
    assert watch is not None
    watch.query.provenance = why or Provenance(path=path)
    watch.query.call_site = path[0] if path else None
    hooks.stop(watch)


def order_list() -> None:
    """An order list with an N+1 of its customers, as an ORM's adapter would record it."""
    send("SELECT * FROM orders ORDER BY id LIMIT ?", (20,))
    orders = Lineage("Q", "SELECT * FROM orders ORDER BY id LIMIT ?", path=(VIEW,), database=DATABASE)
    for number in range(5):
        why = Provenance(
            "lazy",
            relation="Order.customer",
            relation_kind="many_to_one",
            parent=number,
            parent_lineage=orders,
            lineage=orders.child("R", "Order.customer", "many_to_one"),
            path=(SERIALIZER, VIEW),
        )
        send("SELECT id, name FROM customer WHERE id = ?", (number,), path=(SERIALIZER, VIEW), why=why)
    send("SELECT * FROM auth_user WHERE id = ?", (1,), path=(MIDDLEWARE,))
    send("SAVEPOINT s1")
    send("RELEASE SAVEPOINT s1")
    send("SELECT * FROM django_content_type", why=Provenance("infra", infrastructure="cachefill", path=(VIEW,)))


def join(problem: Problem) -> Fix:
    return Fix('Order.objects.select_related("customer")', problem.origin, '.select_related("customer")', "add_call")


@pytest.fixture
def _fix() -> Iterator[None]:
    hooks.register_fixes("testing", join)
    yield
    hooks.unregister_fixes("testing")


def message(body: Callable[[], object] = order_list, n: Count | None = None, **keywords: Any) -> str:
    with pytest.raises(AssertionError) as caught, assert_queries(n, **keywords):
        body()
    return str(caught.value)


LISTED = """

  1x  SELECT orders ORDER BY id LIMIT ?
      shop/views.py:31 in order_list
  5x  SELECT customer WHERE id = ?                          N+1, Order.customer
      shop/serializers.py:18 in to_representation
  1x  SELECT auth_user WHERE id = ?
      shop/middleware.py:12 in load_user

  fix: Order.objects.select_related("customer") at shop/views.py:31 saves 5
  not counted: 2 savepoint statements, 1 cache fill (count="all" would be 10)
  -v: full SQL   -vv: parameters and stacks"""


@pytest.mark.usefixtures("_fix")
def test_too_many_names_the_n_plus_one_first_and_then_all() -> None:
    assert message(n=2) == ("7 queries, expected 2: 5x SELECT customer at shop/serializers.py:18 (N+1)" + LISTED)


@pytest.mark.usefixtures("_fix")
def test_an_n_plus_one_that_may_not_be_is_named_with_its_relation() -> None:
    assert message(nplusone=False) == ("N+1 of Order.customer: 5x SELECT customer at shop/serializers.py:18" + LISTED)


@pytest.mark.usefixtures("_fix")
def test_every_expectation_that_fails_is_listed() -> None:
    lines = message(max=2, nplusone=False, select=3, note="the first page").splitlines()
    assert lines[:6] == [
        "7 queries, expected at most 2: 5x SELECT customer at shop/serializers.py:18 (N+1)",
        "  also: N+1 of Order.customer: 5x SELECT customer at shop/serializers.py:18",
        "  also: select: 7 queries, expected 3 (shop/serializers.py:18)",
        "  note: the first page",
        "  select      7   3   FAIL   5x SELECT customer WHERE id = ?   shop/serializers.py:18",
        "",
    ]
    assert lines[6:] == LISTED.splitlines()[2:]


def test_too_few_is_as_clear() -> None:
    assert message(lambda: send("SELECT * FROM orders"), n=2) == (
        "1 query, expected 2: only 1x SELECT orders at shop/views.py:31\n"
        "  hint: cached by an earlier test? run it alone\n"
        "\n"
        "  1x  SELECT orders\n"
        "      shop/views.py:31 in order_list\n"
        "\n"
        "  -v: full SQL   -vv: parameters and stacks"
    )


def test_none_at_all_is_said() -> None:
    assert message(lambda: None, n=2).splitlines()[0] == "0 queries, expected 2: none was sent"


def test_too_few_of_many_names_the_first() -> None:
    assert message(min=9).splitlines()[0] == (
        "7 queries, expected at least 9: only 1x SELECT orders at shop/views.py:31, "
        "5x SELECT customer at shop/serializers.py:18, and 1 more"
    )


def test_without_an_n_plus_one_the_largest_group_is_the_culprit() -> None:
    def body() -> None:
        send("SELECT * FROM orders")
        for _ in range(2):
            send("SELECT * FROM invoice", path=(SERIALIZER,))

    assert message(body, n=1).splitlines()[0] == ("3 queries, expected 1: 2x SELECT invoice at shop/serializers.py:18")


def test_tables_are_a_table() -> None:
    assert message(tables={"orders": at_most(2), "customer": at_most(1), "django_session": 0}) == (
        "table customer: 5 queries, expected at most 1 (shop/serializers.py:18)\n"
        "  orders              1   at most 2   ok\n"
        "  customer            5   at most 1   FAIL   5x SELECT customer WHERE id = ?   shop/serializers.py:18\n"
        "  django_session      0   0           ok"
    )


def test_a_table_that_nobody_asked_says_so() -> None:
    assert message(tables={"invoice": 1}) == (
        "table invoice: 0 queries, expected 1\n  invoice      0   1   FAIL   none was sent"
    )


def test_a_slow_query_is_named() -> None:
    first = message(lambda: send("SELECT * FROM orders"), slow=0).splitlines()[0]
    assert first.startswith("a query took ")
    assert first.endswith(" SELECT orders at shop/views.py:31")


def test_databases_are_named_where_there_are_several() -> None:
    def body() -> None:
        send("SELECT * FROM orders")
        shop_query = hooks.start(hooks.receiver(), "SELECT 1", (), Database("replica"))  # type: ignore[arg-type]
        hooks.stop(shop_query)

    text = message(body, n=0)
    assert "  1x  SELECT orders" + " " * 41 + "default" in text.splitlines()
    assert any(line.endswith("  replica") for line in text.splitlines())


def test_a_thousand_queries_fit_in_25_lines() -> None:
    def body() -> None:
        for number in range(1_000):
            columns = ", ".join(f"c{place}" for place in range(number % 50 + 1))
            send(f"SELECT * FROM table_{number % 50} WHERE {columns} = ?", (number,))

    text = message(body, n=1, nplusone=False, max=None, tables={"table_1": 0, "table_2": 0, "table_3": 20}, note="many")
    assert len(text.splitlines()) <= LINES
    assert any(line.startswith("  and ") and line.endswith(" more groups (-v)") for line in text.splitlines())


def test_beyond_the_first_thousand_the_number_is_exact_and_the_place_that_of_the_first() -> None:
    def body() -> None:
        for _ in range(1_500):
            send("SELECT * FROM orders")

    lines = message(body, n=0).splitlines()
    assert lines[0] == "1,500 queries, expected 0: 1,500x SELECT orders at shop/views.py:31"
    assert "        beyond the first thousand: places are not kept" in [line[2:] for line in lines]


@pytest.mark.usefixtures("_fix")
def test_more_is_shown_where_more_is_asked_for() -> None:
    set_project(Project(root=ROOT, verbosity=1, verbosity_options=True))
    text = message(n=2)
    assert "  5x  SELECT id, name FROM customer WHERE id = ?            N+1, Order.customer" in text.splitlines()
    assert text.splitlines()[-1] == "  -vv: parameters and stacks"
    assert "parameters:" not in text


def test_values_are_shown_at_the_highest_verbosity_alone() -> None:
    set_project(Project(root=ROOT, verbosity=2, verbosity_options=True))
    lines = message(n=2).splitlines()
    assert "      called at shop/views.py:31 in order_list" in lines
    assert "      parameters: (0,)  (1,)  (2,) and 2 more" in lines


def test_without_pytest_no_option_is_offered() -> None:
    set_project(Project(root=ROOT))
    assert "-v" not in message(n=2)


# --- a plain comparison -----------------------------------------------------------------------------------------------


@pytest.fixture
def log() -> QueryLog:
    with record_queries() as recorded:
        order_list()
    return recorded


def test_a_comparison_names_the_culprit_through_a_variable_too(log: QueryLog) -> None:
    number = log.count
    listing = Listing(number.log, Project(root=ROOT))
    culprit = "5x SELECT customer at shop/serializers.py:18 (N+1)"
    assert listing.compared("==", number, 2) == f"7 queries == 2: {culprit}"
    assert listing.compared("<=", number, 2) == f"7 queries <= 2: {culprit}"
    assert listing.compared("==", 2, number) == f"2 == 7 queries: {culprit}"
    assert listing.compared("==", number, 9).startswith("7 queries == 9: only 1x SELECT orders at shop/views.py:31")


def test_a_copied_number_has_nothing_to_list(log: QueryLog) -> None:
    assert type(copy.copy(log.count)) is int


def test_text_from_statements_breaks_no_line(connection: sqlite3.Connection) -> None:
    text = message(lambda: send('SELECT * FROM "or\nders\x1b[31m"'), n=0)
    assert "\x1b" not in text
    assert [line for line in text.splitlines() if "ders" in line] == [
        line for line in text.splitlines() if "or\\nders" in line
    ]


def test_places_are_relative_to_the_projects_root(connection: sqlite3.Connection) -> None:
    set_project(Project(root=Path(shop.__file__).parent))
    with (
        pytest.raises(AssertionError, match=r"^1 query, expected 0: 1x SELECT orders at shop\.py:\d+\n"),
        assert_queries(0),
    ):
        shop.all_orders(connection)
