"""Fills the shop: 50 customers with an open order each, and a thousand payments or so."""

from decimal import Decimal

from django.db import transaction

from shop.models import Customer, Order, Payment, SiteConfig

CUSTOMERS = 50
PAYMENTS = 1_200


@transaction.atomic
def fill() -> None:
    """Make the data, unless it is there."""
    if Customer.objects.exists():
        return
    SiteConfig.objects.create(key="name", value="The shop")
    customers = Customer.objects.bulk_create(Customer(name=f"Customer {number}") for number in range(1, CUSTOMERS + 1))
    orders = Order.objects.bulk_create(Order(customer=customer, total=Decimal(10)) for customer in customers)
    Payment.objects.bulk_create(
        Payment(
            order=orders[number % CUSTOMERS], amount=Decimal(number % 90 + 10), reference=f"{number * 7919 % 10_007:05}"
        )
        for number in range(PAYMENTS)
    )
