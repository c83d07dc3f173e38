"""The shop's tasks: each page publishes one, lets a worker run it, and is answered with its result."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from celery import chain
from celery.exceptions import Ignore

import dbprofile_celery
import dbprofile_dbapi
from dbprofile import Profiler
from dbprofile.streaming import enter, finish, leave, open_request
from dbprofile_celery.parents import HEADER
from tests.integrations.celery.working import App, Worker
from tests.integrations.shops import Shop, Thing

__all__ = ["opened"]


def _define(app: App, database: sqlite3.Connection) -> None:
    @app.task(name="shop.listed")
    def listed(first: int = 1) -> list[str]:
        thing = Thing()
        numbers = database.execute("SELECT id FROM customer WHERE id >= ? ORDER BY id", (first,)).fetchall()
        names = [database.execute("SELECT name FROM customer WHERE id = ?", number).fetchone()[0] for number in numbers]
        return [type(thing).__name__, *names]

    @app.task(name="shop.counted")
    def counted(names: list[str]) -> int:
        return len(names)

    @app.task(name="shop.broken")
    def broken() -> None:
        thing = Thing()
        database.execute("SELECT 1 FROM customer").fetchall()
        raise LookupError(f"no such {type(thing).__name__}")

    @app.task(name="shop.retried", bind=True, autoretry_for=(ConnectionError,), default_retry_delay=0)
    def retried(self: Any) -> str:
        thing = Thing()
        with database:
            database.execute("REPLACE INTO customer VALUES (?, ?)", (100 + self.request.retries, type(thing).__name__))
        if self.request.retries < 2:
            raise ConnectionResetError
        return "at last"

    @app.task(name="shop.ignored")
    def ignored() -> None:
        database.execute("SELECT 1 FROM customer").fetchall()
        raise Ignore

    @app.task(name="shop.left")
    def left() -> None:
        database.execute("SELECT 1 FROM customer").fetchall()
        raise SystemExit(3)


class _Pages:
    def __init__(self, app: App, profiler: Profiler | None) -> None:
        self._app = app
        self._worker = Worker(app)
        self._profiler = profiler

    def _task(self, name: str) -> Any:
        return self._app.tasks[f"shop.{name}"]

    @contextmanager
    def _request(self) -> Iterator[None]:
        """As an adapter opens one."""
        scope = open_request(self._profiler, "GET", "/") if self._profiler is not None else None
        step = enter(scope) if scope is not None else None
        yield
        leave(step)
        if scope is not None:
            finish(scope)

    def _answer(self, result: Any) -> object:
        try:
            ended = self._worker.work()
        except SystemExit as error:
            ended = [error.code]
        sent = [sorted(headers.keys() - {HEADER}) for headers in self._worker.headers]
        self._worker.headers.clear()
        return ended, sent, result.state, repr(result.result)

    def published(self, name: str) -> Callable[[], object]:
        def publish() -> object:
            with self._request():
                result = self._task(name).delay()
            return self._answer(result)

        return publish

    def chained(self) -> object:
        with self._request():
            result = chain(self._task("listed").s(3), self._task("counted").s())()
        return self._answer(result)

    def eager(self) -> object:
        with self._request():
            results = [self._task(name).apply() for name in ("listed", "broken", "retried")]
        return [(result.state, repr(result.result)) for result in results]

    def propagated(self) -> object:
        try:
            return self._task("broken").apply(throw=True)
        except LookupError as error:
            return repr(error)


@contextmanager
def opened(profiler: Profiler | None) -> Iterator[Shop]:
    if profiler is not None:
        dbprofile_dbapi.install("sqlite3")
    app = App("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
    try:
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT)")
            database.executemany("INSERT INTO customer VALUES (?, ?)", [(n, f"name {n}") for n in range(1, 6)])
            database.commit()
            _define(app, database)
            if profiler is not None:
                dbprofile_celery.install(app, profiler=profiler)

            def contents() -> object:
                return database.execute("SELECT * FROM customer ORDER BY id").fetchall()

            def reset() -> None:
                database.execute("DELETE FROM customer WHERE id >= 100")
                database.commit()

            pages = _Pages(app, profiler)
            visits = {name: pages.published(name) for name in ("listed", "broken", "retried", "ignored", "left")}
            visits |= {"chained": pages.chained, "eager": pages.eager, "propagated": pages.propagated}
            shop = Shop(visits, contents, reset)
            database.set_trace_callback(shop.sent.append)
            yield shop
    finally:
        dbprofile_celery.uninstall()
        dbprofile_dbapi.uninstall()
        app.close()
