"""A small shop on disk, and what its pages did: reports that are judged by the real rules, and need no database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbprofile import Database, Fix, Profile, Profiler, Report
from dbprofile.capture.callsite import CallSite
from dbprofile.capture.provenance import Lineage, Provenance
from dbprofile.capture.query import Query, digest
from dbprofile.findings.fixes import Problem, register_fixes, unregister_fixes

DATABASE = Database("default", system="postgresql", dialect="postgresql", paramstyle="format", library="shop")

ORDERS = (
    'SELECT "orders"."id", "orders"."customer_id", "orders"."placed_at", "orders"."total", "orders"."open" FROM "orders"'
    ' WHERE "orders"."open" ORDER BY "orders"."placed_at" DESC LIMIT 50'
)
CUSTOMER = (
    'SELECT "customer"."id", "customer"."name", "customer"."email", "customer"."city", "customer"."country" FROM "customer"'
    ' WHERE "customer"."id" = %s LIMIT 21'
)
CONFIG = (
    'SELECT "site_config"."key", "site_config"."value", "site_config"."changed_at" FROM "site_config"'
    ' WHERE "site_config"."key" = %s'
)
SALES = "SELECT SUM(amount) FROM payment WHERE status = 'paid' AND created_at >= %s"

FILES = {
    "shop/views.py": {
        27: "    orders = Order.objects.filter(open=True)",
        31: '    return render(request, "orders.html", ctx)',
    },
    "shop/reports.py": {58: '    total = qs.aggregate(s=Sum("amount"))'},
    "shop/middleware.py": {12: '    config = SiteConfig.objects.get(key="theme")'},
    "shop/context.py": {40: '    return {"theme": SiteConfig.objects.get(key="theme")}'},
    "shop/templates/orders.html": {14: "    <td>{{ order.customer.name }}</td>"},
}


class Shop:
    """The shop's files below a folder, and its places in them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, lines in FILES.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(lines.get(number, "") for number in range(1, max(lines) + 1)), encoding="utf-8")
        self.origin = self.place("shop/views.py", 27, "order_list")
        self.render = self.place("shop/views.py", 31, "order_list")
        self.sales = self.place("shop/reports.py", 58, "monthly_sales")
        self.middleware = self.place("shop/middleware.py", 12, "SiteMiddleware.__call__")
        self.context = self.place("shop/context.py", 40, "theme")
        template = self.place("shop/templates/orders.html", 14).file
        self.cell = CallSite(template, 14, template="orders.html", tag="order.customer.name")
        self.reports = Profiler(slow_ms=100)

    def place(self, name: str, line: int, function: str = "") -> CallSite:
        """A line of one of the files."""
        return CallSite(str(self.root / name), line, function)

    def report(self, profile: Profile) -> Report:
        """A profile, judged by the default rules."""
        return self.reports.report(profile)


@contextmanager
def opened(root: Path) -> Iterator[Shop]:
    """A shop whose fixes are known."""

    def cure(problem: Problem) -> Fix | None:
        if problem.relation != "Order.customer":
            return None
        added = '.select_related("customer")'
        return Fix(f"Order.objects.filter(open=True){added}", problem.origin, added, "add_call", leaves=0)

    register_fixes("shop", cure)
    yield Shop(root)
    unregister_fixes("shop")


def query(
    sql: str,
    *path: CallSite,
    at: float,
    ms: float,
    fetch_ms: float = 0.0,
    rows: int | None = None,
    parameters: tuple[object, ...] = (),
) -> Query:
    """A read; ``at`` and the durations are milliseconds."""
    made = Query(sql, DATABASE, parameters=digest(parameters), started=round(at * 1e6), seconds=ms / 1e3, rows=rows)
    made.fetch_seconds, made.fetches = fetch_ms / 1e3, int(fetch_ms > 0)
    made.provenance = Provenance(path=path, lineage=Lineage("Q", sql, path=path, database=DATABASE))
    made.call_site = path[0] if path else None
    made.unit = "request"
    return made


