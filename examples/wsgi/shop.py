"""A shop without a framework: a WSGI application, SQLAlchemy Core, and the standard library's server."""

from collections.abc import Iterable
from pathlib import Path
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String, Table, create_engine, select

import dbprofile_sqlalchemy
import dbprofile_wsgi

metadata = MetaData()
customers = Table("customer", metadata, Column("id", Integer, primary_key=True), Column("name", String))
orders = Table(
    "orders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("customer_id", Integer, ForeignKey("customer.id")),
)
engine = create_engine(f"sqlite:///{Path(__file__).resolve().parent / 'shop.sqlite3'}")


def names() -> list[str]:
    with engine.connect() as connection:
        found = []
        for order in connection.execute(select(orders.c.customer_id)).all():
            customer = select(customers.c.name).where(customers.c.id == order.customer_id)
            found.append(connection.execute(customer).scalar_one())
        return found


def names_at_once() -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(customers.c.name).join_from(orders, customers)).scalars())


PAGES = {"/orders/": names, "/orders/cured/": names_at_once}


def shop(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    page = PAGES.get(environ["PATH_INFO"])
    start_response("200 OK" if page else "404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return ["\n".join(page() if page else ["no such page"]).encode()]


dbprofile_sqlalchemy.install()  # the two lines that turn dbprofile on
application = dbprofile_wsgi.ProfileMiddleware(shop, debug=True)


def fill() -> None:
    """Make the tables, and 20 orders of 20 customers, unless they are there."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        if connection.execute(select(customers.c.id).limit(1)).first() is None:
            numbers = range(1, 21)
            connection.execute(customers.insert(), [{"id": n, "name": f"Customer {n}"} for n in numbers])
            connection.execute(orders.insert(), [{"customer_id": n} for n in numbers])


if __name__ == "__main__":
    fill()
    with make_server("127.0.0.1", 8000, application) as server:
        server.serve_forever()
