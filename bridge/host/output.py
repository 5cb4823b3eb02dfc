"""The one writer of the host's output.

Lines are written by a thread of its own, so a host that reads slowly blocks nobody: what cannot be written yet waits
here, and whoever produces more is asked to wait (`drained`) while that is too much.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import sys
import threading
from collections.abc import Callable

from bridge.protocol.framing import header_for
from bridge.protocol.jsonrpc import Octets

_HIGH_WATER = 8 * 1024 * 1024
_LOW_WATER = 1024 * 1024
_MOST_AT_ONCE = 256 * 1024
_PIPE_SIZE = 1024 * 1024


class HostOutput:
    """Writes lines to a descriptor. `on_broken` is called once, on the event loop, when the host reads no more.

    `has_headers`: the host expects a `Content-Length` header before each message instead of a newline after it.
    """

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._lines: queue.SimpleQueue[Octets | None] = queue.SimpleQueue()
        self._put = 0
        self._written = 0
        self._broken = False
        self.has_headers = False
        self._room = asyncio.Event()
        self._room.set()
        self._ended = asyncio.Event()
        _widen(descriptor)
        self._thread = threading.Thread(target=self._run, name="host-output", daemon=True)
        self._thread.start()

    def write(self, line: Octets) -> None:
        """Take one line, which has no newline in it, to be written."""
        if self.has_headers:
            line = header_for(len(line)) + line
        self._put += len(line) + (0 if self.has_headers else 1)
        if self._put - self._written > _HIGH_WATER:
            self._room.clear()
        self._lines.put(line)

    @property
    def is_clear(self) -> bool:
        """Whether there is room for more."""
        return self._room.is_set()

    async def drained(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()

    async def close(self, seconds: float) -> None:
        """Write what is left, for so long at the most."""
        self._lines.put(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    def _run(self) -> None:
        """Write until `None` comes: the thread's whole life."""
        last = False
        while not last:
            batch, last = self._next()
            if not self._broken:
                try:
                    for piece in batch:
                        self._write_all(piece)
                except OSError:
                    self._broken = True
                    self._tell(self._on_broken)
            self._written += sum(map(len, batch))
            if not self._room.is_set() and self._put - self._written < _LOW_WATER:
                self._tell(self._room.set)
        self._tell(self._ended.set)

    def _next(self) -> tuple[list[Octets], bool]:
        """Wait for a line and take with it what else is there: small lines joined, a large one as it is."""
        line = self._lines.get()
        end = b"" if self.has_headers else b"\n"
        small: list[Octets] = []
        size = 0
        while line is not None:
            if len(line) > _MOST_AT_ONCE:
                return [*([b"".join(small)] if small else []), line, end], False
            small += (line, end)
            size += len(line)
            if size > _MOST_AT_ONCE:
                return [b"".join(small)], False
            try:
                line = self._lines.get_nowait()
            except queue.Empty:
                return [b"".join(small)], False
        return [b"".join(small)], True

    def _write_all(self, data: Octets) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:  # Whoever shares the pipe made it non-blocking.
                select.select([], [self._descriptor], [])

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed: the bridge has ended.
            self._loop.call_soon_threadsafe(what)


def _widen(descriptor: int) -> None:
    """Let a pipe hold more than its 64 kB, where the system allows it: a large result then takes fewer turns."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
