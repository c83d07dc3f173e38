"""A small database of customers and their orders, on the smallest source of queries. Any scope must work with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from dbprofile import hooks
from dbprofile.testing.suite.source import DATABASE, Connection, Cursor

__all__ = ["DATABASE", "Connection", "Cursor", "shop"]


@contextmanager
def shop(path: str = ":memory:") -> Iterator[Connection]:
    """A connection to a database of customers and their orders."""
    connection = sqlite3.connect(path, factory=Connection, check_same_thread=False)
    try:
        with hooks.muted():
            connection.execute("CREATE TABLE IF NOT EXISTS customer (id INTEGER PRIMARY KEY, name TEXT)")
            connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, customer_id INTEGER)")
            for number in range(1, 6):
                connection.execute("INSERT OR IGNORE INTO customer VALUES (?, ?)", (number, f"customer {number}"))
                connection.execute("INSERT OR IGNORE INTO orders VALUES (?, ?)", (number, number))
        yield connection
    finally:
        connection.close()
