"""Numbers as people read them: two or three significant digits, unit attached."""

__all__ = ["duration", "quantity", "times"]


def duration(seconds: float) -> str:
    """A duration: ``0.4 ms``, ``8 ms``, ``61 ms``, ``1.81 s``, ``2 min 5 s``."""
    if seconds >= 99.95:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    if seconds >= 0.9995:
        return f"{seconds:.1f} s" if seconds >= 9.995 else f"{seconds:.2f} s"
    milliseconds = seconds * 1000
    if milliseconds >= 9.95:
        return f"{milliseconds:.0f} ms"
    if milliseconds >= 0.095:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds * 1000:.0f} us"


def quantity(number: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 query``, ``54 queries``, ``4,812 queries``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def times(number: int) -> str:
    """How often: ``50x``."""
    return f"{number:,}x"
