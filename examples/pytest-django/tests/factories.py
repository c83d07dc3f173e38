from shop.models import Customer, Order


class OrderFactory:
    """Stands for a factory of factory_boy."""

    @classmethod
    def create_batch(cls, size: int) -> list[Order]:
        return [Order.objects.create(customer=Customer.objects.create(name=f"c{number}")) for number in range(size)]
