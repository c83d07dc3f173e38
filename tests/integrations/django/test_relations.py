"""Loads that each of several rows sends for one relation: which relation, where, and that the fix cures it at any size."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest

from dbprofile import Finding, Severity
from tests.integrations.django.conftest import Judge
from tests.integrations.django.shop import models
from tests.integrations.django.shop.models import Category, Customer, Order, Profile, Tag, fill

pytestmark = pytest.mark.usefixtures("shop")


def n_plus_ones(judge: Judge, block: Callable[[], object]) -> list[Finding]:
    return [finding for finding in judge(block).findings if finding.code == "DBP101"]


def the_n_plus_one(judge: Judge, block: Callable[[], object]) -> Finding:
    (finding,) = n_plus_ones(judge, block)
    return finding


def cured(judge: Judge, finding: Finding, visit: Callable[[Any], object]) -> tuple[int, int]:
    """Queries of a visit to the rows of the fix's expression, with two parents and with five."""
    assert finding.fix is not None
    counts = []
    for parents in (2, 5):
        fill(parents)
        rows = eval(finding.fix.text, vars(models))
        counts.append(judge(partial(visit, rows)).profile.query_count)
    return counts[0], counts[1]


def test_a_foreign_key_of_each_row(judge: Judge) -> None:
    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert order.customer.name

    finding = the_n_plus_one(judge, lambda: visit(Order.objects.order_by("pk")))
    assert (finding.subject, finding.relation_kind, finding.count) == ("Order.customer", "many_to_one", 5)
    assert finding.fix is not None
    assert finding.fix.text == 'Order.objects.order_by("pk").select_related("customer")'
    assert finding.fix.certain
    assert finding.fix.leaves == 0
    assert finding.trigger is not None
    assert finding.trigger.function.endswith("visit")
    assert cured(judge, finding, visit) == (1, 1)


def test_the_rows_behind_a_foreign_key_of_each_row(judge: Judge) -> None:
    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert len(order.lines.all()) == 2

    finding = the_n_plus_one(judge, lambda: visit(Order.objects.all()))
    assert (finding.subject, finding.relation_kind, finding.operation) == ("Order.lines", "one_to_many", "all")
    assert finding.fix is not None
    assert finding.fix.text == 'Order.objects.all().prefetch_related("lines")'
    assert finding.fix.leaves == 1
    assert cured(judge, finding, visit) == (2, 2)


def test_a_one_to_one_backwards_is_joined_and_not_prefetched(judge: Judge) -> None:
    def visit(customers: Iterable[Customer]) -> None:
        for customer in customers:
            assert customer.profile.motto

    finding = the_n_plus_one(judge, lambda: visit(Customer.objects.all()))
    assert (finding.subject, finding.relation_kind) == ("Customer.profile", "reverse_one_to_one")
    assert finding.fix is not None
    assert finding.fix.expression == '.select_related("profile")'
    assert cured(judge, finding, visit) == (1, 1)


def test_a_one_to_one_forwards(judge: Judge) -> None:
    def visit(profiles: Iterable[Profile]) -> None:
        for profile in profiles:
            assert profile.customer.name

    finding = the_n_plus_one(judge, lambda: visit(Profile.objects.all()))
    assert (finding.subject, finding.relation_kind) == ("Profile.customer", "one_to_one")
    assert cured(judge, finding, visit) == (1, 1)


def test_a_many_to_many_from_either_side_has_its_direction(judge: Judge) -> None:
    def visit_orders(orders: Iterable[Order]) -> None:
        for order in orders:
            assert list(order.tags.all())

    def visit_tags(tags: Iterable[Tag]) -> None:
        for tag in tags:
            assert list(tag.orders.all())

    forwards = the_n_plus_one(judge, lambda: visit_orders(Order.objects.all()))
    backwards = the_n_plus_one(judge, lambda: visit_tags(Tag.objects.all()))
    assert (forwards.subject, backwards.subject) == ("Order.tags", "Tag.orders")
    assert {forwards.relation_kind, backwards.relation_kind} == {"many_to_many"}
    assert cured(judge, forwards, visit_orders) == (2, 2)
    assert cured(judge, backwards, visit_tags) == (2, 2)


