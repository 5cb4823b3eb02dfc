"""Connections to the one server, kept for the next request.

A stack of idle connections costs nothing however many requests are in flight, and the one used last is the likeliest to
be alive.
"""

from __future__ import annotations

import asyncio
import re
import time

import h11

from bridge.remote.connecting import Way
from bridge.remote.http1 import HttpConnection

_KEEP_SECONDS = 50.0
_MOST = 200
_TIMEOUT = re.compile(rb"\btimeout\s*=\s*(\d{1,6})")


class Connections:
    """Lends connections that lead one way. `connect_timeout` in seconds."""

    def __init__(self, way: Way, connect_timeout: float) -> None:
        self.way = way
        self._connect_timeout = connect_timeout
        self._idle: list[HttpConnection] = []
        self._free = asyncio.Semaphore(_MOST)
        self._trusted: set[HttpConnection] = set()

    async def take(self, *, urgent: bool) -> HttpConnection:
        """Lend a connection. Waits while too many are lent, unless it is urgent. Raises `NotConnected`."""
        if not urgent:
            await self._free.acquire()
        try:
            connection = self._idle_one() or await self.way.connect(self._connect_timeout)
        except BaseException:
            if not urgent:
                self._free.release()
            raise
        self._trusted.add(connection)
        return connection

    async def warm(self) -> None:
        """Have one connection idle, for the next request. Raises `NotConnected`."""
        if not any(connection.is_alive for connection in self._idle):
            connection = await self.way.connect(self._connect_timeout)
            connection.expires = time.monotonic() + _KEEP_SECONDS
            self._idle.append(connection)

    def give_back(self, connection: HttpConnection, response: h11.Response | None, *, urgent: bool) -> None:
        """Take a connection back, to lend it again if it can still serve; `response` is the last it carried."""
        if not urgent:
            self._free.release()
        if response is not None and connection in self._trusted and connection.recycle():
            connection.expires = time.monotonic() + _keep_seconds(response)
            self._idle.append(connection)
        else:
            self._let_go(connection)

    def drop_idle(self) -> None:
        """Trust no connection made before now: close the idle ones, and the lent ones once they come back."""
        idle, self._idle = self._idle, []
        self._trusted.clear()
        for connection in idle:
            connection.abort()

    def _idle_one(self) -> HttpConnection | None:
        now = time.monotonic()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_alive and connection.expires > now:
                return connection
            self._let_go(connection)
        return None

    def _let_go(self, connection: HttpConnection) -> None:
        self._trusted.discard(connection)
        connection.abort()


def _keep_seconds(response: h11.Response) -> float:
    """How long a connection may stay idle: a second less than the server says, lest it close it under a request."""
    for name, value in response.headers:
        if name == b"keep-alive" and (found := _TIMEOUT.search(value)):
            return min(_KEEP_SECONDS, max(0.0, float(found[1]) - 1.0))
    return _KEEP_SECONDS
