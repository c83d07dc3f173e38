"""Reports in Markdown."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbprofile import Finding, Fix, Profile, Report, Severity, Statement
from dbprofile.capture.callsite import CallSite
from dbprofile.output.renderers.markdown import render
from tests.output import shop as shops
from tests.output.shop import Shop

PAGE = """\
### GET /orders/ 200 | 54 queries | db 61 ms of 98 ms (62%) | 103 rows | 2 findings `#42`

`shop/templates/orders.html:14` **N+1**: 50 queries that one JOIN replaces (DBP101, critical, 47 ms, about 47 avoidable)

- `shop/templates/orders.html:14`: `{{ order.customer.name }}`
- `shop/views.py:31` in `order_list`: `return render(request, "orders.html", ctx)`
- rows came from `shop/views.py:27` in `order_list`: `orders = Order.objects.filter(open=True)`, 50 rows
- 50x, 50 different ids

```sql
SELECT customer.id, customer.name, customer.email, customer.city, customer.country FROM customer WHERE customer.id = ? LIMIT ?
```

Fix at `shop/views.py:27`, queries 54 -> 4:

```python
Order.objects.filter(open=True).select_related("customer")
```

`shop/middleware.py:12` **DUP**: 2x the same query with the same parameters (DBP111, info, 1.2 ms)

- `shop/middleware.py:12` in `SiteMiddleware.__call__`: `config = SiteConfig.objects.get(key="theme")`
- `shop/context.py:40` in `theme`: `return {"theme": SiteConfig.objects.get(key="theme")}`

```sql
SELECT site_config."key", site_config.value, site_config.changed_at FROM site_config WHERE site_config."key" = ?
```

Try: read it once and keep the answer, or cache it"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shops.opened(tmp_path) as shop:
        yield shop


def test_a_page_with_findings_reads_from_what_to_why_to_how(shop: Shop) -> None:
    assert render([shops.many_queries(shop)], root=shop.root) == PAGE


def test_a_page_that_is_fine_is_one_line(shop: Shop) -> None:
    assert render([shops.fine(shop)]) == (
        "### GET /orders/ 200 | 3 queries | db 3.1 ms of 18 ms (exec 2.6 + fetch 0.5) | 52 rows `#41`"
    )


def test_what_is_silenced_is_counted(shop: Shop) -> None:
    shop.reports = type(shop.reports)(ignore=[{"code": "DBP101"}, {"code": "DBP111"}])

    assert render([shops.many_queries(shop)]).endswith("\n\n2 findings silenced.")


def test_reports_stand_one_below_the_other(shop: Shop) -> None:
    shown = render([shops.fine(shop), shops.untracked(shop)])

    assert re.findall(r"^### (\S+ \S+)", shown, re.MULTILINE) == ["GET /orders/", "GET /export/"]


def test_names_and_source_cannot_break_out_of_their_place() -> None:
    hostile = "`</code><img src=x>``` [a](javascript:b) *c*\n### d\x1b[31m\u202e"
    site = CallSite(hostile, 0, hostile)
    statement = Statement.of('SELECT "' + hostile.replace('"', "") + '" FROM t')
    fix = Fix(hostile, site, kind="add_call")
    finding = Finding("X1", "x", Severity.WARNING, "s", hostile, 1, trigger=site, statement=statement, fix=fix)

    shown = render([Report(Profile("request", hostile), [finding])])

    assert all(character.isprintable() or character == "\n" for character in shown)
    assert len(re.findall(r"^#", shown, re.MULTILINE)) == 1
    outside = re.sub(r"(?m)^(`{3,})\w+\n.*\n\1$", "", shown)
    outside = re.sub(r"(?<!\\)(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", outside)
    assert re.findall(r"(?<!\\)[<\[*`](?!\*)", outside.replace("**", "")) == []
