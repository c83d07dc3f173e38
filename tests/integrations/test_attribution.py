"""Fifty requests at once, each statement with the number of its request: none is in the scope of another.

``DBPROFILE_STATEMENTS=100000`` asks for so many statements in each of the tests, instead of a few thousand.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection as django_connection
from sqlalchemy import StaticPool, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

import dbprofile_sqlalchemy
from dbprofile import Profile, Profiler
from tests import services
from tests.integrations.django import project
from tests.integrations.sqlalchemy import onloop
from tests.sources import Connection, shop

REQUESTS = 50
STATEMENTS = int(os.environ.get("DBPROFILE_STATEMENTS", "3000")) // REQUESTS

Ask = Callable[[int], object]


def check(profiles: list[Profile]) -> None:
    """Each profile has its own statements, and all of them."""
    assert len(profiles) == REQUESTS
    strangers = 0
    for number, profile in enumerate(profiles):
        numbers = [value_of(query.values) for query in profile.queries]
        strangers += sum(found != number for found in numbers)
        assert len(numbers) == STATEMENTS
        assert not profile.late
    assert strangers == 0


def value_of(values: Any) -> int:
    value = next(iter(values.values())) if isinstance(values, dict) else values[0]
    return int(value)


def profiler() -> Profiler:
    return Profiler(detail_limit=10**9, show_values=True)


# --- threads --------------------------------------------------------------------------------------------------------


def in_threads(ask: Ask) -> list[Profile]:
    """All requests at once, each in a thread of its own, and half of its statements in a thread that has its context."""
    opening = profiler()
    barrier = threading.Barrier(REQUESTS)

    def serve(number: int) -> Profile:
        with opening.scope("request", "GET /") as scope, ThreadPoolExecutor(1) as helper:
            barrier.wait()
            for turn in range(STATEMENTS):
                if turn % 2:
                    helper.submit(contextvars.copy_context().run, ask, number).result()
                else:
                    ask(number)
        return scope.profile()

    with ThreadPoolExecutor(REQUESTS) as pool:
        return list(pool.map(serve, range(REQUESTS)))


def test_threads() -> None:
    here = threading.local()
    opened: list[Any] = []

    def ask(number: int) -> object:
        if not hasattr(here, "database"):
            opened.append(manager := shop())
            here.database = manager.__enter__()
        database: Connection = here.database
        return database.execute("SELECT ?", (number,)).fetchall()

    check(in_threads(ask))
    for manager in opened:
        manager.__exit__(None, None, None)


def test_threads_with_sqlalchemy(sqlite_database: services.TemporaryDatabase) -> None:
    engine = create_engine(sqlite_database.sqlalchemy_url(), pool_size=2 * REQUESTS)
    dbprofile_sqlalchemy.install()

    def ask(number: int) -> object:
        with engine.connect() as connection:
            return connection.execute(text("SELECT :number"), {"number": number}).all()

    try:
        with engine.connect():
            pass
        check(in_threads(ask))
    finally:
        dbprofile_sqlalchemy.uninstall()
        engine.dispose()


@pytest.fixture
def django_database(request: pytest.FixtureRequest, sqlite_database: services.TemporaryDatabase) -> Iterator[None]:
    with project.database_access(request), project.using(sqlite_database):
        yield


def ask_django(number: int, *, leaving: bool = False) -> object:
    try:
        with django_connection.cursor() as cursor:
            cursor.execute("SELECT %s", [number])
            return cursor.fetchall()
    finally:
        if leaving:
            django_connection.close()


@pytest.mark.usefixtures("django_database")
def test_threads_with_django() -> None:
    check(in_threads(partial(ask_django, leaving=True)))


# --- tasks ----------------------------------------------------------------------------------------------------------


async def in_tasks(ask: Callable[[int], Any]) -> list[Profile]:
    """All requests at once, each in a task of its own, and half of its statements in tasks inside it."""
    opening = profiler()

    async def serve(number: int) -> Profile:
        with opening.scope("request", "GET /") as scope:
            for turn in range(0, STATEMENTS, 4):
                await ask(number)
                await asyncio.gather(*(ask(number) for _ in range(min(2, STATEMENTS - turn - 1))))
                if turn + 3 < STATEMENTS:
                    await asyncio.create_task(ask(number))
        return scope.profile()

    return await asyncio.gather(*map(serve, range(REQUESTS)))


async def test_tasks() -> None:
    with shop() as database:

        async def ask(number: int) -> object:
            await asyncio.sleep(0)
            cursor = database.execute("SELECT ?", (number,))
            await asyncio.sleep(0)
            return cursor.fetchall()

        check(await in_tasks(ask))


async def test_tasks_with_sqlalchemy() -> None:
    with closing(onloop.connect()) as connection:
        engine: AsyncEngine = create_async_engine("sqlite+onloop://", creator=lambda: connection, poolclass=StaticPool)
        dbprofile_sqlalchemy.install()

        async def ask(number: int) -> object:
            async with engine.connect() as connected:
                return (await connected.execute(text("SELECT :number"), {"number": number})).all()

        try:
            async with engine.connect():
                pass
            check(await in_tasks(ask))
        finally:
            dbprofile_sqlalchemy.uninstall()
            await engine.dispose()


@pytest.mark.usefixtures("django_database")
async def test_tasks_with_django() -> None:
    check(await in_tasks(sync_to_async(ask_django)))
