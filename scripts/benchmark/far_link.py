"""A link to a server far away: what goes through it arrives later, as over a network with long ways.

Needs no rights: it is a relay of TCP connections. `far_link` runs it in a thread of its own;
``python -m scripts.benchmark.far_link HOST PORT`` is a process that prints its port and ends at the end of its
standard input.

Every way takes `one_way` seconds, so a round trip takes two of them:

| what is done | when the other end sees it |
|---|---|
| the client connects | the server is connected to one way later; a refusal comes back as a reset |
| the client sends or closes before the round trip of connecting is over | as if it had waited for that |
| bytes, the end of a stream (FIN), a reset | one way later, in the order they went |
| bytes for a side that has closed | that side's kernel answers with a reset, which takes its way back |

The kernel answers a connecting client at once, and no program can hold that back. So a client believes itself
connected a round trip early, and pays for it with its first bytes: they stay in its own kernel until a round trip is
over. What it gets, it gets when it would have got it. Launches were as long, to 1 %, as over a TUN device, where the
kernel's own packets take the way, and calls met a connection's end after the same pauses.

The delay does not limit the throughput: each chunk has its own time of arrival, and up to `window` bytes may be on
their way in each direction of a connection. A receiver that does not read stops the sender by that.
"""

from __future__ import annotations

import argparse
import contextlib
import heapq
import itertools
import os
import selectors
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

ONE_WAY = 0.04
"""Seconds: a server on another continent's near coast, 80 ms there and back."""

_WINDOW_BYTES = 16 * 1024 * 1024
_READ_BYTES = 256 * 1024
# A reset that answers our bytes may be a moment behind them.
_RESET_SECONDS = 0.005
# SO_LINGER, on, 0 seconds: closing sends a reset.
_NO_LINGER = struct.pack("ii" if sys.platform != "win32" else "hh", 1, 0)


