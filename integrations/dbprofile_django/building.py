"""The time in which rows become objects: from the statement on, less what the database took, where nothing else runs in between."""

from __future__ import annotations

from time import perf_counter_ns
from types import FrameType
from typing import Any, Final

from django.db.models.query import RawModelIterable, RawQuerySet

from dbprofile.hooks import Stopwatch, guarded

__all__ = ["BUILDING", "begin_building", "end_building"]

#: The attribute of an iterable that holds the statement whose rows it makes objects of, where that is timed; and the note of a
#: lane that it does so: of iterables inside one another the outermost is timed.
BUILDING: Final = "_dbprofile_building"
#: Frames between the method of a raw queryset that takes all rows and its iterable, our own included.
_NEAR: Final = 4
_FETCH_ALL: Final = getattr(getattr(RawQuerySet, "_fetch_all", None), "__code__", None)


def begin_building(iterable: Any, watch: Stopwatch, frame: FrameType) -> None:
    """Time an iterable of objects, whose statement is about to run; not where the application's code would be timed with it.

    Args:
        iterable: one that is in its first step.
        watch: of its statement.
        frame: of the iterable.
    """
    notes = watch.lane.notes
    if iterable.chunked_fetch or BUILDING in notes or (type(iterable) is RawModelIterable and not _takes_all(frame)):
        return
    notes[BUILDING] = watch.query
    setattr(iterable, BUILDING, watch)


def _takes_all(frame: FrameType | None) -> bool:
    """Whether a raw queryset fills its cache: by ``iterator()`` the application goes through the rows one by one."""
    for _ in range(_NEAR):
        if frame is None:
            break
        if frame.f_code is _FETCH_ALL:
            return True
        frame = frame.f_back
    return False


@guarded("django.end_building", None, hot=True)
def end_building(watch: Stopwatch) -> None:
    """Add the time since the statement that delivered the rows, less that of the database."""
    query, lane = watch.query, watch.lane
    nanoseconds = perf_counter_ns() - query.started
    if lane.notes.pop(BUILDING, None) is not query:
        return  # the scope was closed meanwhile
    seconds = nanoseconds * 1e-9
    for recorded in reversed(lane.queries):
        seconds -= recorded.total_seconds
        if recorded is query:
            watch.scope.add_object_seconds(max(0.0, seconds), lane)
            return
