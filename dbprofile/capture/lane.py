"""Lane: what one thread, or one task of an event loop, does in a scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbprofile.capture.counters import CounterRoom, Counters

if TYPE_CHECKING:
    from dbprofile.capture.callsite import Path
    from dbprofile.capture.provenance import Lineage
    from dbprofile.capture.query import Query

__all__ = ["Lane"]


class Lane:
    """What one thread, or one task of an event loop, does in a scope. It alone writes here.

    Attributes:
        number: 0 opened the scope.
        on_loop: its thread is running an event loop.
        paths: interned call paths.
        roots: interned root lineages.
        notes: what an adapter keeps for the lane, by a key of its own (the runs of an ORM, a holder waiting for its query).
        handed_over: its part of the scope was cut off; what is still in flight belongs to the next one.
        object_seconds: time spent turning rows into objects; ``None`` where no adapter has told.
        unfinished: statements that were begun and whose end nobody has told, by adapters that only hear of the driver call.
    """

    __slots__ = (
        "counters", "handed_over", "notes", "number", "object_seconds", "on_loop", "paths", "queries", "roots", "thread",
        "unfinished",
    )  # fmt: skip

    def __init__(
        self, number: int, thread: str | None, *, on_loop: bool = False, room: CounterRoom | None = None
    ) -> None:
        self.number = number
        self.on_loop = on_loop
        self.thread = thread
        self.queries: list[Query] = []
        self.counters = Counters(room or CounterRoom())
        self.paths: dict[Any, Path] = {}
        self.roots: dict[tuple[object, ...], Lineage] = {}
        self.notes: dict[str, Any] = {}
        self.handed_over = False
        self.object_seconds: float | None = None
        self.unfinished = 0
