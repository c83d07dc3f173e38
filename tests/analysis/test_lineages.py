from dbprofile.analysis.grouping import analyse
from dbprofile.capture.callsite import Path
from dbprofile.capture.provenance import Batch, Lineage, Provenance, Token
from dbprofile.capture.query import Query
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


# --- the origin ------------------------------------------------------------------------------------------------------


def unlabelled(number: int, path: Path = (LOOP, MAIN), variant: str = "") -> list[Query]:
    """Loads of one relation by rows of unknown origin, each with a lineage of its own."""
    return [
        lazy("Order.customer", n, Lineage("U", str(n), path=path), path=path, variant=variant) for n in range(number)
    ]


def listed(rows: int, model: str = "Order") -> Query:
    query = read(ORDERS, rows=rows, path=(VIEW, MAIN))
    assert query.provenance is not None
    query.provenance.model = model
    return query


def test_the_origin_of_unlabelled_rows_is_the_nearest_earlier_query_of_as_many_rows_of_their_model() -> None:
    first, nearest, fewer, others = listed(3), listed(3), listed(2), listed(3, "Shop")
    loads = unlabelled(3)

    (group,) = analyse(profile(first, nearest, fewer, others, *loads, listed(3))).lineages

    assert group.origin is nearest


def test_where_nothing_fits_the_origin_is_not_guessed() -> None:
    for beside in ([listed(4)], [listed(3, "Shop")], [listed(3, "")], []):
        (group,) = analyse(profile(*beside, *unlabelled(3))).lineages
        assert group.origin is None


def test_the_origin_of_labelled_rows_is_their_query_and_none_that_is_like_it() -> None:
    other, orders = read(ORDERS, rows=3, path=(LOOP, MAIN)), read(ORDERS, rows=3, path=(VIEW, MAIN))
    loads = [lazy("Order.customer", parent, origin_of(orders)) for parent in "abc"]

    assert [group.origin for group in analyse(profile(other, orders, *loads)).lineages] == [orders]
    assert [group.origin for group in analyse(profile(other, *loads)).lineages] == [None]


# --- what is bound by relation and path ------------------------------------------------------------------------------


def counts(*queries: Query) -> list[int]:
    return [group.count for group in analyse(profile(*queries)).lineages]


def test_without_a_path_five_rows_of_unknown_origin_are_needed_and_the_group_is_uncertain() -> None:
    assert counts(*unlabelled(4, path=())) == []
    (group,) = analyse(profile(*unlabelled(5, path=()))).lineages
    assert not group.certain


def test_recursive_loads_are_not_bound_by_their_place_alone() -> None:
    assert counts(*unlabelled(4, variant="recursive")) == []


def test_a_tree_of_two_levels_and_one_row_each_is_written_out() -> None:
    root = read("SELECT id FROM node WHERE parent_id IS NULL", rows=1)
    children = [lazy("Node.children", n, origin_of(root), variant="recursive" if n else "") for n in range(2)]

    assert counts(root, *children) == []


def test_a_walk_that_turns_recursive_is_recursive() -> None:
    root = read("SELECT id FROM node WHERE parent_id IS NULL", rows=1)
    children = [lazy("Node.children", n, origin_of(root), variant="recursive" if n else "") for n in range(3)]

    assert [group.variant for group in analyse(profile(root, *children)).lineages] == ["recursive"]


def test_pages_that_one_loop_reads_are_one_group() -> None:
    pages = [read(f"{ORDERS} LIMIT 2 OFFSET {n}", rows=2, path=((VIEW, SERIALIZER)[n], MAIN)) for n in range(2)]
    loads = [lazy("Order.customer", f"{n}{row}", origin_of(page)) for n, page in enumerate(pages) for row in "ab"]

    assert counts(*pages, *loads) == [4]


def test_two_relations_that_one_line_reads_are_two_groups() -> None:
    orders = read(ORDERS, rows=2)
    loads = [lazy(f"Order.{name}", parent, origin_of(orders)) for parent in "ab" for name in ("customer", "shop")]

    assert counts(orders, *loads) == [2, 2]


def test_what_loads_no_relation_is_bound_by_nothing_but_its_lineage() -> None:
    loads = unlabelled(4)
    for load in loads:
        assert load.provenance is not None
        load.provenance.relation = None

    assert counts(*loads) == []


def test_lazy_loads_without_a_lineage_are_bound_by_their_place() -> None:
    loads = unlabelled(3)
    for load in loads:
        assert load.provenance is not None
        load.provenance.lineage = load.provenance.parent_lineage = None

    assert counts(*loads) == [3]
