"""Tasks that nobody's stack contains: the line of whoever waits for them, and never one outside the event loop."""

import asyncio
import sys
import sysconfig
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import anyio
import pytest

from dbprofile import Profiler
from dbprofile.capture.callsite import Path
from dbprofile.capture.stack import Walk

SOURCE = """
import sys

async def ask(walked):
    walked(sys._getframe())
"""
_names: dict[str, Any] = {}
exec(compile(SOURCE, f"{sysconfig.get_path('purelib')}/library.py", "exec"), _names)
ask: Callable[[Callable[[Any], None]], Coroutine[Any, Any, None]] = _names["ask"]


class Walks:
    """The walks that a library's coroutine made."""

    def __init__(self, root: Any = None) -> None:
        self.paths: list[Path] = []
        self.sites: list[object] = []
        self.root = root

    def __call__(self, frame: Any) -> None:
        walk = Walk(frame)
        self.sites.append(walk.call_site)
        self.paths.append(walk.path({}, self.root))

    @property
    def functions(self) -> list[list[str]]:
        return [[step.function.rpartition(".")[2] for step in path] for path in self.paths]


async def by_gather(walks: Walks) -> None:
    await asyncio.gather(ask(walks), ask(walks))


async def by_group(walks: Walks) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(walks))


async def by_anyio(walks: Walks) -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(ask, walks)


async def by_task(walks: Walks) -> None:
    await asyncio.ensure_future(ask(walks))


async def by_wait(walks: Walks) -> None:
    await asyncio.wait([asyncio.ensure_future(ask(walks))])


async def by_wait_for(walks: Walks) -> None:
    await asyncio.wait_for(ask(walks), 10)


async def by_shield(walks: Walks) -> None:
    await asyncio.shield(ask(walks))


WAYS = [by_gather, by_group, by_anyio, by_task, by_wait, by_wait_for, by_shield]


@pytest.mark.parametrize("way", WAYS)
def test_the_line_that_waits_for_a_task_is_its_line(way: Callable[[Walks], Awaitable[None]]) -> None:
    async def main() -> None:
        await way(walks)

    walks = Walks()
    asyncio.run(main())
    assert set(map(tuple, walks.functions)) == {(way.__name__, "main")}
    assert [site.function for site in walks.sites if site] == [way.__name__] * len(walks.paths)  # type: ignore[attr-defined]


@pytest.mark.parametrize("way", WAYS)
def test_a_task_of_a_task_of_a_task(way: Callable[[Walks], Awaitable[None]]) -> None:
    async def inner() -> None:
        await way(walks)

    async def main() -> None:
        await asyncio.gather(inner(), inner())

    walks = Walks()
    asyncio.run(main())
    assert set(map(tuple, walks.functions)) == {(way.__name__, "inner", "main")}


def test_a_task_that_nobody_waits_for_has_no_line_and_no_wrong_one() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(ask(walks))
        await asyncio.sleep(0)
        assert task.done()

    walks = Walks()
    asyncio.run(main())
    assert walks.sites == [None]
    assert walks.paths == [()]


def test_a_callback_of_the_loop_has_no_line_outside_it() -> None:
    async def main() -> None:
        coroutine: Any = ask(walks)

        def callback() -> None:
            with suppress(StopIteration):
                coroutine.send(None)

        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(0)

    walks = Walks()
    asyncio.run(main())
    assert walks.functions == [["callback"]]


def test_an_asynchronous_generator_hides_what_it_waits_for_but_not_who_iterates() -> None:
    async def rows() -> AsyncIterator[int]:
        await asyncio.gather(ask(walks))
        yield 1

    async def main() -> None:
        async for _ in rows():
            pass

    walks = Walks()
    asyncio.run(main())
    assert walks.functions == [["main"]]


@pytest.mark.parametrize("way", [ask, *WAYS])
def test_lines_outside_the_loop_belong_to_a_scope_that_was_opened_there(way: Callable[[Any], Any]) -> None:
    def work() -> None:
        asyncio.run(way(walks))

    with Profiler().scope("block", "block") as scope:
        walks = Walks(scope.root)
        work()
    here = sys._getframe().f_code.co_name
    assert {tuple(functions[-2:]) for functions in walks.functions} == {("work", here)}


def test_a_loop_inside_a_scope_is_walked_through_once() -> None:
    async def main() -> None:
        await ask(walks)

    def work() -> None:
        asyncio.run(main())

    with Profiler().scope("block", "block") as scope:
        walks = Walks(scope.root)
        work()
    assert walks.functions[0][:2] == ["main", "work"]
    assert walks.functions[0].count("work") == 1


def test_callbacks_of_unknown_kinds_are_no_fault() -> None:
    class Strange:
        args = (object(), None)

        def __call__(self, future: object) -> None: ...

    async def main() -> None:
        task = asyncio.ensure_future(ask(walks))
        task.add_done_callback(Strange())
        task.add_done_callback(lambda _: None)
        await asyncio.sleep(0)
        await task

    walks = Walks()
    asyncio.run(main())
    assert walks.paths == [()]
