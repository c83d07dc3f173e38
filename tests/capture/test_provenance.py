import pickle

from dbprofile.capture.provenance import LINEAGE_DEPTH, Batch, Lineage, Token
from tests.building import MAIN, VIEW


def test_the_same_relation_of_the_same_rows_is_the_same_lineage() -> None:
    orders = Lineage("Q", "SELECT 1", path=(VIEW, MAIN))

    assert orders.child("R", "Order.customer") is orders.child("R", "Order.customer")
    assert orders.child("R", "Order.customer") is not orders.child("P", "Order.customer")


def test_a_chain_names_its_relations_and_its_origin() -> None:
    orders = Lineage("Q", "SELECT 1", path=(VIEW, MAIN))
    regions = orders.child("S", "Order.customer").child("R", "Customer.region")

    assert [link.name for link in regions.chain] == ["Order.customer", "Customer.region"]
    assert regions.origin == VIEW
    assert regions.ancestor("S", "Order.customer") is regions.parent


def test_a_lineage_has_a_deepest_link() -> None:
    link = Lineage("Q", "SELECT 1")
    for number in range(LINEAGE_DEPTH + 5):
        link = link.child("R", f"Node.child{number}")

    assert link.depth == LINEAGE_DEPTH


def test_labels_pickle_as_nothing() -> None:
    batch = Batch(Lineage("Q", "SELECT 1"), 1)

    assert pickle.loads(pickle.dumps({"batch": batch, "token": Token(1, batch)})) == {"batch": None, "token": None}


def test_a_lineage_shows_no_literal() -> None:
    assert "secret" not in repr(Lineage("Q", "SELECT 'secret'").child("R", "Order.customer"))
