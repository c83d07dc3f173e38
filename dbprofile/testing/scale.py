"""The scale test: the same action with two rows and with five must send the same number of queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from dbprofile.errors import ConfigurationError
from dbprofile.testing.blocks import record_queries
from dbprofile.testing.growth import Measured, rows_written
from dbprofile.testing.growth_text import growth_failure
from dbprofile.testing.log import ALL

if TYPE_CHECKING:
    from types import TracebackType

    from dbprofile.testing.blocks import QueryBlock
    from dbprofile.testing.log import QueryLog

__all__ = ["SIZES", "QueryScale"]

#: Rows of the two runs that are compared. Few: what is sent in batches sends several only beyond hundreds.
SIZES: Final = (2, 5)
_USAGE: Final = 'write "for n in query_scale(2, 5):", add n rows, and put the action inside "with query_scale:"'


class QueryScale:
    """Fail unless an action sends the same queries however many rows there are.

    ::

        scale = QueryScale(2, 5)
        for n in scale:  # rows to add: 2 for a first run that is thrown away, 0, and 3
            OrderFactory.create_batch(n)
            with scale:
                client.get("/orders/")

    The verdict is given when the loop ends, at its line. It also fails where it would prove nothing: no rows were added, the action
    read as many as before, or all new rows have one parent.

    Args:
        sizes: rows of the runs, at least 2 and increasing.
        allow: ``linear`` lets statements grow with the rows, though not faster.
        on: the shapes (glob) that ``allow`` speaks of.
        ignore: shapes, codes or relations (globs) that may grow in any way.
        using: names of Django aliases or SQLAlchemy engines.
        fresh: empty the identity maps of Sessions before each run, as in ``assert_queries``.

    Raises:
        AssertionError: from the loop.
        ConfigurationError: for a value that cannot be meant.
    """

    def __init__(
        self,
        *sizes: int,
        allow: Literal["linear"] | None = None,
        on: str = "*",
        ignore: Sequence[str] = (),
        using: str | Sequence[str] = ALL,
        fresh: bool = False,
    ) -> None:
        self.sizes = _checked(sizes or SIZES)
        if allow not in {None, "linear"}:
            raise ConfigurationError(f"allow={allow!r} is neither 'linear' nor None")
        self._allowed = (on,) if allow else ()
        self._ignored = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        self._using = using
        self._fresh = fresh
        self._making: QueryBlock | None = None
        self._added: Mapping[str, int] = {}
        self._open: tuple[QueryBlock, QueryLog] | None = None
        self._measured: QueryLog | None = None
        self._is_left = False

    def __iter__(self) -> Iterator[int]:
        """Yield the number of rows to add, once for the run that is thrown away and once for each size."""
        __tracebackhide__ = True
        self._is_left = True
        runs = []
        try:
            for size, rows in _steps(self.sizes):
                self._make()
                yield rows
                runs.append(self._measurement(size))
        finally:
            self._stop_making()
        self._is_left = False
        # The first run fills the caches of the process and opens connections.
        text = growth_failure(runs[1:], allowed=self._allowed, ignored=self._ignored)
        if text:
            raise AssertionError(text)

    def __enter__(self) -> QueryLog:
        """Begin to measure."""
        __tracebackhide__ = True
        if self._open is not None or self._measured is not None:
            raise ConfigurationError(f"one action is measured in each turn: {_USAGE}")
        if self._making is None:
            raise ConfigurationError(f"there is no turn to measure: {_USAGE}")
        self._stop_making()
        block = record_queries(using=self._using, fresh=self._fresh)
        self._open = block, block.__enter__()
        return self._open[1]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        if self._open is None:
            return
        (block, self._measured), self._open = self._open, None
        block.__exit__(kind, error, traceback)

    async def __aenter__(self) -> QueryLog:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        self.__exit__(kind, error, traceback)

    @property
    def is_left(self) -> bool:
        """Whether the loop was begun and not run to its end, so that no verdict was given."""
        return self._is_left

    def _make(self) -> None:
        self._measured = None
        block = record_queries()
        self._making, self._made = block, block.__enter__()

    def _stop_making(self) -> None:
        if self._making is None:
            return
        block, self._making = self._making, None
        block.__exit__(None, None, None)
        self._added = rows_written(self._made)

    def _measurement(self, size: int) -> Measured:
        __tracebackhide__ = True
        if self._measured is None:
            raise AssertionError(
                f'nothing was measured at {size} rows: put the code under test inside "with query_scale:"'
            )
        return Measured(size, self._added, self._measured)


def _steps(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each size that there is to be, and the rows to add for it; the first size twice."""
    yield sizes[0], sizes[0]
    yield sizes[0], 0
    for before, size in pairwise(sizes):
        yield size, size - before


def _checked(sizes: Sequence[object]) -> tuple[int, ...]:
    whole = tuple(size for size in sizes if isinstance(size, int) and not isinstance(size, bool))
    if len(whole) != len(sizes) or len(whole) < 2 or min(whole) < 2 or any(a >= b for a, b in pairwise(whole)):
        raise ConfigurationError(
            f"{', '.join(map(repr, sizes))} are no sizes to compare: write two or more increasing numbers of rows, each at "
            "least 2, as in query_scale(2, 5); a prefetch sends nothing for 0 rows"
        )
    return whole
