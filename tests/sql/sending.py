"""Statements as Django and SQLAlchemy really send them: a small shop on each database, asked the usual things.

``python -m tests.sql.sending`` writes what was sent, with its fingerprints, to ``corpus.json`` beside this file. The
databases that answer are asked; what the others sent before is kept.
"""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import django
import sqlalchemy as sa
from django.conf import settings
from sqlalchemy import orm

from dbprofile.sql import Statement
from tests import services

CORPUS = Path(__file__).with_name("corpus.json")
MOST = 34
"""Statements kept of one library on one database: half of them the first, half the last."""


class Sent(NamedTuple):
    """One statement, and how it was sent."""

    library: str
    dialect: str
    paramstyle: str
    sql: str
    fingerprint: str


def corpus() -> list[Sent]:
    """The statements that are checked in."""
    return [Sent(*line) for line in json.loads(CORPUS.read_text(encoding="utf-8"))]


class Base(orm.DeclarativeBase):
    """What the tables of the shop have in common."""


membership = sa.Table(
    "shop_customer_groups",
    Base.metadata,
    sa.Column("customer_id", sa.ForeignKey("shop_customer.id"), primary_key=True),
    sa.Column("group_id", sa.ForeignKey("shop_group.id"), primary_key=True),
)


class Group(Base):
    __tablename__ = "shop_group"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(50))


class Customer(Base):
    __tablename__ = "shop_customer"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(50))
    email: orm.Mapped[str | None] = orm.mapped_column(sa.String(50))
    orders: orm.Mapped[list["Order"]] = orm.relationship(back_populates="customer", cascade="all, delete-orphan")
    groups: orm.Mapped[list[Group]] = orm.relationship(secondary=membership)


class Order(Base):
    __tablename__ = "order"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    customer_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("shop_customer.id"))
    total: orm.Mapped[Decimal] = orm.mapped_column(sa.Numeric(10, 2))
    placed: orm.Mapped[dt.date]
    customer: orm.Mapped[Customer] = orm.relationship(back_populates="orders")


def ask_sqlalchemy(engine: sa.Engine) -> None:
    """The usual things, through the ORM and Core."""
    today = dt.date(2024, 5, 17)
    with orm.Session(engine) as session:
        groups = [Group(name=f"group {number}") for number in range(3)]
        customers = [Customer(name=f"it's {number}", email=None, groups=groups[:2]) for number in range(5)]
        for customer in customers:
            customer.orders = [Order(total=Decimal(number), placed=today) for number in range(3)]
        session.add_all(customers)
        session.commit()
        session.get(Customer, 1)
        for statement in _sqlalchemy_selects(today):
            session.execute(statement).all()
        for option in (orm.joinedload, orm.selectinload, orm.subqueryload):
            session.scalars(sa.select(Customer).options(option(Customer.orders))).unique().all()
        customer = session.scalars(sa.select(Customer).order_by(Customer.id).limit(1)).one()
        assert customer.orders[0].customer is customer
        session.refresh(customer)
        customer.name = "someone else"
        session.flush()
        with session.begin_nested():
            session.execute(sa.update(Order).where(Order.total < 1).values(total=Order.total + 1))
        session.execute(sa.delete(Order).where(Order.id.in_([98, 99])))
        session.execute(sa.update(Order), [{"id": 1, "total": 5}, {"id": 2, "total": 6}])
        session.execute(sa.insert(Group), [{"name": "a"}, {"name": "b"}])
        session.execute(sa.text("SELECT id FROM shop_group WHERE name = :name AND id > 0 /* by hand */"), {"name": "a"})
        session.delete(customer)
        session.commit()


