"""A project's own backend: ``cursor()`` takes a name, and its cursors are of a class that fetches and iterates in its own way."""

from collections.abc import Iterator
from typing import Any, TypeVar

from django.db.backends.sqlite3 import base
from django.db.backends.utils import CursorDebugWrapper, CursorWrapper

__all__ = ["DatabaseWrapper", "NamedCursor"]


class NamedCursor(CursorWrapper):
    """Knows its name and the label of its statement; rows are dictionaries where it is iterated."""

    name: str | None = None
    label = ""

    def execute(self, sql: Any, params: Any = None, *, label: str = "") -> Any:
        self.label = label
        return super().execute(sql, params)

    def fetchall(self) -> list[Any]:
        return [tuple(row) for row in self.cursor.fetchall()]

    def __iter__(self) -> Iterator[Any]:
        names = [column[0] for column in self.cursor.description]
        for row in self.cursor:
            yield dict(zip(names, row, strict=True))


class NamedDebugCursor(NamedCursor, CursorDebugWrapper):
    """The same under DEBUG."""


Named = TypeVar("Named", bound=NamedCursor)


class DatabaseWrapper(base.DatabaseWrapper):
    """SQLite's, with cursors that have names."""

    _name: str | None = None

    def cursor(self, name: str | None = None) -> Any:
        self._name = name
        return super().cursor()

    def make_cursor(self, cursor: Any) -> NamedCursor:
        return self._named(NamedCursor(cursor, self))

    def make_debug_cursor(self, cursor: Any) -> NamedDebugCursor:
        return self._named(NamedDebugCursor(cursor, self))

    def _named(self, cursor: Named) -> Named:
        cursor.name, self._name = self._name, None
        return cursor
