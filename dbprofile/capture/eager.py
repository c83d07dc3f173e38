"""EagerLoad: a relation that was loaded for all rows of a query at once, and how often it was read; kept while somebody wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbprofile.capture.provenance import Lineage

__all__ = ["EagerLoad"]


class EagerLoad:
    """One relation of the rows of one query. Holds no row.

    Attributes:
        relation: ``Author.books``.
        lineage: of the rows that it was loaded for.
        unit: the unit of work that loaded it.
        loads: rows for which there was something to load.
        uses: how often somebody read it.
    """

    __slots__ = ("lineage", "loads", "relation", "unit", "uses")

    def __init__(self, relation: str, lineage: Lineage, unit: object, loads: int = 0, uses: int = 0) -> None:
        self.relation = relation
        self.lineage = lineage
        self.unit = unit
        self.loads = loads
        self.uses = uses

    def so_far(self) -> EagerLoad:
        """What it is now; the one that is asked goes on counting."""
        return EagerLoad(self.relation, self.lineage, self.unit, self.loads, self.uses)
