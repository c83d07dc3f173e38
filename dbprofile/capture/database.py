"""Database: one engine or alias, and what is known of it without asking it."""

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Database"]


@dataclass(frozen=True)
class Database:
    """One SQLAlchemy engine, Django alias or DB-API connection factory. Never holds a user or a password."""

    name: str
    """The Django alias, or the engine's ``logging_name``; ``default`` where it has none."""
    system: str = "other_sql"
    """The product in the library's own word: ``postgresql``, ``mysql``, ``mariadb``, ``sqlite`` …"""
    dialect: str = "generic"
    """How its SQL is read: ``postgresql``, ``mysql``, ``sqlite`` or ``generic``."""
    paramstyle: str | None = None
    """The style of placeholders in texts that reach the hook; ``None`` where it is unknown."""
    namespace: str | None = None
    """The database (PostgreSQL also ``database|schema``), as far as known from the connection's settings."""
    host: str | None = None
    port: int | None = None
    library: str = "dbapi"
    """Which library sent the statement: ``django``, ``sqlalchemy`` or ``dbapi``. It decides who can propose a fix."""
    awaited: bool = False
    """Its driver is asynchronous: a statement in flight does not stop the event loop."""
    connect: Callable[[], object] | None = field(default=None, repr=False, compare=False)
    """Opens a connection of one's own, for plans; holds its engine weakly."""
