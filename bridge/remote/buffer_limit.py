"""Limits the bytes of unfinished messages in memory, against many large or hostile answers.

Bodies and events that are being received count, after decoding.

| exchange | may hold |
|---|---|
| the one that began first, the leader | one message (`MAX_MESSAGE_BYTES`) |
| all others together | `limit` bytes; beyond that they stop reading and wait |
| one that alone holds more than `limit` | no more until the host has read what is in the output |

The leader always goes on, so there is no deadlock. The exchanges that wait watch the leader: if it receives nothing
for `_STALLED_SECONDS`, and the host is not the cause, it is ended. An exchange that is released or cancelled wakes the
next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_STALLED_SECONDS = 30.0


class BufferLimit:
    """Shared by all exchanges. `clear` is awaited while the host is slow."""

    def __init__(self, limit: int, clear: Callable[[], Awaitable[None]]) -> None:
        self._limit = limit
        self._clear = clear
        self._held: dict[int, int] = {}
        self._end: dict[int, Callable[[], None]] = {}
        self._total = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._waits_for_host: set[int] = set()
        self._host_was_slow_at = 0.0

    async def hold(self, holder: int, size: int, end: Callable[[], None]) -> None:
        """Set the bytes that `holder` holds in all, and wait until it may read on.

        `end` is called to end a holder whose server sends nothing while others wait for it; it then calls `release`.
        """
        before = self._held.get(holder)
        self._held[holder] = size
        if before is None:
            self._end[holder] = end
            self._total += size
        else:
            self._total += size - before
        if self._waiting:  # The size may have shrunk.
            self._wake()
        if self._total > self._limit:
            await self._turn(holder)

    def release(self, holder: int) -> None:
        """Set the bytes of `holder` to none."""
        if (size := self._held.pop(holder, None)) is not None:
            self._total -= size
            del self._end[holder]
            if self._waiting:
                self._wake()

    async def wait_for_host(self, holder: int) -> None:
        """Wait until the host has read enough. This time does not count against the server."""
        self._waits_for_host.add(holder)
        try:
            await self._clear()
        finally:
            self._waits_for_host.discard(holder)
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
                self._end_if_stalled(leader, before)
            finally:
                del self._waiting[holder]
        if self._held[holder] > self._limit:
            await self.wait_for_host(holder)

    def _end_if_stalled(self, leader: int, before: int) -> None:
        """End a leader that has received nothing for `_STALLED_SECONDS`, unless the host delayed it."""
        host_was_slow = asyncio.get_running_loop().time() - self._host_was_slow_at < _STALLED_SECONDS
        if self._held.get(leader) == before and leader not in self._waits_for_host and not host_was_slow:
            self._end[leader]()

    def _wake(self) -> None:
        for holder, turn in self._waiting.items():
            if not turn.done() and not self._must_wait(holder):
                turn.set_result(None)
