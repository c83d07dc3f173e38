"""A small application, in a file that holds no tests: what its loops send is its own."""

import asyncio
import operator
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

Rows = list[Any]


def all_orders(connection: sqlite3.Connection) -> Rows:
    return connection.cursor().execute("SELECT id, customer_id FROM orders").fetchall()


def all_orders_twice(connection: sqlite3.Connection) -> Rows:
    return all_orders(connection) + all_orders(connection)


def customer(connection: sqlite3.Connection, number: int) -> Rows:
    return connection.cursor().execute("SELECT name FROM customer WHERE id = ?", (number,)).fetchall()


def order_list(connection: sqlite3.Connection) -> list[Rows]:
    """The orders, and for each its customer."""
    return [customer(connection, number) for _, number in all_orders(connection)]


async def order_list_async(connection: sqlite3.Connection) -> list[Rows]:
    found = []
    for _, number in all_orders(connection):
        await asyncio.sleep(0)
        found.append(customer(connection, number))
    return found


def in_list(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    [customer(connection, number) for number in numbers]


def in_set(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    {len(customer(connection, number)) for number in numbers}


def in_dictionary(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    {number: customer(connection, number) for number in numbers}


def in_generator(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    tuple(customer(connection, number) for number in numbers)


def in_for(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    for number in numbers:
        customer(connection, number)


def in_while_test(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    left = list(numbers)
    while left and customer(connection, left.pop()):
        pass


def in_map(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    list(map(lambda number: customer(connection, number), numbers))  # noqa: C417 - a loop that is no line of source


def in_recursion(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    first, *rest = numbers
    customer(connection, first)
    if rest:
        in_recursion(connection, rest)


LOOPS: list[Callable[[sqlite3.Connection, Iterable[int]], None]] = [
    in_list, in_set, in_dictionary, in_generator, in_for, in_while_test, in_map, in_recursion,
]  # fmt: skip


def once_for_each(connection: sqlite3.Connection, number: int) -> Rows:
    """Sends one query each time it is called; the comprehension only reads what came of it."""
    return [operator.itemgetter(0)(row) for row in customer(connection, number)]


async def at_once(*jobs: Awaitable[object]) -> None:
    await asyncio.gather(*jobs)
