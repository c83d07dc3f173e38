"""FetchTimer: the proxy round a driver's cursor that times what SQLAlchemy fetches from it."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final

from dbprofile import hooks

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FetchTimer", "new_timer", "set_cursor", "set_query"]


class FetchTimer:
    """Stands for a cursor once its statement has been executed. Everything but fetching goes to the cursor itself.

    What SQLAlchemy reads for every statement is written out: an attribute that ``__getattr__`` finds costs four times as much.
    """

    __slots__ = ("_dbprofile_cursor", "_dbprofile_query")

    _dbprofile_cursor: Any
    _dbprofile_query: hooks.Query

    def fetchone(self) -> Any:
        """One row, or ``None``."""
        started = perf_counter_ns()
        try:
            row = self._dbprofile_cursor.fetchone()
        except BaseException as error:
            hooks.fetched(self._dbprofile_query, started, (), error)
            raise
        hooks.fetched(self._dbprofile_query, started, () if row is None else (row,))
        return row

    def fetchmany(self, *size: Any, **keywords: Any) -> Any:
        """As many rows as the driver gives."""
        started = perf_counter_ns()
        try:
            rows = self._dbprofile_cursor.fetchmany(*size, **keywords)
        except BaseException as error:
            hooks.fetched(self._dbprofile_query, started, (), error)
            raise
        hooks.fetched(self._dbprofile_query, started, rows)
        return rows

    def fetchall(self) -> Any:
        """All rows that are left."""
        started = perf_counter_ns()
        try:
            rows = self._dbprofile_cursor.fetchall()
        except BaseException as error:
            hooks.fetched(self._dbprofile_query, started, (), error)
            raise
        hooks.fetched(self._dbprofile_query, started, rows)
        return rows

    def __iter__(self) -> Iterator[Any]:
        rows = iter(self._dbprofile_cursor)
        while True:
            try:
                row = self._dbprofile_next(rows)
            except StopIteration:
                return
            yield row

    def __next__(self) -> Any:
        return self._dbprofile_next(self._dbprofile_cursor)

    def _dbprofile_next(self, rows: Iterator[Any]) -> Any:
        started = perf_counter_ns()
        try:
            row = next(rows)
        except StopIteration:
            raise
        except BaseException as error:
            hooks.fetched(self._dbprofile_query, started, (), error)
            raise
        hooks.fetched(self._dbprofile_query, started, (row,))
        return row

    @property
    def description(self) -> Any:
        """The columns, as the driver describes them."""
        return self._dbprofile_cursor.description

    @property
    def rowcount(self) -> Any:
        """Rows met by the statement, as the driver counts them."""
        return self._dbprofile_cursor.rowcount

    @property
    def lastrowid(self) -> Any:
        """Key of the last inserted row, where the driver knows it."""
        return self._dbprofile_cursor.lastrowid

    def close(self) -> Any:
        """Close the cursor."""
        return self._dbprofile_cursor.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dbprofile_cursor, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._dbprofile_cursor, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._dbprofile_cursor, name)

    # Applications ask a result for its cursor, and the cursor whose it is.

    @property  # type: ignore[misc]  # what isinstance() reads
    def __class__(self) -> Any:
        return self._dbprofile_cursor.__class__

    def __eq__(self, other: object) -> bool:
        return bool(self._dbprofile_cursor == getattr(other, "_dbprofile_cursor", other))

    def __hash__(self) -> int:
        return hash(self._dbprofile_cursor)

    def __enter__(self) -> Any:
        self._dbprofile_cursor.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._dbprofile_cursor.__exit__(*error)


# A timer is made through its slots: `__setattr__` writes to the cursor, and no `__init__` saves a call for every statement.
new_timer: Final = object.__new__
set_cursor: Final = FetchTimer.__dict__["_dbprofile_cursor"].__set__
set_query: Final = FetchTimer.__dict__["_dbprofile_query"].__set__
