"""A clock that stands still until it is moved: for drivers whose time is known to the nanosecond, on however busy a machine."""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

__all__ = ["Clock", "stopped"]


class Clock:
    """Nanoseconds since some moment, as ``time.perf_counter_ns`` gives them."""

    def __init__(self) -> None:
        self.now = 1_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += round(seconds * 1e9)

    def event_loop(self) -> asyncio.AbstractEventLoop:
        """An event loop of this clock: where all its tasks sleep, the time has come at once."""
        loop = asyncio.SelectorEventLoop(_Selector(self))
        loop.time = lambda: self.now / 1e9  # type: ignore[method-assign]
        return loop


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout > 0:
            self._clock.advance(timeout)
            timeout = 0
        return super().select(timeout)


@contextmanager
def stopped() -> Iterator[Clock]:
    """While this block is open all of dbprofile reads this clock."""
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("dbprofile") and "perf_counter_ns" in vars(module):
                patch.setattr(module, "perf_counter_ns", clock)
        patch.setattr(time, "perf_counter_ns", clock)
        yield clock
