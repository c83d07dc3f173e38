from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import selectinload
from sqlalchemy.pool import StaticPool

from shop.models import Order

engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
async_session = async_sessionmaker(engine)
app = FastAPI()


@app.get("/orders")
async def orders() -> list[str]:
    async with async_session() as session:
        found = await session.scalars(select(Order).options(selectinload(Order.customer)))
        return [order.customer.name for order in found]
