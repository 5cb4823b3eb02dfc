"""The first connection, begun before there is an event loop: while the rest of the program is imported.

A thread looks the name up and connects; both are waiting, and let the importing go on. What comes of it is a connected
TCP socket or nothing: TLS, proxies, limits and errors are the business of who takes the socket over (`connecting`), and
so is dialling anew where nothing came. This module is imported first, so it imports little.

| what happens | what becomes of it |
|---|---|
| an address instead of a name, `localhost` | no name service is asked (`known_addresses`) |
| the name has public addresses, and some of this machine | those of this machine are left out (`rebinding`) |
| an address takes the connection | its socket is given to the first who asks for it |
| an address takes none in `HEAD_START` seconds, or refuses | the next is tried (beside it), four in all (RFC 8305) |
| no such name, refused, no network | None is given |
| nobody asks, or who asked has gone | the socket is closed |
| the process ends | nothing waits for the thread |
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from bridge.remote.known_addresses import known_addresses
from bridge.remote.rebinding import not_this_machine

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

HEAD_START = 0.25
"""Seconds that an address has to itself."""

_MOST_ADDRESSES = 4

_Address = tuple[Any, ...]
"""One of what `socket.getaddrinfo` returns: family, kind, protocol, canonical name, address."""


class EarlyConnection:
    """A connection to a host's port, begun when this is made. It is given up after so many seconds."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._host = host
        self._port = port
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = self._is_closed = False
        self._waiter: asyncio.Future[socket.socket | None] | None = None
        # A daemon: a name lookup cannot be ended, and the process may have to.
        threading.Thread(target=self._run, name="begun", daemon=True).start()

    async def taken(self) -> socket.socket | None:
        """Take the connected socket over, once; None where the connection did not come about.

        Who is given the socket owns it. Where the wait is cancelled, it is closed when it comes.
        """
        import asyncio

        with self._lock:
            if self._is_closed:
                return None
            if self._is_over:
                self._is_closed = True
                sock, self._socket = self._socket, None
                return sock
            waiter: asyncio.Future[socket.socket | None] = asyncio.get_running_loop().create_future()
            self._waiter = waiter
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and (sock := waiter.result()) is not None:
                sock.close()
            self.close()
            raise

    def close(self) -> None:
        """Give the connection up, unless it was taken."""
        with self._lock:
            self._is_closed = True
            self._waiter = None
            sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _run(self) -> None:
        sock = None
        try:
            sock = _connected(self._host, self._port, self._seconds)
        except (OSError, ValueError):
            pass  # Who dials anew finds the same, and tells it.
        finally:
            self._end(sock)

    def _end(self, sock: socket.socket | None) -> None:
        with self._lock:
            self._is_over = True
            waiter, self._waiter = self._waiter, None
            if waiter is None and not self._is_closed:
                self._socket, sock = sock, None
        if waiter is not None:
            try:
                waiter.get_loop().call_soon_threadsafe(_give, waiter, sock)
            except RuntimeError:  # The loop is closed.
                pass
            else:
                return
        if sock is not None:
            sock.close()


def _give(waiter: asyncio.Future[socket.socket | None], sock: socket.socket | None) -> None:
    if not waiter.done():
        waiter.set_result(sock)
    elif sock is not None:
        sock.close()


def _connected(host: str, port: int, seconds: float) -> socket.socket | None:
    """A socket connected to the first of the host's addresses that takes it. Raises OSError and ValueError."""
    found: Sequence[_Address] = known_addresses(host, port)
    if not found:
        # As bytes: Python would load the tables of IDN for a str, and all hosts are ASCII by now.
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    waiting = _alternating(not_this_machine(found))[:_MOST_ADDRESSES]
    ends = time.monotonic() + seconds
    trying: list[socket.socket] = []
    try:
        while waiting or trying:
            if waiting and (sock := _dialled(waiting.pop(0))):
                trying.append(sock)
            left = ends - time.monotonic()
            if left <= 0:
                return None
            if not trying:
                continue
            # Windows tells a failure by the third of the lists.
            _, done, failed = select.select([], trying, trying, min(left, HEAD_START) if waiting else left)
            for sock in {*done, *failed}:
                trying.remove(sock)
                if sock not in failed and not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return sock
                sock.close()
        return None
    finally:
        for sock in trying:
            sock.close()


def _dialled(address: _Address) -> socket.socket | None:
    """A socket that is being connected; None where that failed at once."""
    family, kind, protocol, _, place = address
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError:
        return None
    try:
        sock.setblocking(False)
        sock.connect(place)
    except BlockingIOError:
        pass
    except OSError:
        sock.close()
        return None
    return sock


def _alternating(found: Sequence[_Address]) -> list[_Address]:
    """The addresses, the kinds in turn: where one kind leads nowhere, the other is next (RFC 8305, 4)."""
    first = [address for address in found if address[0] == found[0][0]]
    other = [address for address in found if address[0] != found[0][0]]
    turns = [address for pair in zip(first, other, strict=False) for address in pair]
    return turns + first[len(other) :] + other[len(first) :]
