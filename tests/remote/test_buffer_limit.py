"""The budget for unfinished messages: who waits, for whom, and who is ended."""

import asyncio
from collections.abc import Callable

import pytest

from bridge.remote import buffer_limit as module
from bridge.remote.buffer_limit import BufferLimit
from tests.support.servers.raw_server import DEADLINE
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


class Shared:
    """A budget of so many bytes; who was ended, and whether the host takes what is written."""

    def __init__(self, limit: int) -> None:
        self.ended: list[int] = []
        self.host_takes = asyncio.Event()
        self.host_takes.set()
        self.buffer_limit = BufferLimit(limit, self._clear)

    async def hold(self, holder: int, size: int) -> None:
        await self.buffer_limit.hold(holder, size, self._end(holder))

    def holding(self, holder: int, size: int) -> asyncio.Task[None]:
        return asyncio.create_task(self.hold(holder, size))

    def release(self, holder: int) -> None:
        self.buffer_limit.release(holder)

    async def _clear(self) -> None:
        await self.host_takes.wait()

    def _end(self, holder: int) -> Callable[[], None]:
        def end() -> None:
            self.ended.append(holder)
            self.release(holder)

        return end


async def at_rest(*tasks: asyncio.Task[None]) -> list[bool]:
    """Which of the tasks are done, once all have come as far as they can."""
    for _ in range(4):
        await asyncio.wait(tasks, timeout=0)
    return [task.done() for task in tasks]


async def test_nobody_waits_within_the_limit() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 4)
        await shared.hold(2, 6)
        assert shared.buffer_limit._total == 10


async def test_the_first_is_not_counted_and_the_others_share_the_limit() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(7, 1_000)
        await shared.hold(3, 4)
        await shared.hold(5, 6)
        third, second = shared.holding(5, 7), shared.holding(3, 8)
        assert await at_rest(third, second) == [False, False]
        await shared.hold(7, 10_000)
        shared.release(7)
        # The next in line goes on, by when it began and not by its number; 7 bytes of the others are within the limit.
        assert await at_rest(second, third) == [True, True]


async def test_beyond_the_limit_only_the_first_goes_on() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(7, 1)
        await shared.hold(3, 1)
        await shared.hold(5, 1)
        await shared.hold(9, 1)
        waiting = [shared.holding(holder, 12) for holder in (9, 5, 3)]
        assert await at_rest(*waiting) == [False, False, False]
        shared.release(7)
        assert await at_rest(*waiting) == [False, False, True]
        shared.release(3)
        assert await at_rest(*waiting) == [False, True, True]
        shared.release(5)
        assert await at_rest(*waiting) == [True, True, True]


async def test_one_alone_may_hold_more_than_the_limit() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 1_000)
        await shared.hold(1, 2_000)


async def test_one_that_gives_up_waiting_makes_room() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 5)
        greedy = shared.holding(2, 11)
        patient = shared.holding(3, 1)
        assert await at_rest(greedy, patient) == [False, False]
        greedy.cancel()
        await asyncio.wait({greedy})
        shared.release(2)
        await patient


async def test_one_that_holds_less_than_before_makes_room() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 5)
        await shared.hold(2, 10)
        waiting = shared.holding(3, 9)
        assert await at_rest(waiting) == [False]
        await shared.hold(2, 1)
        await waiting


async def test_one_that_holds_less_wakes_those_who_waited_even_below_the_limit() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 0)
        await shared.hold(2, 9)
        waiting = shared.holding(3, 2)
        assert await at_rest(waiting) == [False]
        await shared.hold(2, 1)
        await waiting


async def test_releasing_nothing_changes_nothing() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        shared.release(9)
        await shared.hold(1, 8)
        shared.release(9)
        waiting = shared.holding(2, 11)
        other = shared.holding(3, 1)
        assert await at_rest(waiting, other) == [False, False]
        shared.release(1)
        shared.release(1)
        await waiting
        await other


async def test_a_holder_that_begins_again_is_the_last() -> None:
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 5)
        await shared.hold(2, 5)
        shared.release(1)
        again = shared.holding(1, 11)
        assert await at_rest(again) == [False]
        await shared.hold(2, 60)
        shared.release(2)
        await again


async def test_a_leader_that_brings_nothing_is_ended_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 0.01)
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 1)
        await shared.hold(2, 11)
        assert shared.ended == [1]


async def test_a_leader_that_waits_for_the_host_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 0.01)
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        shared.host_takes.clear()
        leader = shared.holding(1, 11)
        assert await at_rest(leader) == [False]
        waiting = shared.holding(2, 11)
        await asyncio.wait({waiting}, timeout=0.05)
        assert (shared.ended, waiting.done(), leader.done()) == ([], False, False)
        shared.host_takes.set()
        await leader
        shared.release(1)
        await waiting


async def test_a_leader_that_waited_for_the_host_a_moment_ago_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 0.05)
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 5)
        waiting = shared.holding(2, 11)
        for _ in range(5):
            shared.host_takes.clear()
            held_up = asyncio.create_task(shared.buffer_limit.wait_for_host(1))
            await asyncio.wait({waiting}, timeout=0.03)
            shared.host_takes.set()
            await held_up
        assert (shared.ended, waiting.done()) == ([], False)
        await waiting
        assert shared.ended == [1]


async def test_a_leader_that_brings_something_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STALLED_SECONDS", 0.05)
    shared = Shared(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await shared.hold(1, 1)
        waiting = shared.holding(2, 11)
        for size in range(2, 20):
            await shared.hold(1, size)
            await asyncio.wait({waiting}, timeout=0.01)
        assert (shared.ended, waiting.done()) == ([], False)
        shared.release(1)
        await waiting