def _sqlalchemy_selects(today: dt.date) -> Iterator[sa.Executable]:
    total = sa.func.sum(Order.total).label("total")
    yield sa.select(Customer).where(Customer.name == "x", Customer.email.is_(None)).limit(1)
    yield sa.select(Customer.id, Customer.name).where(Customer.id.in_([1, 2, 3])).order_by(Customer.name.desc())
    yield sa.select(Customer).where(sa.or_(Customer.name.like("a%"), Customer.name.ilike("%b"))).limit(10).offset(20)
    yield sa.select(Order).join(Order.customer).where(Customer.name != "x", Order.placed >= today)
    yield sa.select(Customer.name, total).join(Customer.orders).group_by(Customer.name).having(total > 10)
    yield sa.select(sa.func.count()).select_from(Order).where(Order.total.between(1, 2))
    yield sa.select(sa.exists().where(Order.customer_id == 1))
    yield sa.select(Customer).where(Customer.orders.any(Order.total > 5))
    yield sa.select(Customer).where(Customer.id.in_(sa.select(Order.customer_id).where(Order.total > 5)))
    yield sa.select(sa.case((Order.total > 5, "big"), (Order.total > 1, "small"), else_="none")).distinct()
    yield sa.select(Order.id).where(Order.total == 1).union_all(sa.select(Order.id).where(Order.total == 2))
    recent = sa.select(Order).where(Order.placed == today).cte("recent")
    yield sa.select(sa.func.max(recent.c.total)).join_from(recent, Customer, Customer.id == recent.c.customer_id)
    yield sa.select(Order.id, sa.func.row_number().over(partition_by=Order.customer_id, order_by=Order.total))
    yield sa.select(Order).where(sa.tuple_(Order.id, Order.total).in_([(1, 2), (3, 4)]))
    yield sa.select(Order).where(Order.id == 1).with_for_update()
    yield sa.select(sa.cast(Order.total, sa.Integer), sa.func.coalesce(sa.extract("year", Order.placed), 0))
    yield sa.select(Order.id).where(sa.not_(Order.customer_id == 3), Order.total % 2 == 0, -Order.total < -5)


def ask_django(alias: str) -> None:
    """The same usual things, through the models of Django's own `auth`."""
    # Loaded here: models can be imported once the settings are there.
    from django.contrib.auth.models import Group, Permission, User  # noqa: PLC0415
    from django.contrib.contenttypes.models import ContentType  # noqa: PLC0415
    from django.db import models, transaction  # noqa: PLC0415

    users = User.objects.using(alias)
    kind = ContentType.objects.using(alias).create(app_label="shop", model="order")
    permission = Permission.objects.using(alias).create(name="buy", codename="buy", content_type=kind)
    groups = Group.objects.using(alias).bulk_create([Group(name=f"group {number}") for number in range(3)])
    user = users.create(username="it's me", email="me@example.com")
    users.bulk_create([User(username=f"user {number}") for number in range(5)])
    user.groups.add(*groups)
    user.user_permissions.add(permission)
    for queryset in _django_selects(users, models):
        list(queryset)
    users.filter(is_staff=True).count()
    users.filter(is_staff=True).exists()
    users.filter(username__startswith="user").first()
    users.aggregate(last=models.Max("last_login"), all=models.Count("*"))
    users.in_bulk([1, 2, 3])
    users.get(pk=user.pk).save()
    user.email = "you@example.com"
    user.save(update_fields=["email"])
    users.filter(pk__in=[1, 2]).update(first_name="x", is_active=models.Q(last_name=""))
    changed = list(users.all()[:3])
    for number, one in enumerate(changed):
        one.last_name = f"name {number}"
    users.bulk_update(changed, ["last_name"])
    users.get_or_create(username="new", defaults={"email": "n@example.com"})
    with transaction.atomic(using=alias), transaction.atomic(using=alias):
        list(users.select_for_update().filter(pk=1))
    user.groups.remove(groups[0])
    user.delete()
    users.filter(username="nobody").delete()