def test_the_line_of_a_property_and_its_caller(judge: Judge) -> None:
    def visit(customers: Iterable[Customer]) -> None:
        for customer in customers:
            assert customer.region_name

    finding = the_n_plus_one(judge, lambda: visit(Customer.objects.all()))
    assert finding.subject == "Customer.region"
    assert finding.trigger is not None
    assert finding.trigger.function == "Customer.region_name"
    assert finding.callers[0].function.endswith("visit")
    assert cured(judge, finding, visit) == (1, 1)


def test_what_is_joined_already_is_replaced_by_the_longer_way(judge: Judge) -> None:
    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert order.customer.region.name

    finding = the_n_plus_one(judge, lambda: visit(Order.objects.select_related("customer")))
    assert finding.subject == "Customer.region"
    assert finding.fix is not None
    assert finding.fix.text == 'Order.objects.select_related("customer__region")'
    assert finding.fix.kind == "replace"
    assert cured(judge, finding, visit) == (1, 1)


def test_a_chain_of_lazy_loads_is_one_finding_for_each_of_its_relations(judge: Judge) -> None:
    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert order.customer.region.name

    findings = n_plus_ones(judge, lambda: visit(Order.objects.all()))
    assert {finding.subject for finding in findings} == {"Order.customer", "Customer.region"}
    deepest = next(finding for finding in findings if finding.subject == "Customer.region")
    assert deepest.fix is not None
    assert deepest.fix.expression == '.select_related("customer__region")'
    assert cured(judge, deepest, visit) == (1, 1)


def test_a_relation_read_by_two_functions_is_one_finding(judge: Judge) -> None:
    def header(order: Order) -> str:
        name: str = order.customer.name
        return name

    def footer(order: Order) -> str:
        name: str = order.customer.name
        return name

    def visit(orders: Iterable[Order]) -> None:
        for number, order in enumerate(orders):
            assert (header if number % 2 else footer)(order)

    finding = the_n_plus_one(judge, lambda: visit(Order.objects.all()))
    assert finding.count == 5
    assert cured(judge, finding, visit) == (1, 1)


def test_two_rows_are_enough_and_only_worth_a_note(judge: Judge) -> None:
    fill(2)

    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert order.customer.name

    finding = the_n_plus_one(judge, lambda: visit(Order.objects.all()))
    assert (finding.count, finding.severity) == (2, Severity.INFO)


def test_rows_behind_a_joined_row_are_prefetched_through_it(judge: Judge) -> None:
    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert list(order.customer.orders.all())

    finding = the_n_plus_one(judge, lambda: visit(Order.objects.select_related("customer")))
    assert finding.subject == "Customer.orders"
    assert finding.fix is not None
    assert finding.fix.text == 'Order.objects.select_related("customer").prefetch_related("customer__orders")'
    assert cured(judge, finding, visit) == (2, 2)


def test_a_relation_of_prefetched_rows_is_prefetched_along(judge: Judge) -> None:
    def visit(customers: Iterable[Customer]) -> None:
        for customer in customers:
            for order in customer.orders.all():
                assert order.payer is not None

    finding = the_n_plus_one(judge, lambda: visit(Customer.objects.prefetch_related("orders")))
    assert finding.subject == "Order.payer"
    assert finding.fix is not None
    assert finding.fix.expression == '.prefetch_related("orders__payer")'
    assert cured(judge, finding, visit) == (3, 3)


def test_missing_rows_count_too(judge: Judge) -> None:
    Profile.objects.all().delete()

    def visit(customers: Iterable[Customer]) -> None:
        for customer in customers:
            assert not hasattr(customer, "profile")

    assert the_n_plus_one(judge, lambda: visit(Customer.objects.all())).subject == "Customer.profile"


