"""What a driver's exception says of a failed statement: its code, never its message, which may hold data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dbprofile.guard import guarded

__all__ = ["driver_exception", "error_code"]


@guarded("failures.error_code", None)
def error_code(exception: BaseException) -> str | None:
    """The code by which the database names the failure: a SQLSTATE, a number of MySQL's, a name of SQLite's; ``None`` without one."""
    return _code(driver_exception(exception))


def driver_exception(exception: BaseException) -> BaseException:
    """The driver's own exception, which libraries wrap in theirs."""
    inner = getattr(exception, "orig", None)  # SQLAlchemy
    if isinstance(inner, BaseException):
        return inner
    cause = exception.__cause__  # Django
    return cause if cause is not None and type(exception).__module__.startswith("django.db") else exception


def _code(exception: BaseException) -> str | None:
    for read in _CODES:
        code = read(exception)
        # A failure of Python's own has arguments too, but no code among them.
        if isinstance(code, (str, int)) and not isinstance(code, bool) and code != "":
            return str(code)
    return None


def _attribute(name: str) -> Callable[[BaseException], object]:
    return lambda exception: getattr(exception, name, None)


def _oracle(exception: BaseException) -> object:
    return getattr(exception.args[0], "full_code", None) if exception.args else None


def _first_argument(exception: BaseException) -> object:
    return exception.args[0] if exception.args and _driver(exception) in {"MySQLdb", "pymysql", "pyodbc"} else None


def _number(exception: BaseException) -> object:
    # An OSError has an errno too, which is none of the database's.
    return getattr(exception, "errno", None) if _driver(exception) == "mysql" else None


def _driver(exception: BaseException) -> str:
    return type(exception).__module__.partition(".")[0]


_CODES: Final[tuple[Callable[[BaseException], object], ...]] = (
    _first_argument,  # MySQL's drivers, whose SQLSTATE says less than the number
    _number,
    _attribute("sqlstate"),  # psycopg, asyncpg
    _attribute("pgcode"),  # psycopg2
    _attribute("sqlite_errorname"),
    _oracle,
)
