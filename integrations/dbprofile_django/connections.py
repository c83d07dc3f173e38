"""Link: what is known of one connection, and the wrapper put on it."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from dbprofile.hooks import Database, Query, guarded

__all__ = ["Link", "database_of", "describe", "link_of"]

_DIALECTS: Final = frozenset({"postgresql", "mysql", "sqlite"})

_serials = count(1)
_transactions = count(1)


class Link:
    """What is known of one connection: its database, its serial, and the transaction it is in."""

    __slots__ = ("_block", "_last", "_mark", "_number", "database", "is_inside", "serial")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.serial = next(_serials)
        self.is_inside = False
        self._block: object = None
        self._mark: object = None
        self._last: object = None
        self._number: int | None = None

    def transaction(self, connection: Any, sql: object) -> int | None:
        """The number of the transaction: one for each outermost ``atomic`` block, ``None`` in autocommit.

        A block made by a decorator is one object at every call, so the list of commit hooks is compared too: Django
        replaces it at the end of each transaction, and also when it rolls back to a savepoint. The blocks of a test case are
        no transaction of the application's; a block inside them is told by its savepoint.
        """
        last, self._last = self._last, sql
        block, depth = _outermost(connection)
        self.is_inside = block is not None
        if block is None:
            self._block = self._mark = self._last = self._number = None
            return None
        mark = _savepoint(connection, depth) if depth else connection.run_on_commit
        if not depth and mark is not self._mark and isinstance(last, str) and last.startswith("ROLLBACK TO"):
            self._mark = mark
        if self._number is None or block is not self._block or mark is not self._mark:
            self._block, self._mark = block, mark
            self._number = next(_transactions)
        return self._number


def _outermost(connection: Any) -> tuple[object, int]:
    if connection.in_atomic_block:
        for depth, block in enumerate(connection.atomic_blocks):
            if not getattr(block, "_from_testcase", False):
                return block, depth
    return None, 0


def _savepoint(connection: Any, depth: int) -> object:
    # The first block has a savepoint only where autocommit was off when it began.
    names = connection.savepoint_ids
    index = depth - (len(connection.atomic_blocks) - len(names))
    return names[index] if 0 <= index < len(names) else None


@guarded("django.link", None)
def link_of(connection: Any) -> Link | None:
    """The link of a connection, made where it has none: somebody may have handed our wrapper on to a connection of theirs."""
    link: Link | None = connection.__dict__.get("_dbprofile")
    if link is None:
        link = connection._dbprofile = Link(database_of(connection))
    return link


@guarded("django.connection", None, hot=True)
def describe(query: Query, connection: Any, link: Link, sql: object) -> None:
    """Say on which connection and in which transaction a statement runs."""
    query.connection = link.serial
    if connection.in_atomic_block or link.is_inside:
        query.transaction = link.transaction(connection, sql)
    query.autocommit = query.transaction is None and (connection.autocommit or connection.in_atomic_block)


def database_of(connection: Any) -> Database:
    """What the settings say of a connection's database; neither user nor password."""
    options = connection.settings_dict
    system = connection.vendor
    # Never asked of the server: Django has read the version while it connected.
    version = connection.__dict__.get("mysql_server_data", {}).get("version", "")
    if "mariadb" in str(version).lower():
        system = "mariadb"
    port = str(options.get("PORT") or "")
    return Database(
        name=connection.alias,
        system=system,
        dialect=connection.vendor if connection.vendor in _DIALECTS else "generic",
        paramstyle="format",
        namespace=str(options.get("NAME") or "") or None,
        host=options.get("HOST") or None,
        port=int(port) if port.isdigit() else None,
        library="django",
    )
