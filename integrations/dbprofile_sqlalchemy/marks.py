"""SQLAlchemy's own functions that tell, when they are met on the stack, why a statement runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Query, Session, loading, persistence, strategies

from dbprofile import hooks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

__all__ = ["LOADER", "MODEL", "OPERATION", "WRITE", "forget_marks", "know_marks"]

#: Kinds of marks: what writes, what the application called, what loads for rows that are there already, what names a mapper.
WRITE: Final = "write"
OPERATION: Final = "operation"
LOADER: Final = "loader"
MODEL: Final = "model"

# Owner, names by which versions know it (one that none knows costs a detail, no more), what we call it, kind.
_FUNCTIONS: Final[tuple[tuple[object, tuple[str, ...], str, str], ...]] = (
    (Session, ("_flush",), "flush", WRITE),
    (Session, ("_bulk_save_mappings",), "bulk_save", WRITE),
    (Session, ("delete",), "delete", WRITE),
    (Session, ("delete_all",), "delete", WRITE),
    (Session, ("get",), "get", OPERATION),
    (Session, ("get_one",), "get", OPERATION),
    (Session, ("refresh",), "refresh", OPERATION),
    (Session, ("merge",), "merge", OPERATION),
    (Session, ("merge_all",), "merge", OPERATION),
    (Query, ("get",), "get", OPERATION),
    (Query, ("first",), "first", OPERATION),
    (Query, ("one",), "get", OPERATION),
    (Query, ("one_or_none",), "get", OPERATION),
    (Query, ("count",), "count", OPERATION),
    (persistence, ("_save_obj", "save_obj"), "save", MODEL),
    (persistence, ("_delete_obj", "delete_obj"), "delete", MODEL),
    (persistence, ("_post_update", "post_update"), "save", MODEL),
    (strategies, ("_SelectInLoader._load_for_path", "SelectInLoader._load_for_path"), "selectin", LOADER),
    (strategies, ("_ImmediateLoader._load_for_path", "ImmediateLoader._load_for_path"), "immediate", LOADER),
    (strategies, ("_DeferredColumnLoader._load_for_state", "DeferredColumnLoader._load_for_state"), "deferred", LOADER),
    (DefaultDialect, ("do_execute",), "driver", hooks.LAYER),
    (DefaultDialect, ("do_executemany",), "driver", hooks.LAYER),
    (DefaultDialect, ("do_execute_no_params",), "driver", hooks.LAYER),
    (loading, ("_load_subclass_via_in", "load_subclass_via_in"), "subclass", LOADER),
)
#: Functions made anew on each call of another one: their code is among the constants of that one's.
_INNER: Final = {"subclass": "do_load"}


def _known() -> Iterator[tuple[CodeType, hooks.Mark]]:
    for owner, names, name, kind in _FUNCTIONS:
        for candidate in names:
            code = _code(owner, candidate, _INNER.get(name))
            if code is not None:
                yield code, hooks.Mark(name, kind)
                break


def _code(owner: object, name: str, inner: str | None) -> CodeType | None:
    found: object = owner
    for part in name.split("."):
        found = getattr(found, part, None)
    found = getattr(found, "__wrapped__", found)
    code: CodeType | None = getattr(found, "__code__", None)
    if code is None or inner is None:
        return code
    return next((constant for constant in code.co_consts if getattr(constant, "co_name", "") == inner), None)


def know_marks(*, whole: bool) -> None:
    """Enter the functions into the table of the walk.

    Args:
        whole: whether every engine is recorded; else its dialect's functions also send what nobody records above the driver.
    """
    hooks.layers["sqlalchemy"] = whole
    for code, mark in _known():
        if whole or mark.kind != hooks.LAYER:
            hooks.know(code, mark)


def forget_marks() -> None:
    """Take them out again."""
    hooks.layers.pop("sqlalchemy", None)
    for code, _ in _known():
        hooks.forget(code)
