"""Timed fetches: methods put once on Django's class of cursors, which add to the query that the cursor runs.

Without a query they only do what Django does there: driver errors become those of ``django.db``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from dbprofile.hooks import fetched

__all__ = ["leave_fetches", "originals", "time_fetches"]


def _fetchone(self: Any) -> Any:
    query = self._dbprofile
    if query is None:
        with self.db.wrap_database_errors:
            return self.cursor.fetchone()
    started = perf_counter_ns()
    try:
        with self.db.wrap_database_errors:
            row = self.cursor.fetchone()
    except BaseException as error:
        fetched(query, started, (), error)
        raise
    fetched(query, started, () if row is None else (row,))
    return row


def _fetchmany(self: Any, *args: Any, **keywords: Any) -> Any:
    query = self._dbprofile
    if query is None:
        with self.db.wrap_database_errors:
            return self.cursor.fetchmany(*args, **keywords)
    started = perf_counter_ns()
    try:
        with self.db.wrap_database_errors:
            rows = self.cursor.fetchmany(*args, **keywords)
    except BaseException as error:
        fetched(query, started, (), error)
        raise
    fetched(query, started, rows)
    return rows


def _fetchall(self: Any) -> Any:
    query = self._dbprofile
    if query is None:
        with self.db.wrap_database_errors:
            return self.cursor.fetchall()
    started = perf_counter_ns()
    try:
        with self.db.wrap_database_errors:
            rows = self.cursor.fetchall()
    except BaseException as error:
        fetched(query, started, (), error)
        raise
    fetched(query, started, rows)
    return rows


def _iterate(self: Any) -> Iterator[Any]:
    query = self._dbprofile
    with self.db.wrap_database_errors:
        if query is None:
            yield from self.cursor
            return
        rows: Iterator[Any] | None = None
        while True:
            started = perf_counter_ns()
            try:
                rows = iter(self.cursor) if rows is None else rows
                row = next(rows)
            except StopIteration:
                fetched(query, started, ())
                return
            except BaseException as error:
                fetched(query, started, (), error)
                raise
            fetched(query, started, (row,))
            yield row


_FETCHES: Final[dict[str, Callable[..., Any]]] = {
    "fetchone": _fetchone,
    "fetchmany": _fetchmany,
    "fetchall": _fetchall,
    "__iter__": _iterate,
}
#: Those of ours that are on the class, or below what others have put there since.
_ours: dict[str, Callable[..., Any]] = {}
#: What the class had of its own before; where it had nothing, ``__getattr__`` answers again after ``uninstall``.
originals: dict[str, Any] = {}


def time_fetches(callproc: Callable[..., Any]) -> None:
    """Put the methods on the class; ``callproc`` goes with them, because no execute wrapper sees it."""
    # It stays when the rest goes: a statement in flight on another thread may still read it.
    CursorWrapper._dbprofile = None  # type: ignore[attr-defined]
    for name, function in {**_FETCHES, "callproc": callproc}.items():
        if name in _ours:
            continue
        _ours[name] = function
        if name in CursorWrapper.__dict__:
            originals[name] = CursorWrapper.__dict__[name]
        setattr(CursorWrapper, name, function)


def leave_fetches() -> None:
    """Put back what the class had, where nobody has put theirs over ours since."""
    for name, function in list(_ours.items()):
        if CursorWrapper.__dict__.get(name) is not function:
            continue
        del _ours[name]
        if name in originals:
            setattr(CursorWrapper, name, originals[name])
        else:
            delattr(CursorWrapper, name)
