"""Prices of articles, read one by one and then at once, with nothing but the standard library's driver."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dbprofile
import dbprofile_dbapi

FILE = Path(__file__).resolve().parent / "prices.sqlite3"


def prices(connection: sqlite3.Connection, articles: list[int]) -> list[int]:
    found = []
    for article in articles:
        row = connection.execute("SELECT price FROM article WHERE id = ?", (article,)).fetchone()
        found.append(row[0])
    return found


def prices_at_once(connection: sqlite3.Connection, articles: list[int]) -> list[int]:
    marks = ", ".join("?" * len(articles))
    rows = connection.execute(f"SELECT id, price FROM article WHERE id IN ({marks})", articles)
    found = dict(rows)
    return [found[article] for article in articles]


def main() -> None:
    dbprofile_dbapi.install("sqlite3")  # the line that turns it on, before the connection is opened
    with closing(sqlite3.connect(FILE)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS article (id INTEGER PRIMARY KEY, price INTEGER)")
        connection.executemany("INSERT OR IGNORE INTO article VALUES (?, ?)", [(n, 10 * n) for n in range(1, 21)])
        connection.commit()
        articles = list(range(1, 21))
        with dbprofile.record("one by one") as sick:
            prices(connection, articles)
        with dbprofile.record("at once") as cured:
            prices_at_once(connection, articles)
    print(sick)
    print(cured)


if __name__ == "__main__":
    main()
