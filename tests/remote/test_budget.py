"""The budget for unfinished messages: who waits, and for whom."""

import asyncio

import pytest

from bridge.remote.budget import Budget
from tests.support.raw_server import DEADLINE
from tests.support.waits import stretched

pytestmark = pytest.mark.anyio


async def at_rest(*tasks: asyncio.Task[None]) -> list[bool]:
    """Which of the tasks are done, once all have come as far as they can."""
    await asyncio.wait(tasks, timeout=0)
    await asyncio.wait(tasks, timeout=0)
    return [task.done() for task in tasks]


def adding(budget: Budget, holder: int, size: int) -> asyncio.Task[None]:
    return asyncio.create_task(budget.add(holder, size))


async def test_nobody_waits_within_the_limit() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await budget.add(1, 4)
        await budget.add(2, 6)


async def test_beyond_the_limit_only_the_first_goes_on() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await budget.add(7, 4)
        await budget.add(3, 4)
        third, second = adding(budget, 5, 4), adding(budget, 3, 4)
        assert await at_rest(third, second) == [False, False]
        await budget.add(7, 100)
        budget.release(7)
        # 12 bytes are still held: the next in line goes on, by when it began and not by its number.
        assert await at_rest(second, third) == [True, False]
        budget.release(3)
        await third


async def test_all_go_on_once_there_is_room() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await budget.add(1, 8)
        waiting = [adding(budget, holder, 3) for holder in (2, 3, 4)]
        assert await at_rest(*waiting) == [False, False, False]
        budget.release(1)
        await asyncio.gather(*waiting)


async def test_one_alone_may_hold_more_than_the_limit() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await budget.add(1, 1_000)
        await budget.add(1, 1_000)


async def test_one_that_gives_up_waiting_makes_room() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await budget.add(1, 5)
        greedy = adding(budget, 2, 6)
        patient = adding(budget, 3, 1)
        assert await at_rest(greedy, patient) == [False, False]
        greedy.cancel()
        await asyncio.wait({greedy})
        budget.release(2)
        await patient


async def test_releasing_nothing_changes_nothing() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        budget.release(9)
        await budget.add(1, 8)
        budget.release(9)
        waiting = adding(budget, 2, 3)
        assert await at_rest(waiting) == [False]
        budget.release(1)
        budget.release(1)
        await waiting
        # Exactly the limit is held by others, and one byte is too much.
        await budget.add(3, 7)
        full = adding(budget, 3, 1)
        assert await at_rest(full) == [False]
        full.cancel()


async def test_a_holder_that_begins_again_is_the_last() -> None:
    budget = Budget(10)
    async with asyncio.timeout(stretched(DEADLINE)):
        await budget.add(1, 5)
        await budget.add(2, 5)
        budget.release(1)
        again = adding(budget, 1, 6)
        assert await at_rest(again) == [False]
        await budget.add(2, 1)
        budget.release(2)
        await again
