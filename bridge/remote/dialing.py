"""Opens one TCP connection: races IPv6 and IPv4, or takes over the connection begun before the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from bridge.remote.keep_alive import watch_over
from bridge.remote.known_addresses import Address
from bridge.remote.lookups import Lookups
from bridge.remote.rebinding import RebindingGuard
from bridge.remote.wire import Wire

if TYPE_CHECKING:
    from bridge.protocol.unreachable import Step

Begun = Callable[[], Awaitable[socket.socket | None]]
"""Returns the connected TCP socket of a connection that was begun earlier, or None if it failed.

It is called at most once. The caller owns the socket; if the call is cancelled, the callee closes it.
"""

_HEAD_START = 0.25
_BEGUN_SECONDS = 0.5


async def open_wire(
    host: str,
    port: int,
    begun: Begun | None = None,
    *,
    lookups: Lookups | None = None,
    rebinding: RebindingGuard | None = None,
    begins: Callable[[Step], None] = lambda step: None,
) -> Wire:
    """Look up the name and connect, or take over the connection that was `begun`. Raises OSError and ValueError.

    `rebinding`, if it is given, excludes addresses. `begins(step)` is called at the beginning of each step.
    """
    begins("connection")
    sock = await _taken(begun) if begun is not None else None
    if sock is None:
        begins("name")
        addresses = await (lookups or Lookups()).addresses(host, port)
        begins("connection")
        sock = await _connected(rebinding.usable(addresses) if rebinding is not None else addresses)
    if rebinding is not None:
        with contextlib.suppress(OSError):  # The connection may be closed already.
            rebinding.reached(sock.getpeername())
    watch_over(sock)
    _, wire = await asyncio.get_running_loop().create_connection(Wire, sock=sock)
    return wire


async def _connected(addresses: list[Address]) -> socket.socket:
    """A socket connected to one of the addresses; several are raced (RFC 8305)."""
    if len(addresses) > 1:
        from aiohappyeyeballs import start_connection  # Slow to import, and one address needs no race.

        return await start_connection(addresses, happy_eyeballs_delay=_HEAD_START)
    family, kind, protocol, _, address = addresses[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _taken(begun: Begun) -> socket.socket | None:
    """The socket that was begun, for the event loop; None if it is not there soon or its peer has closed it."""
    try:
        async with asyncio.timeout(_BEGUN_SECONDS):
            sock = await begun()
    except OSError:  # TimeoutError is one.
        return None
    if sock is None:
        return None
    try:
        sock.setblocking(False)
        # The client speaks first, so a readable socket is one that was closed.
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return sock
    except OSError:
        pass
    sock.close()
    return None
