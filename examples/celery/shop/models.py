"""Customers and their orders."""

from pathlib import Path

from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, sessionmaker

FOLDER = Path(__file__).resolve().parent.parent

engine = create_engine(f"sqlite:///{FOLDER / 'shop.sqlite3'}")
new_session = sessionmaker(engine)


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


def fill() -> None:
    """Make the tables, and 20 orders of 20 customers, unless they are there."""
    Base.metadata.create_all(engine)
    with new_session.begin() as session:
        if session.scalar(select(Order.id).limit(1)) is None:
            session.add_all(Order(customer=Customer(name=f"Customer {number}")) for number in range(1, 21))
