"""Writes to the host. No other code does.

A host that reads slowly blocks nothing: data that cannot be written yet is queued here, and while the queue is too
long, its producers wait (`drained`).

| what one turn of the event loop has to write | written by |
|---|---|
| up to `select.PIPE_BUF` bytes, if the queue is empty and the system says that the pipe or socket has room | the loop |
| anything else, and everything on Windows | a thread, which is started when it is first needed |

A pipe that is ready takes `PIPE_BUF` bytes without blocking (POSIX, write), so most answers, which are short, need no
switch to the thread.
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

from bridge.host.stdio import can_watch
from bridge.protocol.framing import header_for
from bridge.protocol.jsonrpc import Octets

_HIGH_WATER = 8 * 1024 * 1024
_LOW_WATER = 1024 * 1024
_MOST_AT_ONCE = 256 * 1024
_PIPE_SIZE = 1024 * 1024
_TAKEN_WHOLE = getattr(select, "PIPE_BUF", 0)  # Windows has none.


class HostOutput:
    """Writes lines to a descriptor. `on_broken` is called once, on the event loop, if the host has closed its end.

    `has_headers`: the host expects a `Content-Length` header before each message, and no newline after it.
    """

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._loop = asyncio.get_running_loop()
        self._turn: list[Octets] = []
        self._lines: queue.SimpleQueue[Octets | None] = queue.SimpleQueue()
        self._put = 0
        self._written = 0
        self._broken = False
        self.has_headers = False
        self._room = asyncio.Event()
        self._room.set()
        self._ended = asyncio.Event()
        self._poll = _watched(descriptor)
        _widen(descriptor)
        self._thread: threading.Thread | None = None

    def write(self, line: Octets) -> None:
        """Write one line, which contains no newline."""
        if self.has_headers:
            line = header_for(len(line)) + line
        if not self._turn:
            self._loop.call_soon(self._flush)
        self._turn.append(line)
        self._put += len(line) + len(self._end)
        if self._put - self._written > _HIGH_WATER:
            self._room.clear()

    async def drained(self) -> None:
        """Wait until the queue is short enough for more."""
        await self._room.wait()

    async def close(self, seconds: float) -> None:
        """Write the rest of the queue, for at most `seconds`."""
        self._flush()
        if self._thread is None:
            return
        self._hand_over(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    @property
    def _end(self) -> bytes:
        return b"" if self.has_headers else b"\n"

    def _flush(self) -> None:
        """Write the lines of this turn of the loop, or hand them to the thread."""
        lines, self._turn = self._turn, []
        size = sum(map(len, lines)) + len(lines) * len(self._end)
        if 0 < size <= _TAKEN_WHOLE and self._put - self._written == size and self._has_room_now():
            with contextlib.suppress(OSError):  # The thread meets the same error, and reports it.
                data = b"".join(line + self._end for line in lines)
                written = os.write(self._descriptor, data)
                self._written += written
                # Another process may have made a shared socket non-blocking: then a rest remains.
                lines = [data[written : size - len(self._end)]] if written < size else []
        for line in lines:
            self._hand_over(line)

    def _hand_over(self, line: Octets | None) -> None:
        self._lines.put(line)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="host-output", daemon=True)
            self._thread.start()

    def _has_room_now(self) -> bool:
        return self._poll is not None and self._poll.poll(0) == [(self._descriptor, select.POLLOUT)]

    def _run(self) -> None:
        """Run the thread: write until `None` comes."""
        while not self._write_next():
            pass
        self._tell(self._ended.set)

    def _write_next(self) -> bool:
        """Write the next lines; return whether they were the last. They are freed before the thread waits for more."""
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
        return last

    def _next(self) -> tuple[list[Octets], bool]:
        """Wait for a line, and take the queued ones with it: small lines joined, a large one alone."""
        line = self._lines.get()
        end = self._end
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
            except BlockingIOError:  # Another process made the shared pipe non-blocking.
                select.select([], [self._descriptor], [])

    def _tell(self, what: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed, for the bridge has ended.
            self._loop.call_soon_threadsafe(what)


def _watched(descriptor: int) -> select.poll | None:
    """A poll object that tells whether a pipe or socket has room; None if the system has none for it."""
    if not hasattr(select, "poll") or not can_watch(descriptor):
        return None
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return poll


def _widen(descriptor: int) -> None:
    """Enlarge a pipe beyond 64 kB if the system allows it, so that a large result takes fewer writes."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
