"""What only looks like a loop: no N+1, no loop."""

from collections.abc import Callable

import pytest
from django.db.models import Prefetch

from dbprofile import Report
from tests.integrations.django.conftest import Judge
from tests.integrations.django.shop.models import Customer, Line, Order, Profile, Region, fill

pytestmark = pytest.mark.usefixtures("shop")

LOOPS = {"DBP101", "DBP102", "DBP121"}


def no_loops(report: Report) -> None:
    assert report.profile.query_count > 0
    assert [finding.message for finding in report.findings if finding.code in LOOPS] == []


def _joined() -> None:
    for order in Order.objects.select_related("customer__region", "payer"):
        assert order.customer.region.name
        assert order.payer.name


def _prefetched() -> None:
    for order in Order.objects.prefetch_related("lines", "tags", "customer"):
        assert len(order.lines.all()) == 2
        assert order.tags.count() == 1
        assert order.lines.exists()
        assert order.customer.name


def _chunks() -> None:
    for order in Order.objects.prefetch_related("lines").iterator(chunk_size=2):
        assert len(order.lines.all()) == 2


def _two_relations_to_one_table() -> None:
    for order in Order.objects.prefetch_related("customer", "payer"):
        assert order.customer == order.payer


def _kept_under_a_name() -> None:
    for order in Order.objects.prefetch_related(
        Prefetch("lines", Line.objects.filter(item="Item 1"), to_attr="firsts")
    ):
        assert len(order.firsts) == 1


def _three_gets_on_three_lines() -> None:
    first, second, third = Order.objects.values_list("pk", flat=True)[:3]
    Order.objects.get(pk=first)
    Order.objects.get(pk=second)
    Order.objects.get(pk=third)


def _two_gets_on_one_line() -> None:
    first, second = Order.objects.values_list("pk", flat=True)[:2]
    assert [Order.objects.get(pk=first), Order.objects.get(pk=second)]


def _one_function_called_from_two_places() -> None:
    first, second = Order.objects.values_list("pk", flat=True)[:2]

    def load(key: int) -> object:
        return Order.objects.get(pk=key)

    load(first)
    load(second)


def _several_relations_of_one_row() -> None:
    order = Order.objects.get(note="Note 1")
    assert order.customer.region.name
    assert order.payer.name
    assert order.lines.count() == 2
    assert order.tags.count() == 1


def _one_relation_of_the_first_row_of_a_list() -> None:
    orders = list(Order.objects.all())
    assert orders[0].customer.name


def _two_rows_read_by_one_function_from_two_lines() -> None:
    def read(order: Order) -> None:
        assert order.customer.name

    first, second = Order.objects.all()[:2]
    read(first)
    read(second)


def _two_joined_children_of_one_row() -> None:
    order = Order.objects.select_related("customer", "payer").get(note="Note 1")
    assert order.customer.region.name
    assert order.payer.region.name


def _known_objects() -> None:
    customer = Customer.objects.get(name="Customer 1")
    for order in customer.orders.all():
        assert order.customer.name


def _null_keys() -> None:
    Order.objects.update(payer=None)
    for order in Order.objects.all():
        assert order.payer is None


def _objects_made_here() -> None:
    first = Order.objects.create(customer_id=Customer.objects.get(name="Customer 1").pk)
    second = Order.objects.create(customer_id=Customer.objects.get(name="Customer 2").pk)
    assert first.customer.name
    assert second.customer.name


def _pages() -> None:
    for start in range(0, 5, 2):
        list(Order.objects.order_by("pk")[start : start + 2])


def _keyset() -> None:
    last = 0
    while page := list(Order.objects.filter(pk__gt=last).order_by("pk")[:2]):
        last = page[-1].pk


def _bulk() -> None:
    Region.objects.bulk_create((Region(name=f"Region {number}") for number in range(10)), batch_size=2)


def _cascade() -> None:
    Customer.objects.get(name="Customer 1").delete()


BLOCKS = [
    _joined,
    _prefetched,
    _chunks,
    _two_relations_to_one_table,
    _kept_under_a_name,
    _three_gets_on_three_lines,
    _two_gets_on_one_line,
    _one_function_called_from_two_places,
    _several_relations_of_one_row,
    _one_relation_of_the_first_row_of_a_list,
    _two_rows_read_by_one_function_from_two_lines,
    _two_joined_children_of_one_row,
    _known_objects,
    _null_keys,
    _objects_made_here,
    _pages,
    _keyset,
    _bulk,
    _cascade,
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.__name__.strip("_"))
def test_no_loop_is_seen_where_there_is_none(judge: Judge, block: Callable[[], object]) -> None:
    no_loops(judge(block))


def test_siblings_that_are_joined_under_two_names_are_told_apart(judge: Judge) -> None:
    fill(1)

    def block() -> None:
        (order,) = Order.objects.select_related("customer", "payer")
        for customer in (order.customer, order.payer):
            assert customer.region.name

    no_loops(judge(block))


def test_two_lists_prefetched_at_different_lines(judge: Judge) -> None:
    def block() -> None:
        list(Customer.objects.prefetch_related("orders"))
        list(Customer.objects.prefetch_related("orders"))

    no_loops(judge(block))


def test_one_relation_of_two_rows_that_are_loaded_singly(judge: Judge) -> None:
    def block() -> None:
        first = Profile.objects.get(motto="Motto 1")
        second = Profile.objects.get(motto="Motto 2")
        assert first.customer.name
        assert second.customer.name

    no_loops(judge(block))
