"""What keeps events and series few: a limit on the rate of events, a bound on distinct values, and a fresh start after a fork."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from dbprofile import ConfigurationError

__all__ = ["EventRate", "FirstOnes", "RateLimiter"]

#: Keys that a limiter keeps a bucket for; the one that was quiet longest goes first.
KEY_LIMIT: Final = 1_024


@dataclass(frozen=True)
class EventRate:
    """How many events may leave the process."""

    seconds: float = 10.0
    """Of one statement: one event in so many seconds …"""
    burst: int = 3
    """… after so many at once."""
    in_all: float = 50.0
    """Of all statements together: events in a second."""

    def __post_init__(self) -> None:
        for name in ("seconds", "burst", "in_all"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
                raise ConfigurationError(f"dbprofile: EventRate {name}={value!r} is not a number greater than 0")


class _Bucket:
    """Tokens of one key, refilled as time passes."""

    __slots__ = ("level", "size", "speed", "stamp", "suppressed")

    def __init__(self, size: float, speed: float, now: float) -> None:
        self.size = size
        self.speed = speed
        self.level = size
        self.stamp = now
        self.suppressed = 0

    def fill(self, now: float) -> bool:
        self.level = min(self.size, self.level + (now - self.stamp) * self.speed)
        self.stamp = now
        return self.level >= 1


class RateLimiter:
    """Admits events: a few of each key, and not too many of all keys together.

    Args:
        rate: the limits.
        clock: seconds, never running backwards.
    """

    def __init__(self, rate: EventRate, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self.renew()
        _of_this_process.add(self)

    def renew(self) -> None:
        """Forget everything, with a lock of one's own."""
        self._lock = threading.Lock()
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()
        self._all = _Bucket(max(self._rate.in_all, 1.0), self._rate.in_all, self._clock())

    def admit(self, key: Hashable) -> int | None:
        """Ask for one event.

        Returns:
            How many of this key were refused since the last that was admitted; ``None`` where this one is refused too.
        """
        with self._lock:
            now = self._clock()
            bucket = self._bucket(key, now)
            # Both are filled before either is asked for a token: an event refused by one must not cost the other.
            filled, filled_all = bucket.fill(now), self._all.fill(now)
            if not (filled and filled_all):
                bucket.suppressed += 1
                return None
            bucket.level -= 1
            self._all.level -= 1
            suppressed, bucket.suppressed = bucket.suppressed, 0
            return suppressed

    def _bucket(self, key: Hashable, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= KEY_LIMIT:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = _Bucket(self._rate.burst, 1 / self._rate.seconds, now)
        else:
            self._buckets.move_to_end(key)
        return bucket

    def __len__(self) -> int:
        return len(self._buckets)


class FirstOnes:
    """The first distinct values that come, up to a number; whatever comes later is no member.

    A series of a metric lives as long as the process, so the values of an attribute must end somewhere.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.renew()
        _of_this_process.add(self)

    def renew(self) -> None:
        """Forget everything, with a lock of one's own."""
        self._lock = threading.Lock()
        self._values: set[Hashable] = set()

    def take_in(self, value: Hashable) -> bool:
        """Whether the value is among the first ones; it becomes one while there is room."""
        if value in self._values:
            return True
        with self._lock:
            if len(self._values) < self._limit:
                self._values.add(value)
            return value in self._values


_of_this_process: weakref.WeakSet[RateLimiter | FirstOnes] = weakref.WeakSet()


def _renew_in_child() -> None:
    """In the child of a fork: a lock that another thread of the parent held would stay locked for ever."""
    for limit in list(_of_this_process):
        limit.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_in_child)
