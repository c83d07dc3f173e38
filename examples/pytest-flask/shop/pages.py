from flask import Flask
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import joinedload, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

from shop.models import Base, Customer, Order

engine = create_engine("sqlite://", poolclass=StaticPool)
session = scoped_session(sessionmaker(engine))


def create_app() -> Flask:
    Base.metadata.create_all(engine)
    app = Flask(__name__)

    @app.get("/orders")
    def orders() -> str:
        found = session.scalars(select(Order).options(joinedload(Order.customer)))
        return ", ".join(f"{order.id}: {order.customer.name}" for order in found)

    @app.get("/report")
    def report() -> str:
        of_each = select(Customer.name, func.count()).select_from(Order).join(Order.customer).group_by(Customer.name)
        return ", ".join(f"{name}: {number}" for name, number in session.execute(of_each))

    return app
