from django.test import TestCase

from dbprofile.testing import QueryAssertions
from tests.factories import OrderFactory


class OrderTests(QueryAssertions, TestCase):
    def test_list(self):
        with self.assertQueries(max=2):
            self.client.get("/orders/")

    def test_list_is_constant(self):
        self.assertConstantQueries(make=lambda n: OrderFactory.create_batch(n), run=lambda: self.client.get("/orders/"))