@pytest.mark.parametrize(
    ("ask", "operation", "advice"),
    [
        (lambda order: order.lines.count(), "count", "annotate(lines_count=Count("),
        (lambda order: order.lines.exists(), "exists", "Exists("),
        (lambda order: order.tags.count(), "count", "annotate(tags_count=Count("),
        (lambda order: order.lines.first(), "first", "Prefetch("),
        (lambda order: list(order.lines.filter(item="Item 1")), "filter", "Prefetch("),
        (lambda order: list(order.lines.order_by("-pk")), "filter", "Prefetch("),
        (lambda order: list(order.lines.all()[:1]), "slice", "Prefetch("),
        (lambda order: list(order.lines.values_list("item")), "values", "prefetch_related("),
    ],
    ids=["count", "exists", "count of many-to-many", "first", "filter", "order_by", "slice", "values_list"],
)
def test_what_a_prefetch_does_not_answer_gets_other_advice_to_try(
    judge: Judge, ask: Callable[[Order], object], operation: str, advice: str
) -> None:
    def block() -> None:
        for order in Order.objects.all():
            ask(order)

    finding = the_n_plus_one(judge, block)
    assert finding.operation == operation
    assert finding.relation in {"Order.lines", "Order.tags"}
    assert finding.fix is not None
    assert advice in finding.fix.text
    assert not finding.fix.certain


def test_a_deferred_column(judge: Judge) -> None:
    def block() -> None:
        for order in Order.objects.defer("note"):
            assert order.note

    finding = the_n_plus_one(judge, block)
    assert (finding.subject, finding.variant) == ("Order.note", "deferred")


def test_a_refresh_of_each_row(judge: Judge) -> None:
    def block() -> None:
        for order in Order.objects.all():
            order.refresh_from_db()

    assert the_n_plus_one(judge, block).variant == "refresh"


def test_a_tree_walk_is_one_recursive_finding(judge: Judge) -> None:
    root = Category.objects.create(name="root")
    for number in range(3):
        child = Category.objects.create(name=f"child {number}", parent=root)
        for leaf in range(2):
            Category.objects.create(name=f"leaf {leaf}", parent=child)

    def walk(category: Category) -> int:
        return 1 + sum(walk(child) for child in category.children.all())

    def block() -> None:
        (top,) = Category.objects.filter(parent=None)
        assert walk(top) == 10

    finding = the_n_plus_one(judge, block)
    assert finding.subject == "Category.children"


def test_single_gets_before_do_not_hide_the_loop(judge: Judge) -> None:
    first, second = (order.pk for order in Order.objects.all()[:2])

    def block() -> None:
        assert Order.objects.get(pk=first).customer.name
        assert Order.objects.get(pk=second).customer.name
        for order in Order.objects.all():
            assert order.customer.name

    (finding,) = (found for found in n_plus_ones(judge, block) if found.count == 5)
    assert finding.subject == "Order.customer"


def test_a_manager_of_another_name_is_found_in_the_source(judge: Judge) -> None:
    def visit(orders: Iterable[Order]) -> None:
        for order in orders:
            assert order.customer.name

    finding = the_n_plus_one(judge, lambda: visit(Order.unpaid.all()))
    assert finding.fix is not None
    assert finding.fix.text == 'Order.unpaid.all().select_related("customer")'
    assert cured(judge, finding, visit) == (1, 1)


def test_two_expressions_in_one_function_make_the_fix_a_guess(judge: Judge) -> None:
    def block() -> None:
        some = Order.objects.filter(open=True)
        others = Order.objects.filter(open=False)
        for rows in (some, others):
            for order in rows:
                assert order.customer.name

    finding = the_n_plus_one(judge, block)
    assert finding.fix is not None
    assert not finding.fix.certain
    assert finding.fix.expression == '.select_related("customer")'


def test_the_place_of_the_fix_is_where_the_queryset_is_written(judge: Judge) -> None:
    def block() -> None:
        orders = Order.objects.filter(
            open=True,
        )
        line = block.__code__.co_firstlineno + 1
        for order in orders:
            assert order.customer.name
        assert line

    finding = the_n_plus_one(judge, block)
    assert finding.fix is not None
    assert finding.fix.place is not None
    assert finding.fix.place.line == block.__code__.co_firstlineno + 1
    assert finding.fix.text == 'Order.objects.filter(open=True).select_related("customer")'
