"""The pages of the shop. ``order_list`` has two planted faults, ``cured_order_list`` shows them cured."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from shop.models import Customer, Order, SiteConfig
from shop.reports import repeated_payments


def shop_name() -> str:
    return SiteConfig.objects.get(key="name").value


def banner() -> str:
    return f"Welcome to {SiteConfig.objects.get(key='name').value}"


def home(request: HttpRequest) -> HttpResponse:
    newest = list(Order.objects.order_by("-id")[:10])
    context = {"name": shop_name(), "customers": Customer.objects.count(), "newest": newest}
    return render(request, "home.html", context)


def order_list(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(open=True)
    context = {"name": shop_name(), "banner": banner(), "number": Order.objects.count(), "orders": orders}
    return render(request, "orders.html", context)


def cured_order_list(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(open=True).select_related("customer")
    context = {"name": shop_name(), "banner": banner(), "number": Order.objects.count(), "orders": orders}
    return render(request, "orders.html", context)


def sales(request: HttpRequest) -> HttpResponse:
    return render(request, "sales.html", {"total": repeated_payments()})
