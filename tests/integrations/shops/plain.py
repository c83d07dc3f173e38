"""The shop without any framework: WSGI, SQLite's own driver, and the same driver behind a proxy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

import dbprofile_dbapi
from dbprofile import Profiler
from dbprofile_wsgi import ProfileMiddleware
from tests.integrations.shops import Shop, Thing
from tests.integrations.shops.clients import ask_wsgi

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["opened"]


class _Pages:
    def __init__(self, database: Any, proxied: Any) -> None:
        self._database = database
        self._proxied = proxied

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        page: Callable[[], Iterable[bytes]] = getattr(self, environ["PATH_INFO"].strip("/"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return page()

    def _customers(self) -> Iterator[str]:
        for (number,) in self._database.execute("SELECT id FROM customer ORDER BY id"):
            thing = Thing()
            cursor = self._database.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,))
            yield f"{type(thing).__name__} {cursor.fetchone()[0]} {cursor.fetchmany(2)} {cursor.fetchall()}\n"

    def listed(self) -> list[bytes]:
        return ["".join(self._customers()).encode()]

    def streamed(self) -> Iterator[bytes]:
        yield from map(str.encode, self._customers())

    def proxied(self) -> list[bytes]:
        thing = Thing()
        with self._proxied as connection, closing(connection.cursor()) as cursor:
            cursor.executemany("INSERT INTO customer VALUES (?, ?)", [(100, "a"), (101, repr(thing)[:6])])
            cursor.execute("SELECT name FROM customer ORDER BY id")
            rows = [cursor.fetchone(), *cursor.fetchmany(2), *cursor]
        return [str(rows).encode()]

    def written(self) -> list[bytes]:
        thing = Thing()
        with self._database:
            for number in range(100, 103):
                self._database.execute("INSERT INTO customer VALUES (?, ?)", (number, type(thing).__name__))
            self._database.executemany("UPDATE customer SET name = ? WHERE id = ?", [("b", 101), ("c", 102)])
        return [b"written"]

    def broken(self) -> list[bytes]:
        thing = Thing()
        self._database.execute("SELECT 1 FROM customer").fetchall()
        raise LookupError(f"no such {type(thing).__name__}")

    def refused(self) -> list[bytes]:
        thing = Thing()
        self._database.execute("INSERT INTO customer VALUES (1, 'there is one')")
        return [repr(thing).encode()]

    def long(self) -> list[bytes]:
        thing = Thing()
        found = [self._database.execute(f"SELECT {number} /* {'long ' * 4_000} */") for number in (1, 2)]
        return [repr([type(thing).__name__, *(cursor.fetchall() for cursor in found)]).encode()]

    def outlived(self) -> list[bytes]:
        self.context = copy_context()  # of a task that goes on when the request is over
        return [b"outlived"]

    def outside(self) -> object:
        """What is done in no request, in a thread of its own."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: self._database.execute("SELECT 'outside'").fetchall()).result()

    def broken_stream(self) -> Iterator[bytes]:
        yield from self.streamed()
        self.broken()


def _fill(connection: sqlite3.Connection) -> sqlite3.Connection:
    connection.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)")
    with connection:
        connection.executemany(
            "INSERT INTO customer VALUES (?, ?)", [(number, f"name {number}") for number in range(1, 6)]
        )
    return connection


@contextmanager
def opened(profiler: Profiler | None) -> Iterator[Shop]:
    with closing(_fill(sqlite3.connect(":memory:"))) as behind:
        if profiler is not None:
            dbprofile_dbapi.install("sqlite3")
        with closing(_fill(sqlite3.connect(":memory:", check_same_thread=False))) as database:
            handlers = _Pages(database, behind if profiler is None else dbprofile_dbapi.wrap(behind))
            app: WSGIApplication = handlers
            if profiler is not None:
                app = ProfileMiddleware(app, profiler=profiler, name=lambda environ: environ["PATH_INFO"])

            def contents() -> object:
                return [each.execute("SELECT * FROM customer ORDER BY id").fetchall() for each in (database, behind)]

            def late() -> object:
                answer = ask_wsgi(app, "/outlived")
                return answer, handlers.context.run(database.execute, "SELECT 'late'").fetchall()

            def reset() -> None:
                for each in (database, behind):
                    each.execute("DELETE FROM customer WHERE id >= 100")
                    each.commit()

            names = (
                "listed",
                "streamed",
                "proxied",
                "written",
                "broken",
                "refused",
                "long",
                "outlived",
                "broken_stream",
            )
            pages: dict[str, Callable[[], object]] = {name: partial(ask_wsgi, app, f"/{name}") for name in names}
            pages["left"] = partial(ask_wsgi, app, "/streamed", chunks=1)
            pages |= {"late": late, "outside": handlers.outside}
            shop = Shop(pages, contents, reset)
            database.set_trace_callback(shop.sent.append)
            behind.set_trace_callback(shop.sent.append)
            try:
                yield shop
            finally:
                dbprofile_dbapi.uninstall()
