"""What a failed statement is called: the status code of the database, and the type of the error. Never the message."""

from __future__ import annotations

from typing import Final

from dbprofile.hooks import driver_exception, error_code

__all__ = ["describe"]

#: Classes of PostgreSQL's codes that are no errors: success, and warnings.
_NO_ERRORS: Final = ("00", "01")


def describe(exception: BaseException, system: str) -> tuple[str | None, str]:
    """The status code, ``None`` where the driver gives none, and the ``error.type``.

    Args:
        exception: as the library raised it; the driver's own is looked for inside it.
        system: the ``db.system.name``.
    """
    original = driver_exception(exception)
    code = error_code(original)
    if code is not None and system == "postgresql" and code.startswith(_NO_ERRORS):
        code = None
    return code, code if code is not None else _qualified_name(type(original))


def _qualified_name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
