"""CutText: the beginning of a text that was too long to be kept whole."""

from typing import Final

__all__ = ["BEGINNING", "CutText"]

#: Characters that are kept.
BEGINNING: Final = 16 * 1024


class CutText(str):
    """The beginning of a text, equal only to that of the same text: two lists of different values are not one statement sent twice.

    Attributes:
        length: of the whole text, in characters; in bytes where it came as those.
    """

    __slots__ = ("_identity", "length")

    _identity: int
    length: int

    @classmethod
    def of(cls, text: str | bytes) -> "CutText":
        """Cut a text off."""
        head = text[:BEGINNING]
        cut = cls(head if isinstance(head, str) else head.decode("utf-8", "replace"))
        cut._identity = hash(text)
        cut.length = len(text)
        return cut

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CutText):
            return False
        return self._identity == other._identity and self.length == other.length and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return self._identity
