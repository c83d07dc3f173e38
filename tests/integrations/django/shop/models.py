"""A shop with every kind of relation."""

from typing import Any

from django.db import models, transaction


class Region(models.Model):
    name = models.CharField(max_length=50)


class Customer(models.Model):
    name = models.CharField(max_length=50)
    region = models.ForeignKey(Region, models.CASCADE, related_name="customers")

    orders: Any
    profile: Any

    @property
    def region_name(self) -> str:
        name: str = self.region.name
        return name


class Profile(models.Model):
    customer = models.OneToOneField(Customer, models.CASCADE, related_name="profile")
    motto = models.TextField(default="")


class Tag(models.Model):
    name = models.CharField(max_length=50)

    orders: Any


class OpenOrders(models.Manager["Order"]):
    def get_queryset(self) -> "models.QuerySet[Order]":
        return super().get_queryset().filter(open=True)


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    payer = models.ForeignKey(Customer, models.SET_NULL, related_name="paid", null=True)
    tags = models.ManyToManyField(Tag, related_name="orders")
    open = models.BooleanField(default=True)
    note = models.TextField(default="")

    objects = models.Manager()
    unpaid = OpenOrders()

    lines: Any


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    item = models.CharField(max_length=50)


class Category(models.Model):
    name = models.CharField(max_length=50)
    parent = models.ForeignKey("self", models.CASCADE, related_name="children", null=True)

    children: Any


class Loud:
    """An object that asks the database whenever it is compared, tested, measured, shown, or asked for what it has not."""

    def ask(self) -> str:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.ask() == other.ask()

    def __bool__(self) -> bool:
        return bool(self.ask())

    def __len__(self) -> int:
        return len(self.ask())

    def __str__(self) -> str:
        return self.ask()

    def __repr__(self) -> str:
        return f"<{self.ask()}>"

    def __getattr__(self, name: str) -> str:
        if not name.startswith("extra_"):
            raise AttributeError(name)
        return f"{self.ask()} {name}"


class Keeper(Loud, models.Model):
    name = models.CharField(max_length=50)

    pets: Any

    def ask(self) -> str:
        return ", ".join(self.pets.order_by("pk").values_list("name", flat=True))


class Pet(Loud, models.Model):
    keeper = models.ForeignKey(Keeper, models.CASCADE, related_name="pets")
    name = models.CharField(max_length=50)

    def ask(self) -> str:
        return str(type(self).objects.get(pk=self.pk).keeper.name)


@transaction.atomic  # one commit to wait for, not one for each row
def fill(parents: int) -> None:
    """Rows of every model: as many customers, each with a profile, an order with a tag of its own and two lines."""
    for model in (Line, Order, Tag, Profile, Customer, Region, Category):
        model._default_manager.all().delete()
    for number in range(1, parents + 1):
        region = Region.objects.create(name=f"Region {number}")
        customer = Customer.objects.create(name=f"Customer {number}", region=region)
        Profile.objects.create(customer=customer, motto=f"Motto {number}")
        order = Order.objects.create(customer=customer, payer=customer, note=f"Note {number}")
        order.tags.add(Tag.objects.create(name=f"Tag {number}"))
        Line.objects.bulk_create(Line(order=order, item=f"Item {item}") for item in (1, 2))
