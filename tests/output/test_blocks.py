"""The block of one finding."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dbprofile import Finding, Fix, Profiler, Severity, Statement
from dbprofile.capture.callsite import CallSite
from dbprofile.output.blocks import Block
from dbprofile.output.terminal import PLAIN, Terminal
from dbprofile.rules import QueryBudget
from tests.output import shop as shops
from tests.output.shop import Shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with shops.opened(tmp_path) as shop:
        yield shop


@pytest.fixture
def n_plus_one(shop: Shop) -> Finding:
    return shops.many_queries(shop).findings[0]


def block(shop: Shop, finding: Finding, terminal: Terminal = PLAIN) -> list[str]:
    return list(Block(finding, shops.many_queries(shop).profile, terminal, shop.root).lines())


def test_an_n_plus_one_says_what_what_it_costs_where_and_the_cure(shop: Shop, n_plus_one: Finding) -> None:
    heading, trigger, caller, origin, sql, fix = block(shop, n_plus_one)

    assert heading.startswith("  N+1   50 queries that one JOIN replaces ")
    assert heading.endswith("  DBP101")
    assert trigger == "        shop/templates/orders.html:14          {{ order.customer.name }}"
    assert caller == '        shop/views.py:31 in order_list         return render(request, "orders.html", ctx)'
    assert origin.startswith("        rows came from shop/views.py:27        orders = Order.objects.filter(open=True) ")
    assert origin.endswith(" 50 rows")
    assert sql.startswith("        SELECT … FROM customer WHERE id = ? LIMIT ? ")
    assert sql.endswith(" 50x, 50 different ids")
    assert fix == '   fix  shop/views.py:27   Order.objects.filter(open=True).select_related("customer")  54 -> 4'
    assert {len(line) for line in (heading, origin, sql)} == {100}


def test_a_loop_over_few_different_rows_says_so(shop: Shop, n_plus_one: Finding) -> None:
    queries = [shops.query(shops.CUSTOMER, at=n + 1, ms=1, parameters=(n % 3,)) for n in range(12)]

    assert "12x, 3 different ids" in "".join(block(shop, replace(n_plus_one, queries=queries)))


def test_a_loop_with_several_parameters_counts_sets_of_them(shop: Shop, n_plus_one: Finding) -> None:
    queries = [shops.query(shops.CUSTOMER, at=n + 1, ms=1, parameters=(n % 3, 1)) for n in range(12)]

    assert "12x, 3 different parameters" in "".join(block(shop, replace(n_plus_one, queries=queries)))


def test_nothing_is_said_of_parameters_that_are_unknown(shop: Shop, n_plus_one: Finding) -> None:
    queries = [shops.query(shops.CUSTOMER, at=n + 1, ms=1) for n in range(12)]
    for query in queries:
        query.parameters = None

    assert [line for line in block(shop, replace(n_plus_one, queries=queries)) if line.endswith(" 12x")]


def test_an_uncertain_fix_is_something_to_try_and_promises_no_number(shop: Shop, n_plus_one: Finding) -> None:
    assert n_plus_one.fix is not None
    fix = replace(n_plus_one.fix, certain=False)

    last = block(shop, replace(n_plus_one, fix=fix))[-1]

    assert last == '   try  shop/views.py:27   Order.objects.filter(open=True).select_related("customer")'


def test_what_a_query_for_all_rows_leaves_is_in_the_promise(shop: Shop, n_plus_one: Finding) -> None:
    assert n_plus_one.fix is not None
    fix = replace(n_plus_one.fix, leaves=1)

    assert block(shop, replace(n_plus_one, fix=fix))[-1].endswith("  54 -> 5")


def test_a_fix_too_long_for_its_line_goes_on_below_and_loses_nothing(shop: Shop, n_plus_one: Finding) -> None:
    expression = "Order.objects" + ".filter(shipped=False)" * 5 + '.select_related("customer")'
    fix = Fix(expression, n_plus_one.origin, kind="add_call")

    shown = block(shop, replace(n_plus_one, fix=fix), Terminal(80))[-4:]

    assert shown[0] == "   fix  shop/views.py:27"
    assert "".join(line.strip() for line in shown[1:]) == expression + "  54 -> 4"
    assert all(line.startswith(" " * 8) and len(line) <= 80 for line in shown[1:])
    assert shown[2].startswith("        .filter(")


def test_a_fix_without_end_is_cut(shop: Shop, n_plus_one: Finding) -> None:
    shown = block(shop, replace(n_plus_one, fix=Fix("word " * 200)))

    assert len(shown) == len(block(shop, replace(n_plus_one, fix=None))) + 3
    assert shown[-1].endswith("…")


def test_the_code_that_rendered_a_template_is_shown_behind_the_template_that_included_another(
    shop: Shop, n_plus_one: Finding
) -> None:
    outer = CallSite(str(shop.root / "page.html"), 3, template="page.html", tag='include "orders.html"')

    shown = block(shop, replace(n_plus_one, callers=(outer, shop.render, shop.middleware)))

    assert [line.split()[0] for line in shown[1:4]] == [
        "shop/templates/orders.html:14",
        "page.html:3",
        "shop/views.py:31",
    ]


def test_a_caller_that_also_loaded_the_rows_is_shown_once(shop: Shop, n_plus_one: Finding) -> None:
    loop = CallSite(str(shop.root / "page.html"), 7, template="page.html", tag="for order in orders")

    shown = block(shop, replace(n_plus_one, callers=(loop, shop.render), origin=loop))

    assert [line.split()[0] for line in shown[1:3]] == ["shop/templates/orders.html:14", "shop/views.py:31"]
    assert shown[3].startswith("        rows came from page.html:7")
    assert sum("page.html:7" in line for line in shown) == 1


def test_the_loop_round_a_tag_and_the_function_of_a_comprehension_are_not_shown_beside_the_trigger(
    shop: Shop, n_plus_one: Finding
) -> None:
    trigger = n_plus_one.trigger
    assert trigger is not None
    loop = CallSite(trigger.file, 7, template=trigger.template, tag="for order in orders")
    comprehension = CallSite(shop.render.file, shop.render.line, "order_list.<locals>.<listcomp>")

    of_a_template = block(shop, replace(n_plus_one, callers=(loop, shop.render)))
    of_code = block(shop, replace(n_plus_one, trigger=comprehension, callers=(shop.render, shop.middleware)))

    assert [line.split()[0] for line in of_a_template[1:3]] == ["shop/templates/orders.html:14", "shop/views.py:31"]
    assert [line.split()[0] for line in of_code[1:3]] == ["shop/views.py:31", "shop/middleware.py:12"]


def test_of_callers_in_code_the_nearest_is_shown(shop: Shop, n_plus_one: Finding) -> None:
    shown = "\n".join(block(shop, replace(n_plus_one, callers=(shop.render, shop.middleware))))

    assert "shop/views.py:31" in shown
    assert "shop/middleware.py" not in shown


def test_a_place_is_never_cut(shop: Shop, n_plus_one: Finding) -> None:
    folders = "/".join(["a_folder_with_a_long_name"] * 6)
    site = CallSite(f"{shop.root}/{folders}/views.py", 1234, "order_list")

    shown = block(shop, replace(n_plus_one, trigger=site, callers=(), origin=site, fix=None), Terminal(80))

    assert f"        {folders}/views.py:1234" in shown
    assert f"        rows came from {folders}/views.py:1234" in shown


def test_the_name_of_a_function_gives_way_to_the_source(shop: Shop, n_plus_one: Finding) -> None:
    name = "VeryLongNameOfAClassThatHoldsAllViews.and_of_a_method_of_it"
    site = CallSite(shop.render.file, 31, name)

    shown = block(shop, replace(n_plus_one, trigger=site), Terminal(80))

    assert shown[1].startswith("        shop/views.py:31                 return render(")


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        ("order_list", " in order_list"),
        ("OrderView.get", " in OrderView.get"),
        ("order_list.<locals>.<listcomp>", " in order_list"),
        ("outer.<locals>.inner", " in inner"),
        ("<module>", ""),
        ("<lambda>", ""),
    ],
)
def test_a_function_has_the_name_its_author_gave(shop: Shop, n_plus_one: Finding, function: str, shown: str) -> None:
    site = CallSite("/elsewhere/views.py", 31, function)

    assert block(shop, replace(n_plus_one, trigger=site))[1] == f"        /elsewhere/views.py:31{shown}"


def test_a_question_asked_at_two_places_has_them_beside_its_statement(shop: Shop) -> None:
    finding = shops.many_queries(shop).findings[1]

    heading, sql, fix = block(shop, finding)

    assert heading.startswith("  DUP   2x the same query with the same parameters ")
    assert sql.startswith("        SELECT … FROM site_config WHERE ")
    assert sql.endswith(" shop/middleware.py:12, shop/context.py:40")
    assert fix == "   try  read it once and keep the answer, or cache it"


def test_a_question_asked_at_one_place_shows_its_source(shop: Shop) -> None:
    queries = [shops.query(shops.CONFIG, shop.context, at=n * 2 + 1, ms=1, rows=1) for n in range(2)]
    finding = replace(shops.many_queries(shop).findings[1], queries=queries)

    assert block(shop, finding)[1].startswith(
        '        shop/context.py:40 in theme            return {"theme": SiteConfig'
    )


def test_a_question_asked_at_many_places_names_three(shop: Shop) -> None:
    sites = [shop.place("shop/views.py", line, "order_list") for line in range(1, 7)]
    queries = [shops.query(shops.CONFIG, site, at=n * 2 + 1, ms=1, rows=1) for n, site in enumerate(sites)]
    finding = replace(shops.many_queries(shop).findings[1], queries=queries)

    wide, narrow = block(shop, finding, Terminal(120)), block(shop, finding, Terminal(80))

    assert wide[1].endswith(" shop/views.py:1, shop/views.py:2, shop/views.py:3 and 3 more")
    assert [line.split()[0] for line in narrow[1:4]] == ["shop/views.py:1", "shop/views.py:2", "shop/views.py:3"]
    assert narrow[4] == "        and 3 more"


def test_a_budget_shows_what_it_went_into(shop: Shop) -> None:
    profile = shops.many_queries(shop).profile
    (finding,) = Profiler(rules=[QueryBudget(max=50)]).report(profile).findings

    heading, *statements = block(shop, finding)

    assert heading.startswith("  OVER  54 queries, 4 over the budget of 50 ")
    assert [line.split()[-1] for line in statements] == ["50x", "2x", "1x"]


def test_a_message_and_its_cost_that_do_not_fit_together_lose_the_avoidable_part_first(
    shop: Shop, n_plus_one: Finding
) -> None:
    finding = replace(n_plus_one, message="50 queries for Order.customer, one for each row")

    assert block(shop, finding, Terminal(80))[0].endswith(" 47 ms  DBP101")


def test_a_message_too_long_for_its_line_goes_on_below(shop: Shop) -> None:
    message = "many words " * 14
    finding = Finding("DBP301", "large_result", Severity.WARNING, "SELECT t", message, 1)

    first, second = block(shop, finding, Terminal(100))

    assert first.startswith("  SHAPE many words ")
    assert " ".join(f"{first[8:-6].strip()} {second.strip()}".split()) == message.strip()


def test_a_code_of_no_known_family_stands_for_itself(shop: Shop) -> None:
    finding = Finding("X1", "own_rule", Severity.WARNING, "s", "something of our own", 1)

    assert block(shop, finding)[0].split()[0] == "X1"


def test_a_finding_without_place_statement_or_fix_is_its_heading(shop: Shop) -> None:
    finding = Finding(
        "DBP101", "n_plus_one", Severity.WARNING, "s", "50 queries", 50, statement=Statement.of("SELECT 1")
    )

    assert len(block(shop, finding)) == 2
    assert len(block(shop, replace(finding, statement=None))) == 1
