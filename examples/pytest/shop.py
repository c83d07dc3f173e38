"""A shop of two pages: one loads the customers with their orders, one loads them one by one."""

from sqlalchemy import Engine, ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    customer: Mapped[Customer] = relationship()


def open_shop() -> Engine:
    """An engine of an empty database in memory."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    Base.metadata.create_all(engine)
    return engine


def order_list(engine: Engine) -> list[str]:
    with Session(engine) as session:
        orders = session.scalars(select(Order).options(joinedload(Order.customer)).order_by(Order.id))
        return [f"{order.id}: {order.customer.name}" for order in orders]


def packing_list(engine: Engine) -> list[str]:
    lines = []
    with Session(engine) as session:
        for order in session.scalars(select(Order).order_by(Order.id)):
            lines.append(f"{order.customer.name} gets {order.id}")  # noqa: PERF401 - a loop as people write it
    return lines
