"""LongTexts: how much is kept of texts that are longer than nearly all; a scope of the shortest ones needs none of this."""

from __future__ import annotations

from typing import Final

from dbprofile.sql.cut import BEGINNING, CutText

__all__ = ["LONG_TEXT", "ROOM", "LongTexts"]

#: Characters beyond which a text is long. A cut text is none.
LONG_TEXT: Final = BEGINNING
#: Characters of long texts that one outermost scope keeps whole.
ROOM: Final = 1_000_000


class LongTexts:
    """The long texts of a scope and of those inside it: each is kept once, a megabyte of them whole, of the others the beginning."""

    __slots__ = ("_kept", "_room")

    def __init__(self) -> None:
        self._kept: dict[object, object] = {}
        self._room = ROOM

    def keep(self, sql: object) -> object:
        """What stands for a text from now on: itself where it is short, one like it that is there already, or its beginning."""
        if not isinstance(sql, (str, bytes)) or len(sql) <= LONG_TEXT:
            return sql
        known = self._kept.get(sql)
        if known is not None:
            return known
        if len(sql) > self._room:
            return CutText.of(sql)
        self._room -= len(sql)
        return self._kept.setdefault(sql, sql)
