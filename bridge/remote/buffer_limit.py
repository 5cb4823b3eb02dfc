"""How many bytes of unfinished messages are held at once, lest many or hostile answers fill the memory.

One account for all: bodies and events under way, counted after decoding.

| who | may hold |
|---|---|
| the one that began first, the leader | what one message may hold (`MAX_MESSAGE_BYTES`) |
| all others together | `limit` bytes; beyond it they wait, each with what it has |
| whoever holds more than `limit` alone | no more before the host has taken what lies in the output |

The leader always goes on, so nothing deadlocks. Whoever waits looks after the leader: one that brings nothing for
`_STALLED_SECONDS`, though not held up by the host, is ended. A holder that is released or cancelled wakes the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_STALLED_SECONDS = 30.0


class BufferLimit:
    """Shared by all who collect a message. `clear` is awaited while the host is slow."""

    def __init__(self, limit: int, clear: Callable[[], Awaitable[None]]) -> None:
        self._limit = limit
        self._clear = clear
        self._held: dict[int, int] = {}
        self._end: dict[int, Callable[[], None]] = {}
        self._total = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._held_up: set[int] = set()
        self._host_was_slow_at = 0.0

    async def hold(self, holder: int, size: int, end: Callable[[], None]) -> None:
        """Hold `size` bytes in all, and wait until it is this holder's turn to read on.

        `end` ends the holder, which then releases, where others wait for it and its server brings nothing.
        """
        before = self._held.get(holder)
        self._held[holder] = size
        if before is None:
            self._end[holder] = end
            self._total += size
        else:
            self._total += size - before
        if self._waiting:  # It may hold less than before.
            self._wake()
        if self._total > self._limit:
            await self._turn(holder)

    def release(self, holder: int) -> None:
        """Hold nothing any more."""
        if (size := self._held.pop(holder, None)) is not None:
            self._total -= size
            del self._end[holder]
            if self._waiting:
                self._wake()

    async def wait_for_host(self, holder: int) -> None:
        """Wait until the host has room for more. Nobody blames the server for this time."""
        self._held_up.add(holder)
        try:
            await self._clear()
        finally:
            self._held_up.discard(holder)
            if self._waiting:
                self._host_was_slow_at = asyncio.get_running_loop().time()

    def _leader(self) -> int:
        return next(iter(self._held))

    def _must_wait(self, holder: int) -> bool:
        leader = self._leader()
        return leader != holder and self._total - self._held[leader] > self._limit

    async def _turn(self, holder: int) -> None:
        while self._must_wait(holder):
            leader = self._leader()
            before = self._held[leader]
            turn = self._waiting[holder] = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(_STALLED_SECONDS):
                    await turn
            except TimeoutError:
                self._judge(leader, before)
            finally:
                del self._waiting[holder]
        if self._held[holder] > self._limit:
            await self.wait_for_host(holder)

    def _judge(self, leader: int, before: int) -> None:
        """End a leader that still holds what it held `_STALLED_SECONDS` ago, unless the host was in its way."""
        host_was_slow = asyncio.get_running_loop().time() - self._host_was_slow_at < _STALLED_SECONDS
        if self._held.get(leader) == before and leader not in self._held_up and not host_was_slow:
            self._end[leader]()

    def _wake(self) -> None:
        for holder, turn in self._waiting.items():
            if not turn.done() and not self._must_wait(holder):
                turn.set_result(None)
