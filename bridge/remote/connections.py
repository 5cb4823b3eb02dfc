"""Connections to the one server, kept for the next request.

httpcore makes them (directly, through a proxy, with TLS); its pools only serve as makers here. A pool walks all its
connections for every request, which costs most when many are in flight; a stack of idle ones costs nothing, and the one
used last is the likeliest to be alive.
"""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

import httpcore
from httpcore import AsyncConnectionInterface

from bridge.remote.network import NetworkBackend
from bridge.remote.proxy import Proxy

_KEEP_SECONDS = 50.0
_MOST = 200


def origin_of(url: str) -> httpcore.Origin:
    """The origin of an http or https URL (RFC 6454)."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return httpcore.Origin(parts.scheme.encode(), (parts.hostname or "").encode("ascii"), port)


class Connections:
    """Lends connections to one origin. `tls` is for the origin, and for a proxy that is reached over https."""

    def __init__(self, origin: httpcore.Origin, proxy: Proxy | None, tls: ssl.SSLContext | None) -> None:
        self._origin = origin
        self._maker = _maker(proxy, tls)
        self._idle: list[AsyncConnectionInterface] = []
        self._free = asyncio.Semaphore(_MOST)
        self._trusted: set[AsyncConnectionInterface] = set()

    async def take(self, *, urgent: bool) -> AsyncConnectionInterface:
        """Lend a connection, which may not be open yet. Waits while too many are lent, unless it is urgent."""
        if not urgent:
            await self._free.acquire()
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed() and not connection.has_expired():
                return connection
            await self._close(connection)
        connection = self._maker.create_connection(self._origin)
        self._trusted.add(connection)
        return connection

    async def give_back(self, connection: AsyncConnectionInterface, *, urgent: bool) -> None:
        """Take a connection back, to lend it again if it can still serve."""
        if not urgent:
            self._free.release()
        if connection.is_idle() and not connection.is_closed() and connection in self._trusted:
            self._idle.append(connection)
        else:
            await self._close(connection)

    async def drop_idle(self) -> None:
        """Trust no connection made before now: close the idle ones, and the lent ones once they come back."""
        idle, self._idle = self._idle, []
        self._trusted.clear()
        for connection in idle:
            await self._close(connection)

    async def _close(self, connection: AsyncConnectionInterface) -> None:
        self._trusted.discard(connection)
        await connection.aclose()


def _maker(proxy: Proxy | None, tls: ssl.SSLContext | None) -> httpcore.AsyncConnectionPool:
    http_proxy = None
    if proxy is not None:
        # "socks5h" says that the proxy resolves the name, which httpcore always leaves to it.
        url = proxy.url.replace("socks5h://", "socks5://")
        http_proxy = httpcore.Proxy(url, auth=proxy.auth, ssl_context=tls if proxy.scheme == "https" else None)
    return httpcore.AsyncConnectionPool(
        ssl_context=tls, proxy=http_proxy, keepalive_expiry=_KEEP_SECONDS, network_backend=NetworkBackend()
    )
