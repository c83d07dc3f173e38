"""Fills the shop: 50 customers with an open order each, and two thousand payments."""

from sqlalchemy import select

from shop.models import Base, Customer, Order, Payment, SiteConfig, engine, new_session

CUSTOMERS = 50
PAYMENTS = 2_000


async def fill() -> None:
    """Make the tables and the data, unless they are there."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with new_session.begin() as session:
        if await session.scalar(select(Customer.id).limit(1)) is not None:
            return
        session.add(SiteConfig(key="name", value="The shop"))
        orders = [Order(customer=Customer(name=f"Customer {number}"), total=10) for number in range(1, CUSTOMERS + 1)]
        session.add_all(orders)
        await session.flush()
        session.add_all(
            Payment(
                order_id=orders[number % CUSTOMERS].id, amount=number % 90, reference=f"{number * 7919 % 10_007:05}"
            )
            for number in range(PAYMENTS)
        )
