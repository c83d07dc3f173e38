"""Django REST framework: the path of the field that is being serialized, from the outermost serializer in."""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import Final

__all__ = ["field_path"]

#: Paths that are kept; beyond it each is put together anew.
PATH_LIMIT: Final = 10_000

_paths: dict[tuple[str, ...], str] = {}


def field_path(frames: Sequence[FrameType]) -> str:
    """``OrderSerializer.customer.name``.

    Args:
        frames: of ``Serializer.to_representation``, innermost first.
    """
    names = [type(frames[-1].f_locals.get("self")).__name__]
    names += [getattr(frame.f_locals.get("field"), "field_name", None) or "?" for frame in reversed(frames)]
    key = tuple(names)
    path = _paths.get(key)
    if path is None:
        path = ".".join(key)
        if len(_paths) < PATH_LIMIT:
            _paths[key] = path
    return path