def fine(shop: Shop) -> Report:
    """A page with three queries and nothing to say about them."""
    queries = (
        query("SELECT a FROM session WHERE id = %s", at=1, ms=0.6, fetch_ms=0.1, rows=1, parameters=("k",)),
        query("SELECT b FROM account WHERE id = %s", at=3, ms=0.6, fetch_ms=0.1, rows=1, parameters=(7,)),
        query(ORDERS, shop.origin, at=5, ms=1.4, fetch_ms=0.3, rows=50),
    )
    return shop.report(request("/orders/", 41, queries, seconds=0.018))


def many_queries(shop: Shop) -> Report:
    """A page that loads the customer of each of its fifty orders, and its configuration twice."""
    orders = query(ORDERS, shop.origin, at=10, ms=9, fetch_ms=1.8, rows=50)
    config = [
        query(CONFIG, place, at=at, ms=0.5, fetch_ms=0.1, rows=1, parameters=("theme",))
        for at, place in ((1, shop.middleware), (90, shop.context))
    ]
    account = query("SELECT b FROM account WHERE id = %s", at=4, ms=1.9, fetch_ms=0.1, rows=1, parameters=(7,))
    above = orders.provenance.lineage if orders.provenance is not None else None
    assert above is not None
    customers = []
    for number in range(50):
        customer = query(CUSTOMER, at=30 + number, ms=0.84, fetch_ms=0.1, rows=1, parameters=(number,))
        customer.provenance = Provenance(
            "lazy",
            relation="Order.customer",
            relation_kind="many_to_one",
            parent=number,
            parent_lineage=above,
            lineage=above.child("R", "Order.customer", "many_to_one"),
            path=(shop.cell, shop.render),
        )
        customers.append(customer)
    queries = (config[0], account, orders, *customers, config[1])
    return shop.report(request("/orders/", 42, queries, seconds=0.098))


def slow(shop: Shop) -> Report:
    """A page with one statement over the threshold."""
    queries = (
        query("SELECT a FROM session WHERE id = %s", at=1, ms=9, fetch_ms=1, rows=1, parameters=("k",)),
        query("SELECT b FROM account WHERE id = %s", at=15, ms=9, fetch_ms=1, rows=1, parameters=(7,)),
        query("SELECT c FROM shop WHERE id = %s", at=30, ms=9, fetch_ms=1, rows=1, parameters=(1,)),
        query(SALES, shop.sales, at=50, ms=1800, fetch_ms=8, rows=1, parameters=("2026-01-01",)),
    )
    return shop.report(request("/reports/sales/", 43, queries, seconds=1.9))


def background(shop: Shop) -> Report:
    """What ran on after a page had been sent."""
    queries = tuple(
        query(f"SELECT {name} FROM outbox", at=at, ms=1.2, fetch_ms=0.13, rows=1)
        for at, name in ((1, "a"), (9, "b"), (20, "c"))
    )
    return shop.report(Profile("background", "GET /orders/", 46, parent=44, queries=queries, seconds=0.21))


def untracked(shop: Shop) -> Report:
    """A page some of whose statements ran on a thread that nobody follows."""
    queries = tuple(
        query(f"SELECT c{n} FROM item", at=n + 1, ms=1.2, fetch_ms=0.12, rows=6 - n // 7 * 1) for n in range(9)
    )
    profile = Profile(
        "request",
        "GET /export/",
        47,
        labels={"http.response.status_code": 200},
        queries=queries,
        seconds=0.04,
        untracked={"pool-1_0": 3},
    )
    return shop.report(profile)


def request(path: str, number: int, queries: tuple[Query, ...], *, seconds: float) -> Profile:
    """A request that was answered with 200."""
    labels = {"http.request.method": "GET", "http.response.status_code": 200}
    return Profile("request", f"GET {path}", number, labels=labels, queries=queries, seconds=seconds, unit="request")
