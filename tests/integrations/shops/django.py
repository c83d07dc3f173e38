"""The shop on Django, served by WSGI and by ASGI. Pytest-django has to allow the database."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, transaction
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.test import override_settings
from django.urls import path

import dbprofile_django
from dbprofile import Profiler
from tests import services
from tests.integrations.django import project
from tests.integrations.django.shop.models import Customer, Line, Order, Tag, fill
from tests.integrations.shops import Shop, Thing, wait_for_ever
from tests.integrations.shops.clients import ask_asgi, ask_wsgi, hang_up_asgi, leave_asgi

__all__ = ["opened", "urlpatterns"]

#: What of a statement is another each time: the names of savepoints hold the number of the thread, sessions ask for the time.
CHANGING = re.compile(r"\"s\d+_x\d+\"|'[0-9]{4}-[0-9: .-]+'")


def listed(request: HttpRequest) -> HttpResponse:
    return render(request, "orders.html", {"orders": list(Order.objects.order_by("pk")), "thing": Thing()})


def loaded(request: HttpRequest) -> HttpResponse:
    thing = Thing()
    orders = Order.objects.select_related("customer").prefetch_related("lines", "tags").order_by("pk")
    names = [(order.customer.profile.motto, len(order.lines.all()), order.tags.count()) for order in orders]
    deferred = [order.note for order in Order.objects.defer("note").order_by("pk")]
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM shop_tag ORDER BY id")
        rows = [*cursor.fetchmany(2), cursor.fetchone(), *cursor]
    visits = SessionStore("k" * 32).get("visits")
    raw = [tag.name for tag in Tag.objects.raw("SELECT * FROM shop_tag ORDER BY id")]
    return HttpResponse(f"{type(thing).__name__} {names} {deferred} {rows} {raw} {visits}")


def written(request: HttpRequest, number: int) -> HttpResponse:
    thing = Thing()
    with transaction.atomic():
        for more in range(3):
            Tag.objects.create(pk=number + more, name=type(thing).__name__)
        with transaction.atomic():
            Tag.objects.filter(pk=number).update(name="changed")
        with suppress(LookupError), transaction.atomic():
            Tag.objects.filter(pk=number).update(name="not kept")
            raise LookupError
    Tag.objects.bulk_create([Tag(pk=number + 5, name="a"), Tag(pk=number + 6, name="b")])
    return HttpResponse("written")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def body() -> Iterator[str]:
        for order in Order.objects.order_by("pk").iterator():
            thing = Thing()
            yield f"{type(thing).__name__} {order.customer.name}\n"

    return StreamingHttpResponse(body())


def broken(request: HttpRequest) -> HttpResponse:
    thing = Thing()
    Order.objects.first()
    raise LookupError(f"no such {type(thing).__name__}")


def refused(request: HttpRequest) -> HttpResponse:
    thing = Thing()
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")
    return HttpResponse(repr(thing))


async def async_listed(request: HttpRequest) -> HttpResponse:
    thing = Thing()
    names = []
    async for order in Order.objects.order_by("pk"):
        customer = await Customer.objects.aget(pk=order.customer_id)
        names.append(f"{type(thing).__name__} {customer.name}")
    return HttpResponse(", ".join(names))


async def async_streamed(request: HttpRequest) -> StreamingHttpResponse:
    async def body() -> AsyncIterator[str]:
        async for line in Line.objects.order_by("pk"):
            thing = Thing()
            yield f"{type(thing).__name__} {line.item}\n"

    return StreamingHttpResponse(body())


async def async_broken(request: HttpRequest) -> HttpResponse:
    thing = Thing()
    await Order.objects.afirst()
    raise LookupError(f"no such {type(thing).__name__}")


async def long(request: HttpRequest) -> HttpResponse:
    thing = Thing()
    await Order.objects.acount()
    await wait_for_ever()
    return HttpResponse(repr(thing))


urlpatterns = [
    path("listed/", listed),
    path("loaded/", loaded),
    path("written/<int:number>/", written),
    path("streamed/", streamed),
    path("broken/", broken),
    path("refused/", refused),
    path("async/listed/", async_listed),
    path("async/streamed/", async_streamed),
    path("async/broken/", async_broken),
    path("long/", long),
]


@contextmanager
def opened(profiler: Profiler | None) -> Iterator[Shop]:
    settings: dict[str, Any] = {"MIDDLEWARE": [project.MIDDLEWARE] if profiler is not None else []}
    if profiler is not None:
        settings["DBPROFILE"] = {"profiler": profiler}
    requests = logging.getLogger("django.request")
    with (
        TemporaryDirectory() as folder,
        services.temporary_database("sqlite", Path(folder)) as database,
        project.using(database),
        override_settings(ROOT_URLCONF=__name__, **settings),
        asyncio.Runner() as runner,
    ):
        fill(3)
        if profiler is None:
            dbprofile_django.uninstall()
        wsgi, asgi = WSGIHandler(), ASGIHandler()

        def visit(client: Callable[..., Coroutine[Any, Any, object]], address: str) -> object:
            # As in a server each request has a context of its own.
            return runner.run(client(asgi, address), context=copy_context())

        def contents() -> object:
            return [tuple(row) for row in Tag.objects.order_by("pk").values_list("pk", "name")]

        def reset() -> None:
            Tag.objects.filter(pk__gte=100).delete()

        pages: dict[str, Callable[[], object]] = {}
        for address in ("/listed/", "/loaded/", "/written/100/", "/streamed/", "/broken/", "/refused/", "/nowhere/"):
            pages[f"wsgi {address}"] = partial(ask_wsgi, wsgi, address)
        for address in ("/async/listed/", "/written/200/", "/async/streamed/", "/async/broken/"):
            pages[f"asgi {address}"] = partial(visit, ask_asgi, address)
        pages["wsgi left"] = partial(ask_wsgi, wsgi, "/streamed/", chunks=1)
        pages["asgi left"] = partial(visit, leave_asgi, "/async/streamed/")
        pages["asgi hung up"] = partial(visit, hang_up_asgi, "/long/")
        shop = Shop(pages, contents, reset)

        def connected(*, connection: Any, **_more: object) -> None:
            connection.connection.set_trace_callback(lambda sql: shop.sent.append(CHANGING.sub("", sql)))

        project.close()
        connection_created.connect(connected, weak=False, dispatch_uid="shop")
        requests.disabled = True
        try:
            yield shop
        finally:
            requests.disabled = False
            connection_created.disconnect(dispatch_uid="shop")
            dbprofile_django.install()
