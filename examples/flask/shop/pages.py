"""The pages of the shop. ``order_list`` has two planted faults, ``cured_order_list`` shows them cured."""

from flask import Blueprint, render_template
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from shop.models import Customer, Order, SiteConfig, new_session
from shop.reports import single_payments

pages = Blueprint("pages", __name__)


def shop_name(session: Session) -> str | None:
    return session.scalar(select(SiteConfig.value).where(SiteConfig.key == "name"))


def banner(session: Session) -> str:
    return f"Welcome to {session.scalar(select(SiteConfig.value).where(SiteConfig.key == 'name'))}"


@pages.get("/")
def home() -> str:
    with new_session() as session:
        newest = session.scalars(select(Order).order_by(Order.id.desc()).limit(10)).all()
        customers = session.scalar(select(func.count(Customer.id)))
        return render_template("home.html", name=shop_name(session), customers=customers, newest=newest)


@pages.get("/orders/")
def order_list() -> str:
    with new_session() as session:
        orders = session.scalars(select(Order).where(Order.open)).all()
        number = session.scalar(select(func.count(Order.id)))
        return render_template(
            "orders.html", name=shop_name(session), banner=banner(session), number=number, orders=orders
        )


@pages.get("/orders/cured/")
def cured_order_list() -> str:
    with new_session() as session:
        orders = session.scalars(select(Order).where(Order.open).options(joinedload(Order.customer))).all()
        number = session.scalar(select(func.count(Order.id)))
        return render_template(
            "orders.html", name=shop_name(session), banner=banner(session), number=number, orders=orders
        )


@pages.get("/reports/sales/")
def sales() -> str:
    with new_session() as session:
        return render_template("sales.html", total=single_payments(session))
