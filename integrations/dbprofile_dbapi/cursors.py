"""The methods of a cursor that record what it executes and fetches, and the classes that combine them with a driver's or a caller's.

Our methods come first: they see a text as the application sends it, before a class of the caller's changes it, and what such a class
calls on itself while it executes or fetches is a part of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any, Final

from dbprofile.hooks import HOOK, Mark, Query, fetched, know
from dbprofile_dbapi.connections import Link
from dbprofile_dbapi.statements import begin, end, fail

__all__ = ["Cursor", "Iterated", "Next", "Procedures", "combined", "cursor_class", "timed"]

#: Combinations that are kept; an application that makes a class for each of its cursors gets a new one each time.
_KEPT: Final = 256


class Cursor:
    """Goes before a class of cursors."""

    _dbprofile_link: Link | None = None
    _dbprofile_query: Query | None = None

    def execute(self, *arguments: Any, **keywords: Any) -> Any:
        """One statement."""
        __tracebackhide__ = True
        link = self._dbprofile_link
        if link is None or not link.on:
            return super().execute(*arguments, **keywords)  # type: ignore[misc]  # the driver's
        watch = begin(self, link, arguments, keywords)
        if watch is None:
            return super().execute(*arguments, **keywords)  # type: ignore[misc]
        try:
            result = super().execute(*arguments, **keywords)  # type: ignore[misc]
        except BaseException as error:
            fail(watch, self, link, error)
            raise
        end(watch, self, link)
        return result

    def executemany(self, *arguments: Any, **keywords: Any) -> Any:
        """One statement for each of many parameter sets."""
        return self._dbprofile_send(super().executemany, "many", arguments, keywords)  # type: ignore[misc]

    def _dbprofile_send(
        self, call: Callable[..., Any], kind: str, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        __tracebackhide__ = True
        link = self._dbprofile_link
        if link is None or not link.on:
            return call(*arguments, **keywords)
        watch = begin(self, link, arguments, keywords, kind)
        self._dbprofile_link = None  # MySQL's drivers execute on this cursor what they make of a batch
        try:
            result = call(*arguments, **keywords)
        except BaseException as error:
            if watch is not None:
                fail(watch, self, link, error)
            raise
        finally:
            self._dbprofile_link = link
        if watch is not None:
            end(watch, self, link)
        return result

    def fetchone(self) -> Any:
        """One row, or ``None``."""
        query = self._dbprofile_query
        if query is None:
            return super().fetchone()  # type: ignore[misc]
        self._dbprofile_query = None
        started = perf_counter_ns()
        try:
            row = super().fetchone()  # type: ignore[misc]
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        finally:
            self._dbprofile_query = query
        fetched(query, started, () if row is None else (row,))
        return row

    def fetchmany(self, *size: Any, **keywords: Any) -> Any:
        """As many rows as the driver gives."""
        return self._dbprofile_fetch(super().fetchmany, *size, **keywords)  # type: ignore[misc]

    def fetchall(self) -> Any:
        """All rows that are left."""
        return self._dbprofile_fetch(super().fetchall)  # type: ignore[misc]

    def _dbprofile_fetch(self, call: Callable[..., Any], *size: Any, **keywords: Any) -> Any:
        query = self._dbprofile_query
        if query is None:
            return call(*size, **keywords)
        self._dbprofile_query = None
        started = perf_counter_ns()
        try:
            rows = call(*size, **keywords)
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        finally:
            self._dbprofile_query = query
        fetched(query, started, rows)
        return rows


class Procedures(Cursor):
    """Goes before a class of cursors that call procedures."""

    def callproc(self, *arguments: Any, **keywords: Any) -> Any:
        """A procedure of the database's."""
        return self._dbprofile_send(super().callproc, "CALL", arguments, keywords)  # type: ignore[misc]


class Next:
    """Goes before a class of cursors that are their own iterators."""

    _dbprofile_query: Query | None

    def __next__(self) -> Any:
        query = self._dbprofile_query
        if query is None:
            return super().__next__()  # type: ignore[misc]
        self._dbprofile_query = None
        started = perf_counter_ns()
        try:
            row = super().__next__()  # type: ignore[misc]
        except StopIteration:
            fetched(query, started, ())
            raise
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        finally:
            self._dbprofile_query = query
        fetched(query, started, (row,))
        return row


class Iterated:
    """Goes before a class of cursors that give an iterator."""

    _dbprofile_query: Query | None

    def __iter__(self) -> Iterator[Any]:
        rows = super().__iter__()  # type: ignore[misc]
        query = self._dbprofile_query
        return rows if query is None else timed(rows, query)


def timed(rows: Iterator[Any], query: Query) -> Iterator[Any]:
    """The rows of an iterator, each of them timed."""
    while True:
        started = perf_counter_ns()
        try:
            row = next(rows)
        except StopIteration:
            fetched(query, started, ())
            return
        except BaseException as error:
            fetched(query, started, (), error)
            raise
        fetched(query, started, (row,))
        yield row


for _method in (Cursor.execute, Cursor._dbprofile_send):
    know(_method.__code__, Mark("execute", HOOK))

_combined: Final[dict[tuple[type, ...], type]] = {}


def combined(*classes: type) -> Any:
    """The class that inherits from these, in their order, and is called like the driver's or caller's among them."""
    found = _combined.get(classes)
    if found is None:
        given = next(each for each in classes if not each.__module__.startswith("dbprofile_"))
        names = {"__module__": given.__module__, "__qualname__": given.__qualname__, "__doc__": given.__doc__}
        found = type(given)(given.__name__, classes, names)
        if len(_combined) < _KEPT:
            _combined[classes] = found
    return found


def cursor_class(given: type, *ours: type) -> Any:
    """A class of cursors with our methods before its own.

    Args:
        given: the driver's, or the caller's.
        ours: the classes here that fit the driver's.
    """
    return given if issubclass(given, Cursor) else combined(*ours, given)
