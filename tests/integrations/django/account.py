"""What was sent and what was seen, side by side: of each statement that we did not record it is known why."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from dbprofile import Profile, Query
from dbprofile.sql.statement import Statement
from tests.integrations.django import project
from tests.ledger import Ledger, Sent

__all__ = ["Account", "opened"]


class Account:
    """The ledger of every connection that Django opens while the account is, and what it sent before it told of a connection.

    Statements are compared by their verb and tables: drivers write values where Django has placeholders.
    """

    def __init__(self, dialect: str) -> None:
        self.ledger = Ledger()
        #: What was sent over new connections before ``connection_created``: without us on a first, past the wrappers on any.
        self.set_up: list[Sent] = []
        self._dialect = dialect
        self._began: dict[str, int] = {}

    def forget(self) -> None:
        """Begin at nothing."""
        self.ledger.forget()
        self.set_up.clear()

    def sent(self) -> list[str]:
        """The statements of the application, in order."""
        new = {id(entry) for entry in self.set_up}
        return [
            self._brief(entry.text) for entry in self.ledger.entries if not entry.by_driver and id(entry) not in new
        ]

    def unseen(self, *profiles: Profile) -> list[str]:
        """What was sent and is in none of these profiles, but for the set-up of connections; nothing else was recorded."""
        sent = Counter(self._brief(entry.text) for entry in self.ledger.entries if not entry.by_driver)
        seen = Counter(_named(query.statement) for query in _own(profiles))
        assert not seen - sent, "recorded, and not sent"
        return sorted((sent - seen - Counter(self._brief(entry.text) for entry in self.set_up)).elements())

    def _brief(self, text: str) -> str:
        return _named(Statement.of(text, self._dialect))

    def _connected(self, connection: Any, began: int) -> None:
        self._began[threading.current_thread().name] = began
        self.ledger.watch(connection)

    def _told(self, **_keywords: Any) -> None:
        thread = threading.current_thread().name
        began = self._began.pop(thread, None)
        if began is not None:
            self.set_up += [entry for entry in self.ledger.entries[began:] if entry.thread == thread]


def _named(statement: Statement) -> str:
    return " ".join((statement.verb, *statement.tables))


def _own(profiles: Iterable[Profile]) -> Iterator[Query]:
    """The queries, without the ``BEGIN`` that Django itself sends on SQLite: in the ledger it is the driver's."""
    for profile in profiles:
        assert not profile.counters
        yield from (query for query in profile.queries if not Sent(query.sql, "").by_driver)


@contextmanager
def opened() -> Iterator[Account]:
    """An account of all connections; those that were open are closed."""
    wrapper: Any = connections["default"]
    account = Account(wrapper.vendor)
    module: Any = sqlite3.dbapi2 if wrapper.vendor == "sqlite" else wrapper.Database
    connect = module.connect

    def watched(*arguments: Any, **keywords: Any) -> Any:
        connection = connect(*arguments, **keywords)
        account._connected(connection, len(account.ledger.entries))
        return connection

    project.close()
    with pytest.MonkeyPatch.context() as patch, account.ledger:
        patch.setattr(module, "connect", watched)
        connection_created.connect(account._told, dispatch_uid="account")
        try:
            yield account
        finally:
            connection_created.disconnect(dispatch_uid="account")
            project.close()
