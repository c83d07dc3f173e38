"""The ledger of what was sent: each driver's account is complete, in order, and names the thread."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pymysql
import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests import services
from tests.ledger import Ledger, Sent, telling

POSTGRESQL = pytest.mark.service("postgresql")
DRIVERS = [
    "sqlite pysqlite",
    pytest.param("postgresql psycopg", marks=POSTGRESQL),
    pytest.param("postgresql psycopg2", marks=POSTGRESQL),
    pytest.param("mariadb pymysql", marks=pytest.mark.service("mariadb")),
]
ASYNC_DRIVERS = ["sqlite aiosqlite", pytest.param("postgresql asyncpg", marks=POSTGRESQL)]

Open = Callable[[Any], services.TemporaryDatabase]


@pytest.fixture
def database_of(tmp_path: Path) -> Iterator[Open]:
    """The database that belongs to a driver, as one that tells what is sent to it."""
    with ExitStack() as stack:

        def open_database(system: services.System) -> services.TemporaryDatabase:
            database = stack.enter_context(services.temporary_database(system, tmp_path))
            stack.enter_context(telling(database))
            return database

        yield open_database


def kinds(ledger: Ledger) -> list[str]:
    return [" ".join(entry.split()[:2]) for entry in ledger.sent]


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_statement_is_entered_in_order_and_the_drivers_own_apart(driver: str, database_of: Open) -> None:
    system, _, name = driver.partition(" ")
    engine = create_engine(database_of(system).sqlalchemy_url(name))
    with Ledger() as ledger:
        event.listen(engine, "connect", lambda connection, _: ledger.watch(connection))
        engine.connect().close()
        ledger.forget()
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE word (text VARCHAR(20))"))
            connection.execute(text("INSERT INTO word VALUES (:word)"), {"word": "né: e"})
            connection.execute(text("SELECT text FROM word WHERE text = :word"), {"word": "née"})
        assert kinds(ledger) == ["CREATE TABLE", "INSERT INTO", "SELECT text"]
        assert "COMMIT" in ledger.sent_by_drivers
    before = list(ledger.entries)
    with engine.connect() as connection:
        connection.execute(text("SELECT text FROM word"))
    assert ledger.entries == before, "a ledger that was left goes on"
    engine.dispose()


@pytest.mark.parametrize("driver", ASYNC_DRIVERS)
async def test_asynchronous_drivers_have_an_account_too(driver: str, database_of: Open) -> None:
    system, _, name = driver.partition(" ")
    engine = create_async_engine(database_of(system).sqlalchemy_url(name))
    with Ledger() as ledger:
        event.listen(engine.sync_engine, "connect", lambda connection, _: ledger.watch(connection))
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 17"))
            await connection.execute(text("SELECT 18"))
        assert [entry for entry in ledger.sent if entry in {"SELECT 17", "SELECT 18"}] == ["SELECT 17", "SELECT 18"]
    await engine.dispose()


@POSTGRESQL
async def test_a_connection_of_asyncpg_itself_is_watched(database_of: Open) -> None:
    database = database_of("postgresql")
    connection = await asyncpg.connect(database.sqlalchemy_url("x").replace("+x", ""))
    with Ledger() as ledger:
        ledger.watch(connection)
        ledger.watch(connection)
        await connection.fetch("SELECT $1::int", 1)
    await connection.close()
    assert ledger.sent == ["SELECT $1::int"]


@pytest.mark.service("mariadb")
def test_what_a_module_opens_is_watched_from_its_first_statement(database_of: Open) -> None:
    database = database_of("mariadb")
    with Ledger() as ledger, ledger.watching(pymysql):
        connection = pymysql.connect(
            host=database.host,
            port=database.port,
            user=database.user,
            password=database.password,
            database=database.name,
        )
        connection.cursor().execute("SELECT %s", ["one"])
        connection.close()
    assert ledger.sent[-1] == "SELECT 'one'"


def test_a_batch_is_an_entry_for_each_of_its_sets(database_of: Open) -> None:
    engine = create_engine(database_of("sqlite").sqlalchemy_url())
    with Ledger() as ledger, engine.begin() as connection:
        ledger.watch(connection.connection.driver_connection)
        connection.execute(text("CREATE TABLE word (text VARCHAR(20))"))
        connection.execute(text("INSERT INTO word VALUES (:word)"), [{"word": str(number)} for number in range(3)])
        assert kinds(ledger) == ["CREATE TABLE", *["INSERT INTO"] * 3]
    engine.dispose()


def test_an_entry_names_its_thread(database_of: Open) -> None:
    engine = create_engine(database_of("sqlite").sqlalchemy_url())
    with Ledger() as ledger:
        event.listen(engine, "connect", lambda connection, _: ledger.watch(connection))

        def work() -> None:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1"))

        thread = threading.Thread(target=work, name="elsewhere")
        thread.start()
        thread.join()
        assert "SELECT 1" in ledger.sent_in("elsewhere")
        assert not ledger.sent_in(threading.current_thread().name)
    engine.dispose()


@pytest.mark.parametrize(
    ("statement", "by_driver"),
    [
        ("BEGIN", True),
        ("commit", True),
        ("SET AUTOCOMMIT = 0", True),
        ('FETCH FORWARD ALL FROM "named"', True),
        ("ROLLBACK", True),
        ("ROLLBACK TO SAVEPOINT s1", False),
        ("SAVEPOINT s1", False),
        ("SELECT 1", False),
    ],
)
def test_what_drivers_send_by_themselves(statement: str, by_driver: bool) -> None:
    assert Sent(statement, "MainThread").by_driver is by_driver
