"""The contracts of every adapter, with statements on each database and with requests through both of Django's handlers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from types import ModuleType
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper
from django.db.models.query import ModelIterable
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import override_settings
from django.urls import path

import dbprofile_django
from dbprofile.testing.suite import Call, Connection, Handle, QueriesContract, Reply, RequestsContract
from dbprofile_django import (
    configuration,
    endings,
    expressions,
    fetches,
    provenance,
    queries,
    relations,
    rows,
    scopes,
    templates,
    transactions,
)
from dbprofile_django import connections as descriptions
from tests import services
from tests.exchanges import Answer, Application, OverASGI, visit
from tests.integrations.django import project
from tests.ledger import Ledger, telling

MODULES: Sequence[ModuleType] = (
    descriptions, endings, expressions, fetches, provenance, queries, relations, rows, scopes, templates, transactions,
)  # fmt: skip


class DjangosOwn:
    """A connection of Django and the ledger of its driver."""

    def __init__(self, connection: Any, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Sequence[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else ()

    def executemany(self, sql: str, sets: Iterable[Sequence[object]], /) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(sql, sets)

    def sent(self) -> Sequence[str]:
        return self._ledger.sent


class StatementsContract(QueriesContract):
    modules = MODULES
    system: services.System = "sqlite"

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        folder = tmp_path_factory.mktemp("contract")
        with (
            project.database_access(request),
            services.temporary_database(cls.system, folder) as database,
            telling(database),
            project.naming(database),
        ):
            yield

    @pytest.fixture(autouse=True)
    def _not_installed(self) -> Iterator[None]:
        dbprofile_django.uninstall()  # what the project's applications have installed
        yield
        dbprofile_django.install()

    def install(self) -> None:
        dbprofile_django.install()

    def uninstall(self) -> None:
        dbprofile_django.uninstall()

    def footprint(self) -> object:
        changed = (CursorWrapper, BaseDatabaseWrapper, HttpRequest, ModelIterable)
        methods = {owner: {name: value for name, value in vars(owner).items() if callable(value)} for owner in changed}
        return methods, [receiver[0] for receiver in connection_created.receivers]

    def mark(self, position: int) -> str:
        return "%s"

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        outer = connections["default"]
        connection = connections["default"] = connections.create_connection("default")
        try:
            with Ledger() as ledger:
                connection.ensure_connection()
                ledger.watch(connection.connection)
                yield DjangosOwn(connection, ledger)
        finally:
            connection.close()
            connections["default"] = outer


class TestSQLite(StatementsContract):
    pass


@pytest.mark.service("postgresql")
class TestPostgreSQL(StatementsContract):
    system = "postgresql"


@pytest.mark.service("mariadb")
class TestMariaDB(StatementsContract):
    system = "mariadb"


# --- requests -------------------------------------------------------------------------------------------------------


def response(reply: Reply, steps: Callable[[Iterable[str]], Any]) -> HttpResponseBase:
    if reply.chunks is not None:
        return StreamingHttpResponse(steps(reply.chunks))
    return HttpResponse(reply.text, status=reply.status)


def at_once(chunks: Iterable[str]) -> Iterable[str]:
    return chunks


async def slowly(chunks: Iterable[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


class Contract(RequestsContract):
    modules = MODULES
    name = "GET /orders/<int:number>"
    pattern = "/orders/<int:number>"
    defers = False  # a response that is closed has nothing left to do

    def view(self, handle: Handle) -> Callable[..., Any]:
        return lambda request, number: response(handle(number), at_once)

    @contextmanager
    def project(self, handle: Handle, settings: Mapping[str, object] | None) -> Iterator[None]:
        configuration._built.clear()
        with override_settings(
            DBPROFILE=settings or {},
            MIDDLEWARE=[] if settings is None else [project.MIDDLEWARE],
            ROOT_URLCONF=(path("orders/<int:number>", self.view(handle)),),
        ):
            yield
        configuration._built.clear()

    @contextmanager
    def serve(self, handle: Handle, settings: Mapping[str, object] | None) -> Iterator[Call]:
        with self.project(handle, settings):
            handler = WSGIHandler()

            def call(number: int, method: str = "GET", chunks: int | None = None) -> Answer:
                return visit(handler, f"/orders/{number}", method, chunks=chunks)

            yield call


class TestWSGI(Contract):
    pass


class Handler(ASGIHandler):
    async def read_body(self, receive: Any) -> Any:
        await receive()
        return BytesIO()  # Django leaves its temporary file open where the body of a response fails


class AsynchronousContract(OverASGI, Contract):
    def application(self, handle: Handle, settings: Mapping[str, Any] | None) -> Application:
        return Handler()

    @contextmanager
    def serve(self, handle: Handle, settings: Mapping[str, object] | None) -> Iterator[Call]:
        with self.project(handle, settings), OverASGI.serve(self, handle, settings) as call:
            yield call


class TestASGIInAThread(AsynchronousContract):
    nests = False  # asgiref would wait for the thread that waits
    streams = False  # Django reads a synchronous body whole, before the response begins


class TestASGIOnTheLoop(AsynchronousContract):
    in_threads = False

    def view(self, handle: Handle) -> Callable[..., Any]:
        async def view(request: HttpRequest, number: int) -> HttpResponseBase:
            return response(handle(number), slowly)

        return view
