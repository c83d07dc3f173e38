"""The pages of the shop. ``order_list`` has two planted faults, ``cured_order_list`` shows them cured."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, joinedload

import dbprofile_asgi
import dbprofile_sqlalchemy
from shop.models import Customer, Order, Payment, SiteConfig, engine, new_session
from shop.stock import fill


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    await fill()
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)

dbprofile_sqlalchemy.install()  # the two lines that turn dbprofile on
app.add_middleware(dbprofile_asgi.ProfileMiddleware)


async def session_of_request() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


InSession = Annotated[AsyncSession, Depends(session_of_request)]


async def shop_name(session: AsyncSession) -> str | None:
    return await session.scalar(select(SiteConfig.value).where(SiteConfig.key == "name"))


async def banner(session: AsyncSession) -> str:
    name = await session.scalar(select(SiteConfig.value).where(SiteConfig.key == "name"))
    return f"Welcome to {name}"


@app.get("/")
async def home(session: InSession) -> dict[str, Any]:
    newest = (await session.scalars(select(Order).order_by(Order.id.desc()).limit(10))).all()
    customers = await session.scalar(select(func.count(Customer.id)))
    return {"name": await shop_name(session), "customers": customers, "newest": [order.id for order in newest]}


async def order_rows(orders: Sequence[Order]) -> list[dict[str, Any]]:
    rows = []
    for order in orders:
        customer = await order.awaitable_attrs.customer
        rows.append({"order": order.id, "customer": customer.name, "total": order.total})
    return rows


@app.get("/orders/")
async def order_list(session: InSession) -> dict[str, Any]:
    orders = (await session.scalars(select(Order).where(Order.open))).all()
    number = await session.scalar(select(func.count(Order.id)))
    head = {"name": await shop_name(session), "banner": await banner(session), "number": number}
    return head | {"orders": await order_rows(orders)}


@app.get("/orders/cured/")
async def cured_order_list(session: InSession) -> dict[str, Any]:
    orders = (await session.scalars(select(Order).where(Order.open).options(joinedload(Order.customer)))).all()
    number = await session.scalar(select(func.count(Order.id)))
    head = {"name": await shop_name(session), "banner": await banner(session), "number": number}
    return head | {"orders": await order_rows(orders)}


@app.get("/reports/sales/")
async def sales(session: InSession) -> dict[str, int | None]:
    """The sum of payments whose reference no other payment has: nothing indexes the reference."""
    other = aliased(Payment)
    twice = select(other.id).where(other.reference.endswith(Payment.reference), other.id != Payment.id).exists()
    return {"total": await session.scalar(select(func.sum(Payment.amount)).where(~twice))}
