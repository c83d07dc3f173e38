"""How many queries are expected: a number, or a range of them."""

from __future__ import annotations

from dataclasses import dataclass

from dbprofile.errors import ConfigurationError

__all__ = ["Bound", "Count", "at_least", "at_most", "between", "bound_of"]


@dataclass(frozen=True)
class Bound:
    """A range of numbers, both ends included; ``None`` is an open end."""

    low: int | None = None
    high: int | None = None

    def allows(self, number: int) -> bool:
        """Whether the number lies in the range."""
        return not self.is_under(number) and not self.is_over(number)

    def is_under(self, number: int) -> bool:
        """Whether the number is too small."""
        return self.low is not None and number < self.low

    def is_over(self, number: int) -> bool:
        """Whether the number is too great."""
        return self.high is not None and number > self.high

    def __str__(self) -> str:
        if self.low == self.high:
            return "any number" if self.low is None else f"{self.low:,}"
        if self.low is None:
            return f"at most {self.high:,}"
        if self.high is None:
            return f"at least {self.low:,}"
        return f"{self.low:,} to {self.high:,}"


#: What an expectation may be: ``3``, ``at_most(3)``, ``at_least(1)``, ``between(2, 4)``.
Count = int | Bound


def at_most(number: int) -> Bound:
    """So many or fewer.

    Raises:
        ConfigurationError: if it is no whole number, or negative.
    """
    return Bound(high=_checked(number))


def at_least(number: int) -> Bound:
    """So many or more.

    Raises:
        ConfigurationError: if it is no whole number, or negative.
    """
    return Bound(low=_checked(number))


def between(low: int, high: int) -> Bound:
    """From ``low`` to ``high``, both allowed.

    Raises:
        ConfigurationError: if one is no whole number, or negative, or ``low`` is the greater one.
    """
    bound = Bound(_checked(low), _checked(high))
    if low > high:
        raise ConfigurationError(f"between({low}, {high}) allows no number; write between({high}, {low})")
    return bound


def bound_of(count: Count) -> Bound:
    """A number as the range that holds it alone; a range as it is.

    Raises:
        ConfigurationError: for anything else.
    """
    if isinstance(count, Bound):
        return count
    number = _checked(count)
    return Bound(number, number)


def _checked(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool):
        raise ConfigurationError(
            f"{number!r} is no number of queries; write 3, at_most(3), at_least(3) or between(1, 3)"
        )
    if number < 0:
        raise ConfigurationError(f"{number} is negative; no block sends fewer than 0 queries")
    return int(number)
