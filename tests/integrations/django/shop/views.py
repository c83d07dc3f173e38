"""Pages of the shop, good and bad."""

import asyncio
import io
from collections.abc import AsyncIterator, Iterator

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.generic import ListView

from tests.integrations.django.shop.models import Customer, Order


def order_list(request: HttpRequest) -> HttpResponse:
    names = [order.customer.name for order in Order.objects.order_by("pk")]
    return HttpResponse(", ".join(names))


def order_list_joined(request: HttpRequest) -> HttpResponse:
    names = [order.customer.name for order in Order.objects.select_related("customer").order_by("pk")]
    return HttpResponse(", ".join(names))


def order_page(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(str(Order.objects.filter(pk=number).count()))


def order_template(request: HttpRequest) -> HttpResponse:
    orders = list(Order.objects.order_by("pk"))
    return render(request, "orders.html", {"orders": orders})


def order_template_of_lazy_rows(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.filter(open=True).order_by("pk")
    return render(request, "orders.html", {"orders": orders})


class OrderList(ListView):  # type: ignore[type-arg]  # it is generic for type checkers alone
    template_name = "object_list.html"
    queryset = Order.objects.order_by("pk")


class ModelList(ListView):  # type: ignore[type-arg]  # as above
    template_name = "object_list.html"
    model = Order


async def async_order_list(request: HttpRequest) -> HttpResponse:
    names = []
    async for order in Order.objects.order_by("pk"):
        customer = await Customer.objects.aget(pk=order.customer_id)
        names.append(customer.name)
    return HttpResponse(", ".join(names))


def _ask(number: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s + 0 AS request_number", [number])
        return str(cursor.fetchone()[0])


def numbered(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(",".join(_ask(number) for _ in range(10)))


async def async_numbered(request: HttpRequest, number: int) -> HttpResponse:
    answers = []
    for _ in range(10):
        answers.append(await sync_to_async(_ask)(number))
        await asyncio.sleep(0)
    return HttpResponse(",".join(answers))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        for order in Order.objects.order_by("pk"):
            yield f"{order.customer.name}\n"

    return StreamingHttpResponse(body())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        async for order in Order.objects.order_by("pk"):
            yield f"{order.pk}\n"

    return StreamingHttpResponse(body())


def file(request: HttpRequest) -> FileResponse:
    Order.objects.count()
    return FileResponse(io.BytesIO(b"content"), filename="content.txt")


def broken(request: HttpRequest) -> HttpResponse:
    Order.objects.count()
    raise LookupError("not to be kept")


async def async_broken(request: HttpRequest) -> HttpResponse:
    await Order.objects.acount()
    raise LookupError("not to be kept")


def session(request: HttpRequest) -> HttpResponse:
    visits = request.session.get("visits", 0)
    request.session["visits"] = visits + 1
    return HttpResponse(f"{visits} {request.user.is_authenticated}")
