"""Reads the host's messages from stdin, and notices when the host closes its end of stdout.

How `poll` shows a closed output, without a write:

| system | what `poll` returns | source |
|---|---|---|
| Linux | POLLERR for a pipe, POLLHUP for a socket, for any registered events | poll(2) |
| macOS | POLLHUP if POLLIN was registered: `poll` uses kqueue, where no event means no filter | xnu, sys_generic.c |
| Windows | nothing: pipes cannot be watched | Python's documentation of select |

On macOS it once was enough to register POLLHUP, but since 15.4 it is not for sockets (NixOS/nix#13847). The writing end
of a pipe never has data to read, so readable means closed there; a socket may be readable for another reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
import sys
import threading
from collections.abc import Callable

_READ_SIZE = 1 << 18


class HostInput:
    """Reads the host's input. `on_data` gets the bytes, `on_end` is called once; both on the event loop.

    The loop watches a pipe and reads it only when it has data. So the pipe need not be non-blocking, which would affect
    every process that shares it. A thread reads what the loop cannot watch (Windows, files).
    """

    def __init__(self, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_data = on_data
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._watched = False

    def start(self) -> None:
        """Start reading."""
        if can_watch(self._descriptor):
            with contextlib.suppress(NotImplementedError, OSError):
                self._loop.add_reader(self._descriptor, self._read)
                self._watched = True
                return
        threading.Thread(target=self._read_in_thread, name="host-input", daemon=True).start()

    def stop(self) -> None:
        """Stop reading."""
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._descriptor)

    def _read(self) -> None:
        if data := _read_some(self._descriptor):
            self._on_data(data)
        else:
            self.stop()
            self._on_end()

    def _read_in_thread(self) -> None:
        with contextlib.suppress(RuntimeError):  # The loop is closed, for the bridge has ended.
            while data := _read_some(self._descriptor):
                self._loop.call_soon_threadsafe(self._on_data, data)
            self._loop.call_soon_threadsafe(self._on_end)


def watch_hang_up(descriptor: int, on_hang_up: Callable[[], None]) -> None:
    """Call `on_hang_up` once when the host closes its end of an output pipe, if the system tells without a write."""
    loop = asyncio.get_running_loop()

    def look() -> None:
        loop.remove_reader(descriptor)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if any(found & (select.POLLHUP | select.POLLERR) for _, found in poll.poll(0)):
            on_hang_up()

    if hasattr(select, "poll") and can_watch(descriptor):
        with contextlib.suppress(NotImplementedError, OSError):
            loop.add_reader(descriptor, look)


def can_watch(descriptor: int) -> bool:
    """Whether an event loop can watch a descriptor: pipes and sockets, not on Windows."""
    if sys.platform == "win32":
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_SIZE)
    except OSError:  # A broken terminal or pipe counts as the end.
        return b""
