"""The ledger: what was really sent to a database, by the account of the database or its driver, which knows nothing of us.

SQLite traces its statements; PostgreSQL is asked to log them and to send its log to the client, so that the account of each session
reaches its own connection; of PyMySQL the one method is watched through which every command leaves.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType, TracebackType
from typing import Any, Final, Self

import psycopg
import psycopg2.extensions
import pytest
from psycopg import sql
from pymysql.constants import COMMAND

from tests.services import SERVICES, TemporaryDatabase

__all__ = ["Ledger", "Sent", "telling"]

#: What drivers send by themselves: to begin and end transactions, to read on in a cursor of the server, to tidy up.
_DRIVERS_OWN: Final = ("BEGIN", "COMMIT", "ROLLBACK", "SET AUTOCOMMIT", "FETCH ", "MOVE ", "CLOSE ", "DEALLOCATE")
#: What they may begin with all the same, because an application rolls back to its own savepoints.
_APPLICATIONS: Final = "ROLLBACK TO"


@dataclass(frozen=True)
class Sent:
    """One statement, as the database or its driver tells it; values may stand where placeholders were."""

    text: str
    thread: str
    """The name of the thread that sent it."""

    @property
    def by_driver(self) -> bool:
        """Whether a driver sends it by itself. Django's own ``BEGIN`` on SQLite is among them: it cannot be told apart."""
        text = self.text.upper()
        return text.startswith(_DRIVERS_OWN) and not text.startswith(_APPLICATIONS)


class Ledger:
    """Everything that was sent over the connections it watches, in order, from any thread.

    Of a batch each parameter set is an entry, where the driver sends it so. What SQLite cannot compile, and what PostgreSQL cannot
    parse, is in no account of theirs: let a statement fail by a constraint.
    """

    def __init__(self) -> None:
        self.entries: list[Sent] = []
        self._undo: list[Callable[[], object]] = []
        self._watched: list[object] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for undo in self._undo:
            with suppress(sqlite3.ProgrammingError, psycopg.Error, ValueError):  # the connection is closed
                undo()

    # --- reading --------------------------------------------------------------------------------------------------

    @property
    def sent(self) -> list[str]:
        """The texts, but for what drivers send by themselves; of a cursor of the server the query that it was declared for."""
        return [entry.text for entry in self.entries if not entry.by_driver]

    @property
    def sent_by_drivers(self) -> list[str]:
        """The texts that drivers sent by themselves."""
        return [entry.text for entry in self.entries if entry.by_driver]

    def sent_in(self, thread: str) -> list[str]:
        """Those of ``sent`` that a thread of this name sent."""
        return [entry.text for entry in self.entries if entry.thread == thread and not entry.by_driver]

    def forget(self) -> None:
        """Begin at nothing."""
        self.entries.clear()

    # --- watching -------------------------------------------------------------------------------------------------

    def watch(self, connection: Any) -> None:
        """Enter what is sent over a driver's connection from now on; a second time changes nothing.

        Of PostgreSQL the session has to have begun within ``telling()``. An asynchronous connection is given as SQLAlchemy adapts
        it, within its ``connect`` event, or as the driver made it.
        """
        if any(watched is connection for watched in self._watched):
            return
        self._watched.append(connection)
        driver = getattr(connection, "driver_connection", connection)
        module = type(driver).__module__.partition(".")[0]
        if isinstance(driver, psycopg2.extensions.connection):
            module = "psycopg2"
        elif isinstance(driver, sqlite3.Connection):
            module = "sqlite3"
        _WATCHES[module](self, driver if module != "aiosqlite" else connection)

    @contextmanager
    def watching(self, module: ModuleType) -> Iterator[None]:
        """Watch whatever the ``connect`` of a driver's module opens meanwhile, its set-up included."""
        connect = vars(module)["connect"]

        def watched(*arguments: Any, **keywords: Any) -> Any:
            connection = connect(*arguments, **keywords)
            self.watch(connection)
            return connection

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "connect", watched)
            yield

    def _enter(self, text: str) -> None:
        text = text.strip()
        if text.startswith("DECLARE ") and " CURSOR " in text:  # psycopg's named cursor
            text = text.partition(" FOR ")[2]
        self.entries.append(Sent(text, threading.current_thread().name))

    def _watch_sqlite(self, connection: sqlite3.Connection) -> None:
        connection.set_trace_callback(self._enter)
        self._undo.append(lambda: connection.set_trace_callback(None))

    def _watch_aiosqlite(self, adapted: Any) -> None:
        # Its thread alone may touch it, and SQLAlchemy's adapter knows the way there.
        adapted.run_async(lambda connection: connection.set_trace_callback(self._enter))

    def _watch_psycopg(self, connection: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]") -> None:
        def told(notice: psycopg.errors.Diagnostic) -> None:
            self._enter_logged(notice.message_primary or "")

        connection.add_notice_handler(told)
        self._undo.append(lambda: connection.remove_notice_handler(told))

    def _watch_psycopg2(self, connection: Any) -> None:
        connection.notices = _Notices(self._enter_logged)
        self._undo.append(lambda: setattr(connection, "notices", []))

    def _watch_asyncpg(self, connection: Any) -> None:
        def told(_connection: object, notice: Any) -> None:
            self._enter_logged(notice.message)

        connection.add_log_listener(told)
        self._undo.append(lambda: connection.remove_log_listener(told))

    def _watch_pymysql(self, connection: Any) -> None:
        execute = connection._execute_command

        def executed(command: int, text: str | bytes) -> object:
            if command == COMMAND.COM_QUERY:
                self._enter(text if isinstance(text, str) else bytes(text).decode("utf-8", "replace"))
            return execute(command, text)

        connection._execute_command = executed
        self._undo.append(lambda: vars(connection).pop("_execute_command", None))

    def _enter_logged(self, message: str) -> None:
        kind, colon, text = message.partition(": ")
        if colon and (kind == "statement" or kind.startswith("execute ")):
            self._enter(text)


class _Notices:
    """What psycopg2 appends the server's messages to."""

    def __init__(self, enter: Callable[[str], None]) -> None:
        self._enter = enter

    def append(self, notice: str) -> None:
        severity, _, message = notice.partition(":  ")
        if severity == "LOG":
            self._enter(message)


_WATCHES: Final[dict[str, Callable[[Ledger, Any], None]]] = {
    "sqlite3": Ledger._watch_sqlite,
    "aiosqlite": Ledger._watch_aiosqlite,
    "psycopg": Ledger._watch_psycopg,
    "psycopg2": Ledger._watch_psycopg2,
    "asyncpg": Ledger._watch_asyncpg,
    "pymysql": Ledger._watch_pymysql,
}


@contextmanager
def telling(database: TemporaryDatabase) -> Iterator[None]:
    """Sessions that begin meanwhile tell their client what they execute: PostgreSQL has to be asked, the others do it anyway."""
    if database.system == "postgresql":
        _alter(database, "SET log_statement = 'all'", "SET client_min_messages = 'log'")
    yield
    if database.system == "postgresql":
        _alter(database, "RESET log_statement", "RESET client_min_messages")


def _alter(database: TemporaryDatabase, *changes: str) -> None:
    with closing(psycopg.connect(SERVICES["postgresql"].url, autocommit=True)) as connection:
        for change in changes:
            statement = sql.SQL("ALTER DATABASE {} " + change).format(sql.Identifier(database.name))
            connection.execute(statement)
