"""Labels on rows: they follow the object, stay out of caches, and cost nothing where nobody listens."""

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from dbprofile import Profiler, record
from dbprofile_django.rows import label_of, token_of
from tests.integrations.django.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop")


class WithoutUs(pickle.Unpickler):
    """Loads as a process does in which dbprofile is not installed."""

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("dbprofile"):
            raise ModuleNotFoundError(module)
        return super().find_class(module, name)


def _pickled(thing: object) -> Any:
    return WithoutUs(io.BytesIO(pickle.dumps(thing))).load()


def labelled() -> list[Order]:
    with record("block", profiler=Profiler()):
        return list(Order.objects.select_related("customer__region"))


def test_rows_of_one_execution_have_one_label() -> None:
    first, second, *_ = labelled()
    assert label_of(first) is label_of(second) is not None


def test_joined_rows_have_a_label_of_their_own_by_the_relation() -> None:
    order = labelled()[0]
    own, customer, region = map(label_of, (order, order.customer, order.customer.region))
    assert own is not None
    assert customer is not None
    assert region is not None
    assert customer.lineage.parent is own.lineage
    assert (region.lineage.name, region.lineage.relation_kind) == ("Customer.region", "many_to_one")


def test_each_object_has_one_token() -> None:
    first, second, *_ = labelled()
    assert token_of(first) is token_of(first)
    assert token_of(first) is not token_of(second)


def test_an_object_loaded_outside_any_scope_has_no_label() -> None:
    assert label_of(Order.objects.all()[0]) is None


def test_an_object_keeps_its_label_when_it_is_refreshed() -> None:
    order = labelled()[0]
    label = label_of(order)
    with record("another block", profiler=Profiler()):
        order.refresh_from_db()
    assert label_of(order) is label


def test_a_pickled_object_has_no_label_and_names_nothing_of_ours() -> None:
    order = labelled()[0]
    token_of(order)
    pickled = pickle.dumps(order)
    assert b"dbprofile." not in pickled
    assert label_of(pickle.loads(pickled)) is None


def test_a_deep_copy_is_an_object_of_unknown_origin() -> None:
    order = labelled()[0]
    assert label_of(copy.deepcopy(order)) is None


def test_a_label_lives_longer_than_its_scope() -> None:
    orders = labelled()
    Customer.objects.count()
    with record("another block", profiler=Profiler()) as recording:
        for order in orders:
            assert order.payer is not None
    (finding,) = recording.findings
    assert finding.subject == "Order.payer"


def test_raw_rows_are_siblings_too() -> None:
    with record("block", profiler=Profiler()) as recording:
        for order in Order.objects.raw("SELECT id, customer_id FROM shop_order"):
            assert order.customer.name
    (finding,) = recording.findings
    assert finding.subject == "Order.customer"


def _items(orders: Any) -> list[list[str]]:
    return [sorted(line.item for line in order.lines.all()) for order in orders]


@pytest.mark.parametrize("copied", [_pickled, lambda orders: [copy.copy(order) for order in orders]])
@pytest.mark.parametrize("cached", [lambda orders: orders, list], ids=["queryset", "rows"])
def test_what_was_prefetched_goes_through_a_cache(cached: Callable[[Any], Any], copied: Callable[[Any], Any]) -> None:
    with record("filling", profiler=Profiler()) as filling:
        orders = Order.objects.order_by("pk").prefetch_related("lines")
        fetched = _items(orders)
        kept = copied(cached(orders))
        related = copied(orders[0].lines.all())
    with record("reading", profiler=Profiler()) as reading:
        assert _items(kept) == fetched
        assert len(related) == 2
    assert (filling.query_count, reading.query_count) == (2, 0)
    assert not filling.findings


def test_rows_out_of_a_cache_are_a_loop_as_others_are() -> None:
    with record("filling", profiler=Profiler()):
        kept = pickle.dumps(list(Order.objects.order_by("pk")))
    with record("reading", profiler=Profiler()) as reading:
        _items(pickle.loads(kept))
    (finding,) = reading.findings
    assert (finding.code, finding.subject, finding.count) == ("DBP101", "Order.lines", 5)
