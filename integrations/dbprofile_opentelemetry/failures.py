"""What a failed statement is called: the status code of the database, and the type of the error. Never the message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["describe"]

#: Classes of PostgreSQL's codes that are no errors: success, and warnings.
_NO_ERRORS: Final = ("00", "01")


def describe(exception: BaseException, system: str) -> tuple[str | None, str]:
    """The status code, ``None`` where the driver gives none, and the ``error.type``.

    Args:
        exception: as the library raised it; the driver's own is looked for inside it.
        system: the ``db.system.name``.
    """
    original = _driver_exception(exception)
    code = _code(original)
    if code is not None and system == "postgresql" and code.startswith(_NO_ERRORS):
        code = None
    return code, code if code is not None else _qualified_name(type(original))


def _driver_exception(exception: BaseException) -> BaseException:
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


def _qualified_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


_CODES: Final[tuple[Callable[[BaseException], object], ...]] = (
    _attribute("sqlstate"),  # psycopg, asyncpg
    _attribute("pgcode"),  # psycopg2
    _attribute("sqlite_errorname"),
    _oracle,
    _first_argument,
    _number,
)
