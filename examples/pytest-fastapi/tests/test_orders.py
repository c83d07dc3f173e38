import httpx
import pytest
from shop.api import app, async_session
from shop.models import Customer, Order


@pytest.fixture
async def async_client():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        yield client


async def make_orders(n):
    async with async_session() as session:
        session.add_all([Order(customer=Customer(name=f"c{i}")) for i in range(n)])
        await session.commit()


async def test_orders(async_client, assert_queries):
    await make_orders(3)
    async with assert_queries(select=2):
        await async_client.get("/orders")


async def test_orders_constant(async_client, query_scale):
    for n in query_scale(2, 5):
        await make_orders(n)
        with query_scale:
            await async_client.get("/orders")