class _Side:
    """One of the two sockets of a connection: what was read from it is on its way to the `other`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.other: _Side
        self.reading = False
        self.read_end = False
        self.dead = False
        # Read from this side and not yet written to the other one.
        self.under_way = 0
        self.unsent: deque[memoryview] = deque()
        self.end_when_sent = False
        self.end_sent = False


class FarLink:
    """The relay. One thread, one selector; `port` is where clients connect."""

    def __init__(self, target: tuple[str, int], one_way: float = ONE_WAY, window: int = _WINDOW_BYTES) -> None:
        self.one_way = one_way
        self._target = target
        self._window = window
        # `select` itself takes microseconds; the others round up to milliseconds, several times a round trip.
        self._selector = selectors.SelectSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Relay until `stop` is called; closes everything at the end."""
        try:
            while self._step():
                pass
        finally:
            for sock in (*self._open, self._listener, self._woken):
                sock.close()
            self._selector.close()

    def stop(self) -> None:
        """Have `serve` return; for another thread."""
        self._wake.close()

    def _step(self) -> bool:
        pause = None
        if self._timers:
            pause = max(0.0, self._timers[0][0] - time.monotonic())
        for key, mask in self._selector.select(pause):
            if key.data is None:
                return False
            # An earlier event of this round may have closed the socket of a later one.
            if key.fileobj is self._listener:
                self._accept()
            elif key.fileobj in self._open:
                self._ready(key.data, mask)
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
        return True

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        # Numbers keep what is due at the same moment in order.
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._numbers), action))

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            sock, _ = self._listener.accept()
            near = _Side(self._prepared(sock))
            self._later(self.one_way, lambda: self._connect(near))

    def _prepared(self, sock: socket.socket) -> socket.socket:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(sock)
        return sock

    def _connect(self, near: _Side) -> None:
        try:
            # The server is on this machine: its kernel answers at once.
            far = _Side(self._prepared(socket.create_connection(self._target, timeout=5)))
        except OSError:
            self._later(self.one_way, lambda: self._reset(near))
            return
        near.other, far.other = far, near
        self._watch(far, reading=True)
        self._later(self.one_way, lambda: self._watch(near, reading=True))

    def _watch(self, side: _Side, *, reading: bool | None = None) -> None:
        """Wait for what this side can now do; no waiting for nothing, which selectors do not allow."""
        if side.dead:
            return
        if reading is not None:
            side.reading = reading and not side.read_end
        wanted = selectors.EVENT_READ * side.reading | selectors.EVENT_WRITE * bool(side.unsent)
        known = side.sock in self._selector.get_map()
        if wanted and known:
            self._selector.modify(side.sock, wanted, side)
        elif wanted:
            self._selector.register(side.sock, wanted, side)
        elif known:
            self._selector.unregister(side.sock)

    def _ready(self, side: _Side, mask: int) -> None:
        if mask & selectors.EVENT_READ:
            self._read(side)
        if mask & selectors.EVENT_WRITE and not side.dead:
            self._flush(side)

    def _read(self, side: _Side) -> None:
        try:
            data = side.sock.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._lost(side)
            return
        if data:
            side.under_way += len(data)
            self._later(self.one_way, lambda: self._arrived(side.other, data))
        else:
            side.read_end = True
            self._later(self.one_way, lambda: self._ended(side.other))
        self._watch(side, reading=side.under_way < self._window)

    def _arrived(self, side: _Side, data: bytes) -> None:
        if not side.dead:
            side.unsent.append(memoryview(data))
            self._flush(side)

    def _ended(self, side: _Side) -> None:
        if not side.dead:
            side.end_when_sent = True
            self._flush(side)

    def _flush(self, side: _Side) -> None:
        try:
            while side.unsent:
                part = side.unsent[0]
                sent = side.sock.send(part)
                side.other.under_way -= sent
                side.unsent.popleft()
                if sent < len(part):
                    side.unsent.appendleft(part[sent:])
            if side.end_when_sent and not side.end_sent:
                side.end_sent = True
                side.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self._lost(side)
            return
        self._watch(side)
        if not side.other.read_end:
            self._watch(side.other, reading=side.other.under_way < self._window)
        if side.read_end:
            # Nothing more is read from this side, so only its error tells that it wanted no bytes.
            self._look_for_reset(side)
            self._later(_RESET_SECONDS, lambda: self._look_for_reset(side))
        if side.end_sent and side.other.end_sent:
            self._close(side)
            self._close(side.other)

    def _look_for_reset(self, side: _Side) -> None:
        if not side.dead and side.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lost(side)

    def _lost(self, side: _Side) -> None:
        """This side's peer has reset the connection: the other side learns it one way later."""
        self._close(side)
        self._later(self.one_way, lambda: self._reset(side.other))

    def _reset(self, side: _Side) -> None:
        if not side.dead:
            with contextlib.suppress(OSError):
                side.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._close(side)

    def _close(self, side: _Side) -> None:
        if side.dead:
            return
        side.dead = True
        side.unsent.clear()
        if side.sock in self._selector.get_map():
            self._selector.unregister(side.sock)
        self._open.discard(side.sock)
        side.sock.close()


@contextlib.contextmanager
def far_link(target: tuple[str, int], one_way: float = ONE_WAY) -> Iterator[int]:
    """Run a link to `target` in a thread; give the port at 127.0.0.1 that clients connect to instead."""
    link = FarLink(target, one_way)
    thread = threading.Thread(target=link.serve, name="far link", daemon=True)
    thread.start()
    try:
        yield link.port
    finally:
        link.stop()
        thread.join()


def main() -> None:
    """Run a link as a process: `HOST PORT [--one-way SECONDS]`."""
    parser = argparse.ArgumentParser(prog="far_link", description="A link with a delay to HOST and PORT.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--one-way", type=float, default=ONE_WAY, help="seconds each way (default %(default)s)")
    options = parser.parse_args()
    with far_link((options.host, options.port), options.one_way) as port:
        print(port, flush=True)
        while os.read(sys.stdin.fileno(), 1024):
            pass


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
