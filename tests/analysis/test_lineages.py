from dbprofile.analysis.grouping import analyse
from dbprofile.capture.provenance import Batch, Lineage, Provenance, Token
from tests.building import LOOP, MAIN, SERIALIZER, VIEW, lazy, origin_of, profile, read

ORDERS = "SELECT id, customer_id FROM orders"


def test_sibling_rows_that_load_one_relation_are_one_group() -> None:
    orders = read(ORDERS, rows=3, path=(VIEW, MAIN))
    loads = [lazy("Order.customer", parent, origin_of(orders)) for parent in "abc"]

    (group,) = analyse(profile(orders, *loads)).lineages

    assert group.queries == tuple(loads)
    assert group.count == 3
    assert group.origin is orders


def test_two_siblings_in_a_loop_are_a_group_already() -> None:
    orders = read(ORDERS, rows=2)
    loads = [lazy("Order.customer", parent, origin_of(orders)) for parent in "ab"]

    assert [group.count for group in analyse(profile(orders, *loads)).lineages] == [2]


def test_two_relations_written_out_on_two_lines_are_no_loop() -> None:
    orders = read(ORDERS, rows=2)
    loads = [
        lazy("Order.customer", "a", origin_of(orders), path=(LOOP, MAIN)),
        lazy("Order.customer", "b", origin_of(orders), path=(SERIALIZER, MAIN)),
    ]

    assert not analyse(profile(orders, *loads)).lineages


def test_one_row_with_several_relations_is_no_loop() -> None:
    order = read(ORDERS, rows=1)
    loads = [lazy(f"Order.{name}", "a", origin_of(order)) for name in ("customer", "shop", "invoice")]

    assert not analyse(profile(order, *loads)).lineages


def test_one_relation_read_at_two_places_is_one_group() -> None:
    orders = read(ORDERS, rows=4)
    loads = [
        lazy("Order.customer", parent, origin_of(orders), path=path)
        for parent, path in zip("abcd", [(LOOP, MAIN), (SERIALIZER, MAIN)] * 2, strict=True)
    ]

    assert [group.count for group in analyse(profile(orders, *loads)).lineages] == [4]


def test_rows_of_unknown_origin_need_three_at_one_place() -> None:
    def loads(number: int) -> list[int]:
        queries = [
            lazy("Order.customer", n, Lineage("U", "", path=(MAIN, LOOP)), path=(LOOP, MAIN)) for n in range(number)
        ]
        for number_of_parent, query in enumerate(queries):
            assert query.provenance is not None
            query.provenance.lineage = Lineage("U", str(number_of_parent)).child("R", "Order.customer")
        return [group.count for group in analyse(profile(*queries)).lineages]

    assert loads(2) == []
    assert loads(3) == [3]


def test_requests_inside_one_test_are_judged_apart() -> None:
    orders = read(ORDERS, rows=3)
    loads = [lazy("Order.customer", parent, origin_of(orders), unit=("request", parent)) for parent in "abc"]

    assert not analyse(profile(orders, *loads, kind="test")).lineages


def test_eager_loads_of_lazily_loaded_rows_follow_the_group_without_counting() -> None:
    orders = read(ORDERS, rows=3)
    loads = [lazy("Order.customer", parent, origin_of(orders)) for parent in "abc"]
    customers = origin_of(loads[0])
    prefetch = read("SELECT id FROM address WHERE customer_id IN (?)", (1,), role="eager")
    prefetch.provenance = Provenance(
        "eager", parent_lineage=customers, lineage=customers.child("P", "Customer.addresses"), path=(LOOP, MAIN)
    )

    (group,) = analyse(profile(orders, *loads, prefetch)).lineages

    assert group.count == 3
    assert group.followed == (prefetch,)


def test_a_poll_that_reloads_one_row_is_no_loop_over_rows() -> None:
    def poll(keys: list[int]) -> list[int]:
        lineage = Lineage("Q", ORDERS, path=(VIEW, MAIN))
        loads = [
            lazy("Order.customer", Token(key, Batch(lineage, number, digest=1)), lineage, path=(LOOP, MAIN))
            for number, key in enumerate(keys)
        ]
        return [group.count for group in analyse(profile(*loads)).lineages]

    assert poll([7, 7, 7, 7]) == []
    assert poll([7, 8, 9]) == [3]


def test_a_tree_walk_is_one_group_at_any_depth() -> None:
    root = read("SELECT id FROM node WHERE parent_id IS NULL", rows=1)
    children = [lazy("Node.children", n, origin_of(root), variant="recursive" if n else "") for n in range(5)]

    (group,) = analyse(profile(root, *children)).lineages

    assert len(group.queries) == 5
