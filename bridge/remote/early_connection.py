"""The first connection, begun before the event loop runs, while the rest of the program is imported.

A thread looks up the name and connects. It mostly waits, so the import goes on beside it. The result is a connected TCP
socket or None; `connecting` takes the socket over, adds TLS, proxies, limits and errors, and connects anew after None.
This module is imported first, so it imports little.

| what happens | result |
|---|---|
| the host is an address or `localhost` | no name service is asked (`known_addresses`) |
| the name has public addresses and addresses of this machine | the latter are ignored (`rebinding`) |
| an address accepts the connection | the first caller of `taken` gets the socket |
| an address refuses, or does not accept within `HEAD_START` seconds | the next is tried too, four in all (RFC 8305) |
| no such name, refused, no network | None |
| `taken` is not called, or its caller is cancelled | the socket is closed |
| the process ends | it does not wait for the thread |
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
"""Seconds before the next address is tried beside one that has not accepted yet."""

_MOST_ADDRESSES = 4

_Address = tuple[Any, ...]
"""An entry of `socket.getaddrinfo`: family, kind, protocol, canonical name, address."""


class EarlyConnection:
    """A connection to `host` and `port`, begun when this object is made, and given up after `seconds`."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self._host = host
        self._port = port
        self._seconds = seconds
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_over = self._is_closed = False
        self._waiter: asyncio.Future[socket.socket | None] | None = None
        # A daemon thread: a name lookup cannot be cancelled, and must not delay the end of the process.
        threading.Thread(target=self._run, name="begun", daemon=True).start()

    async def taken(self) -> socket.socket | None:
        """Wait for the connected socket and return it, once; None where the connection failed.

        The caller owns the socket. If the wait is cancelled, a socket that comes later is closed.
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
            pass  # `connecting` tries again, meets the same error and reports it.
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
    """A socket connected to the first address that accepts; None where none does. Raises OSError and ValueError."""
    found: Sequence[_Address] = known_addresses(host, port)
    if not found:
        # As bytes, for all hosts are ASCII here: for a str, Python would load its tables of IDN.
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    waiting = _alternating(not_this_machine(found))[:_MOST_ADDRESSES]
    ends = time.monotonic() + seconds
    trying: list[socket.socket] = []
    try:
        while waiting or trying:
            if waiting and (sock := _connecting(waiting.pop(0))):
                trying.append(sock)
            left = ends - time.monotonic()
            if left <= 0:
                return None
            if not trying:
                continue
            # Windows reports a failed connection in the third list.
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


def _connecting(address: _Address) -> socket.socket | None:
    """A socket that is connecting; None where that failed at once."""
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
    """The addresses with IPv6 and IPv4 in turn, so that one family that fails costs little (RFC 8305, 4)."""
    first = [address for address in found if address[0] == found[0][0]]
    other = [address for address in found if address[0] != found[0][0]]
    turns = [address for pair in zip(first, other, strict=False) for address in pair]
    return turns + first[len(other) :] + other[len(first) :]
