"""Link: what is known of one connection, kept on it as one attribute."""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from dbprofile.hooks import Database, Stopwatch, guarded
from dbprofile_django.transactions import LINK, Uncommitted

__all__ = ["Link", "database_of", "describe", "link_of"]

_DIALECTS: Final = frozenset({"postgresql", "mysql", "sqlite"})

_serials = count(1)


class Link:
    """What is known of one connection: its database, its serial, and the transaction it is in."""

    __slots__ = ("database", "serial", "uncommitted")

    def __init__(self, database: Database) -> None:
        self.database = database
        self.serial = next(_serials)
        self.uncommitted = Uncommitted()


@guarded("django.link", None)
def link_of(connection: Any) -> Link | None:
    """The link of a connection, made where it has none: somebody may have handed our wrapper on to a connection of theirs."""
    link: Link | None = connection.__dict__.get(LINK)
    if link is None:
        link = connection.__dict__[LINK] = Link(database_of(connection))
    return link


@guarded("django.connection", None, hot=True)
def describe(watch: Stopwatch, connection: Any, link: Link) -> None:
    """Say on which connection and in which transaction a statement runs."""
    query = watch.query
    query.connection = link.serial
    if connection.autocommit:
        query.autocommit = True
        return
    number = query.transaction = link.uncommitted.number(connection)
    if number is not None:
        link.uncommitted.keep(watch.scope, query)
    else:
        query.autocommit = True  # in nothing but the block of a test case


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
