"""The host's input, read as it comes, and the end of its output noticed.

How a closed output shows when `poll` is asked, without a write:

| system | what is told | source |
|---|---|---|
| Linux | POLLERR of a pipe, POLLHUP of a socket, whatever was registered | poll(2) |
| macOS | POLLHUP, where POLLIN was registered: its `poll` is kqueue, and no event is no filter | xnu, sys_generic.c |
| Windows | nothing: it cannot watch pipes | Python's documentation of select |

POLLHUP as the only registered event did on macOS, and has not for sockets since 15.4 (NixOS/nix#13847). Nothing is ever
to be read at the writing end of a pipe, so being readable tells of nothing else there; at a socket it may.
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
    """Reads the host's input. `on_data` gets what came, `on_end` is called once; both on the event loop.

    A pipe is watched by the loop itself and read only when it has something, so it need not be made non-blocking, which
    would show in every process that shares it. What a loop cannot watch (Windows, files) is read by a thread.
    """

    def __init__(self, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_data = on_data
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._watched = False

    def start(self) -> None:
        """Begin to read."""
        if can_watch(self._descriptor):
            with contextlib.suppress(NotImplementedError, OSError):
                self._loop.add_reader(self._descriptor, self._read)
                self._watched = True
                return
        threading.Thread(target=self._read_in_thread, name="host-input", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
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
        with contextlib.suppress(RuntimeError):  # The loop is closed: the bridge has ended.
            while data := _read_some(self._descriptor):
                self._loop.call_soon_threadsafe(self._on_data, data)
            self._loop.call_soon_threadsafe(self._on_end)


def watch_hang_up(descriptor: int, on_hang_up: Callable[[], None]) -> None:
    """Call back once the host closes its end of an output pipe, where the system can tell without writing."""
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
    """Whether an event loop can tell when a descriptor is ready: pipes and sockets, not on Windows."""
    if sys.platform == "win32":
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _READ_SIZE)
    except OSError:  # A terminal or pipe that broke is an end like any other.
        return b""
