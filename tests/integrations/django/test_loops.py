"""Loops in which no relation is known: the operation, the place, the advice."""

import asyncio
from collections.abc import Callable

import pytest
from asgiref.sync import sync_to_async

from dbprofile import Finding, Profiler, record
from tests.integrations.django.conftest import Judge
from tests.integrations.django.shop.models import Customer, Order

pytestmark = pytest.mark.usefixtures("shop")


def the_loop(judge: Judge, block: Callable[[], object]) -> Finding:
    (finding,) = judge(block).findings
    assert finding.code == "DBP102"
    return finding


def keys() -> list[int]:
    return list(Order.objects.order_by("pk").values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("ask", "operation", "advice"),
    [
        (lambda key: Order.objects.get(pk=key), "get", "in_bulk"),
        (lambda key: Order.objects.filter(pk=key).first(), "first", "__in"),
        (lambda key: Order.objects.filter(pk=key).exists(), "exists", "__in"),
        (lambda key: Order.objects.filter(customer=key).count(), "count", "annotate"),
        (lambda key: list(Order.objects.filter(customer=key).values("pk")), "all", "__in"),
    ],
    ids=["get", "first", "exists", "count", "values"],
)
def test_a_question_for_each_key(judge: Judge, ask: Callable[[int], object], operation: str, advice: str) -> None:
    wanted = keys()
    finding = the_loop(judge, lambda: [ask(key) for key in wanted])
    assert (finding.count, finding.operation) == (5, operation)
    assert finding.fix is not None
    assert advice in finding.fix.text
    assert not finding.fix.certain


def test_a_function_called_in_a_loop(judge: Judge) -> None:
    def load(key: int) -> object:
        return Order.objects.get(pk=key)

    wanted = keys()
    finding = the_loop(judge, lambda: list(map(load, wanted)))
    assert finding.trigger is not None
    assert finding.trigger.function.endswith("load")


def test_the_relation_of_rows_that_were_got_one_by_one_is_a_finding_of_its_own(judge: Judge) -> None:
    wanted = keys()

    def block() -> None:
        for key in wanted:
            assert Order.objects.get(pk=key).customer.name

    codes = {finding.code: finding.subject for finding in judge(block).findings}
    assert set(codes) == {"DBP101", "DBP102"}
    assert codes["DBP101"] == "Order.customer"


async def test_a_loop_of_coroutines_has_the_line_that_awaits() -> None:
    wanted = await sync_to_async(keys)()
    with record("block", profiler=Profiler()) as recording:
        for key in wanted:
            await Order.objects.aget(pk=key)
    (finding,) = recording.findings
    assert finding.code == "DBP102"
    assert finding.trigger is not None
    assert finding.trigger.function == "test_a_loop_of_coroutines_has_the_line_that_awaits"


async def test_what_a_thread_does_for_a_coroutine_is_seen() -> None:
    def names() -> list[str]:
        return [order.customer.name for order in Order.objects.all()]

    with record("block", profiler=Profiler()) as recording:
        await sync_to_async(names, thread_sensitive=True)()
    (finding,) = recording.findings
    assert finding.subject == "Order.customer"
    functions = [site.function.rpartition(".")[2] for site in (finding.trigger, *finding.callers) if site is not None]
    assert "test_what_a_thread_does_for_a_coroutine_is_seen" in functions


async def test_gathered_coroutines_are_counted_each_and_are_no_loop() -> None:
    first, second, *_ = await sync_to_async(keys)()
    with record("block", profiler=Profiler()) as recording:
        await asyncio.gather(Order.objects.aget(pk=first), Customer.objects.acount(), Order.objects.aget(pk=second))
    assert recording.query_count == 3
    assert recording.findings == ()


async def test_an_asynchronous_iteration_labels_its_rows() -> None:
    with record("block", profiler=Profiler()) as recording:
        orders = [order async for order in Order.objects.all()]

        def visit() -> None:
            for order in orders:
                assert order.customer.name

        await sync_to_async(visit)()
    (finding,) = recording.findings
    assert finding.subject == "Order.customer"
