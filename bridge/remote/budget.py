"""How many bytes of unfinished messages are held at once, lest a slow host with many calls fill the memory."""

from __future__ import annotations

import asyncio


class Budget:
    """Shared by all who collect a body. Beyond `limit` bytes all wait but the one that began first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[int, int] = {}
        self._total = 0
        self._changed = asyncio.Event()

    async def add(self, holder: int, size: int) -> None:
        """Hold `size` bytes more, and wait until it is this holder's turn to read on."""
        self._held[holder] = self._held.get(holder, 0) + size
        self._total += size
        while self._total > self._limit and next(iter(self._held)) != holder:
            self._changed.clear()
            await self._changed.wait()

    def release(self, holder: int) -> None:
        """Hold none any more."""
        self._total -= self._held.pop(holder, 0)
        self._changed.set()