def _django_selects(users: Any, models: Any) -> Iterator[Any]:
    yield users.filter(username="x", is_staff=True)
    yield users.filter(models.Q(username="a") | models.Q(username="b") | ~models.Q(email="")).order_by("-id")[20:30]
    yield users.filter(pk__in=[1, 2, 3]).only("id", "username")
    yield users.filter(username__icontains="50%", last_login__isnull=True).values("id", "email")
    yield users.filter(date_joined__year=2024, pk__gt=5, pk__lte=9)
    yield users.prefetch_related("groups", "user_permissions")
    yield users.annotate(number=models.Count("groups")).filter(number__gt=1)
    yield users.filter(groups__name="x").distinct()
    yield users.filter(pk__in=users.filter(is_superuser=True).values("pk"))
    yield users.annotate(
        kind=models.Case(models.When(is_staff=True, then=models.Value("s")), default=models.Value("u"))
    )
    yield users.filter(is_staff=True).union(users.filter(is_active=False), all=True)
    yield users.annotate(
        same=models.Exists(users.filter(email=models.OuterRef("email")).exclude(pk=models.OuterRef("pk")))
    )
    yield users.filter(pk__range=(1, 5)).values_list("email").annotate(number=models.Count("id")).order_by("email")
    yield users.extra(where=["username = 'inlined' AND 1 = 1"])


def sent_by_sqlalchemy(database: services.TemporaryDatabase) -> Iterator[Sent]:
    """What SQLAlchemy sends to a database, in the order of sending."""
    engine = sa.create_engine(database.sqlalchemy_url())
    texts: list[str] = []

    def note(_connection: object, _cursor: object, sql: str, *_rest: object) -> None:
        texts.append(sql)

    Base.metadata.create_all(engine)
    sa.event.listen(engine, "before_cursor_execute", note)
    ask_sqlalchemy(engine)
    engine.dispose()
    yield from _described("sqlalchemy", engine.dialect.name, engine.dialect.paramstyle, texts)


def sent_by_django(alias: str) -> Iterator[Sent]:
    """What Django sends to a database, in the order of sending."""
    from django.core.management import call_command  # noqa: PLC0415 - after the settings
    from django.db import connections  # noqa: PLC0415 - after the settings

    texts: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        texts.append(sql)
        return execute(sql, *rest)

    call_command("migrate", database=alias, verbosity=0)
    connection = connections[alias]
    with connection.execute_wrapper(note):
        ask_django(alias)
    connection.close()
    yield from _described("django", connection.vendor, "format", texts)


def _described(library: str, dialect: str, paramstyle: str, texts: list[str]) -> Iterator[Sent]:
    for sql in dict.fromkeys(texts):
        yield Sent(library, dialect, paramstyle, sql, Statement.of(sql, dialect, paramstyle).fingerprint)


@contextmanager
def _databases() -> Iterator[list[services.TemporaryDatabase]]:
    with TemporaryDirectory() as folder:
        managers = [services.temporary_database(system, Path(folder)) for system in services.available_systems()]
        databases = [manager.__enter__() for manager in managers]
        try:
            yield databases
        finally:
            for manager in managers:
                manager.__exit__(None, None, None)


def main() -> None:
    """Ask every database that answers, and write what was sent."""
    found: dict[tuple[str, str], list[Sent]] = {}
    if CORPUS.exists():
        for sent in corpus():
            found.setdefault((sent.library, sent.dialect), []).append(sent)
    with _databases() as databases:
        settings.configure(
            DATABASES={"default": {}} | {database.system: database.django_settings() for database in databases},
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            USE_TZ=True,
        )
        django.setup()
        for database in databases:
            for statements in (list(sent_by_sqlalchemy(database)), list(sent_by_django(database.system))):
                found[statements[0].library, statements[0].dialect] = statements[: MOST // 2] + statements[-MOST // 2 :]
    lines = [json.dumps(sent, ensure_ascii=False) for key in sorted(found) for sent in found[key]]
    CORPUS.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
