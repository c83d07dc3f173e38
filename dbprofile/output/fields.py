"""Fields: one object of a JSON text, read by name and kind. What is not of its kind says where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["DamagedError", "Fields"]


class DamagedError(ValueError):
    """A field that is missing, or holds what it cannot hold; says which."""


class Fields:
    """The fields of one object.

    Args:
        found: what stands in the text.
        at: how it is called in a message: ``findings[2]``.

    Raises:
        DamagedError: if it is no object; so does each method, for its field.
    """

    def __init__(self, found: object, at: str = "") -> None:
        if not isinstance(found, Mapping):
            raise DamagedError(f"{at or 'it'} is no object")
        self._found: Mapping[str, Any] = found
        self._at = f"{at}." if at else ""

    def __contains__(self, name: str) -> bool:
        return self._found.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required without a default."""
        value = self._value(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def word(self, name: str) -> str:
        """A text that is shown as it is: required, and without anything invisible."""
        value = self.text(name)
        if not value.isprintable():
            raise self._wrong(name, "a word")
        return value

    def maybe_text(self, name: str) -> str | None:
        """A text, or nothing."""
        return self.text(name) if name in self else None

    def number(self, name: str, default: float = 0.0) -> float:
        """A number that is not negative."""
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(name, "a number")
        try:
            number = float(value)
        except OverflowError as error:
            raise self._wrong(name, "a number") from error
        if not math.isfinite(number) or number < 0:
            raise self._wrong(name, "a number from 0 on")
        return number

    def maybe_number(self, name: str) -> float | None:
        """A number, or nothing."""
        return self.number(name) if name in self else None

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number that is not negative, and that some machine has counted up to."""
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
            raise self._wrong(name, "a whole number from 0 on")
        return value

    def maybe_integer(self, name: str) -> int | None:
        """A whole number, or nothing."""
        return self.integer(name) if name in self else None

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def counts(self, name: str) -> dict[str, int]:
        """Whole numbers by name; none where it is missing."""
        fields = Fields(self._value(name, {}), self._at + name)
        return {key: fields.integer(key) for key in fields._found}

    def scalars(self, name: str) -> dict[str, object]:
        """Texts, numbers, truths and nothings by name."""
        fields = Fields(self._value(name, {}), self._at + name)
        for key, value in fields._found.items():
            if not isinstance(value, (str, int, float, bool, type(None))):
                raise fields._wrong(key, "a text or a number")
        return dict(fields._found)

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of texts")
        return tuple(values)

    def integers(self, name: str, below: int) -> list[int]:
        """A list of whole numbers from 0 on, smaller than ``below``."""
        values = self._list(name)
        if not all(type(value) is int and 0 <= value < below for value in values):
            raise self._wrong(name, f"a list of whole numbers below {below}")
        return values

    def each(self, name: str) -> Iterator[Fields]:
        """A list of objects."""
        for index, value in enumerate(self._list(name)):
            yield Fields(value, f"{self._at}{name}[{index}]")

    def inner(self, name: str) -> Fields | None:
        """An object, or nothing."""
        return Fields(self._found[name], self._at + name) if name in self else None

    def _list(self, name: str) -> list[Any]:
        value = self._value(name, [])
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return value

    def _value(self, name: str, default: object) -> Any:
        value = self._found.get(name)
        return default if value is None else value

    def _wrong(self, name: str, kind: str) -> DamagedError:
        lacks = "is missing; it is" if self._found.get(name) is None else "is not"
        return DamagedError(f"{self._at}{name} {lacks} {kind}")
