"""What is known of an engine without asking it: its Database, and whether its connections commit by themselves."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Final

from dbprofile.hooks import Database, guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

__all__ = ["Facts", "facts_of", "forget_engine", "forget_engines", "known_facts"]

#: How SQL of these dialects is read; of all others like that of none in particular.
_DIALECTS: Final = {
    "postgresql": "postgresql",
    "cockroachdb": "postgresql",
    "redshift": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
}


class Facts:
    """What does not change while an engine lives."""

    __slots__ = ("autocommit", "database")

    def __init__(self, database: Database, *, autocommit: bool) -> None:
        self.database = database
        self.autocommit = autocommit


# By id, with a weak reference beside it that takes the entry out: a look-up costs one call, and no engine is kept alive.
known_facts: dict[int, Facts] = {}
_alive: dict[int, weakref.ref[Engine]] = {}


def facts_of(engine: Engine) -> Facts:
    """The facts of an engine, read off it when first asked for. Never with its user or password."""
    found = known_facts.get(id(engine))
    if found is None:
        found = known_facts[id(engine)] = _read(engine)
        _alive[id(engine)] = weakref.ref(engine, _forgetter(id(engine)))
    return found


def forget_engine(engine: Engine) -> None:
    """Read an engine anew when it is next asked for: while it connects, its dialect is still learning what it talks to."""
    known_facts.pop(id(engine), None)
    _alive.pop(id(engine), None)


def forget_engines() -> None:
    """Read every engine anew."""
    known_facts.clear()
    _alive.clear()


def _forgetter(key: int) -> Callable[[object], None]:
    @guarded("sqlalchemy.forget", None)
    def forget(_reference: object) -> None:
        known_facts.pop(key, None)
        _alive.pop(key, None)

    return forget


def _read(engine: Engine) -> Facts:
    dialect: Any = engine.dialect
    url = engine.url
    system = "mariadb" if getattr(dialect, "is_mariadb", False) else dialect.name
    database = Database(
        name=engine.logging_name or "default",
        system=system,
        dialect=_DIALECTS.get(dialect.name, "generic"),
        paramstyle=dialect.paramstyle,
        namespace=url.database,
        host=url.host,
        port=url.port,
        library="sqlalchemy",
        awaited=bool(getattr(dialect, "is_async", False)),
    )
    level = getattr(dialect, "_on_connect_isolation_level", None)
    return Facts(database, autocommit=level == "AUTOCOMMIT")
