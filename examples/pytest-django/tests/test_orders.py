import pytest
from shop.models import Customer, Order

from dbprofile.testing import at_most
from tests.factories import OrderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer():
    return Customer.objects.create(name="Ada")


def test_order_list(client, assert_queries):
    OrderFactory.create_batch(3)
    with assert_queries(2, nplusone=False):
        client.get("/orders/")


@pytest.mark.queries(select=at_most(4), insert=1, tables={Order: at_most(2), "django_session": 0})
def test_checkout(customer, client):
    client.post("/checkout/", {"product": 1})


def test_order_list_is_constant(client, query_scale):
    for n in query_scale(2, 5):  # rows to add: 2 (warm-up), 0 (baseline), 3
        OrderFactory.create_batch(n)
        with query_scale:
            client.get("/orders/")
