"""Asks the adapters' providers for the edit that cures a finding. Knows no ORM itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dbprofile.capture.callsite import CallSite, Path
from dbprofile.capture.provenance import Lineage
from dbprofile.findings.finding import Fix
from dbprofile.sql.statement import Statement

__all__ = ["FixProvider", "Problem", "fix_libraries", "propose", "register_fixes", "unregister_fixes"]


@dataclass(frozen=True)
class Problem:
    """What a provider is told of a finding that it may know a cure for."""

    library: str
    """Whose statements they are: ``django`` or ``sqlalchemy``."""
    kind: str
    """Kind of the finding: ``n_plus_one``, ``query_loop`` …"""
    relation: str | None
    relation_kind: str
    operation: str
    """What the application called: ``get``, ``all``, ``first``, ``count``, or empty."""
    variant: str
    chain: tuple[Lineage, ...]
    """The relations from the origin's rows down to the one that loads, that one included; each names its relation and kind."""
    origin: CallSite | None
    """Where the first rows were loaded."""
    origin_path: Path
    """The origin and its callers, innermost first."""
    trigger: CallSite | None
    count: int
    model: str = ""
    """The class whose rows are read or written, as the library names it."""
    verb: str = ""
    """Of the statement that repeats: ``SELECT``, ``INSERT`` …"""
    statement: Statement | None = None
    columns: tuple[str, ...] = ()
    """What the turns of a loop differ in: names of columns, without their table and without quotes."""
    repeated: tuple[Lineage, ...] = ()
    """The links of the chain that load row by row; the others are loaded once, or joined."""


#: A provider answers ``None`` where it knows no cure.
FixProvider = Callable[[Problem], Fix | None]

_providers: dict[str, FixProvider] = {}


def register_fixes(library: str, provider: FixProvider) -> None:
    """Let ``provider`` propose the fixes for statements of ``library``."""
    _providers[library] = provider


def unregister_fixes(library: str) -> None:
    """Undo ``register_fixes``."""
    _providers.pop(library, None)


def fix_libraries() -> frozenset[str]:
    """The libraries whose statements somebody proposes fixes for: those that an adapter is installed for."""
    return frozenset(_providers)


def propose(problem: Problem) -> Fix | None:
    """The fix for a problem; ``None`` where no provider knows one."""
    provider = _providers.get(problem.library)
    return provider(problem) if provider is not None else None
