"""TCP and TLS for httpcore, straight on asyncio's transports.

httpcore's own backend goes through anyio's streams, whose every read passes the event loop once more and splits what came
into pieces: with this one a call takes two thirds of the time, and a large body half.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Iterable
from typing import Any

import httpcore

_HIGH_WATER = 1 << 20
_RESOLVE_HEAD_START = 0.25


def _keep_alive_options() -> list[tuple[int, int, int]]:
    """Socket options by which the system itself finds a dead peer within about a minute, without waking the process."""
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
    idle = "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE"
    for name, value in ((idle, 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000)):
        if (option := getattr(socket, name, None)) is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


_KEEP_ALIVE = tuple(_keep_alive_options())


class Wire(asyncio.Protocol):
    """Holds what the peer sent until it is read, up to a limit, and tells when what is written has gone."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._received: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None
        self._may_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._received.append(data)
        self._size += len(data)
        if self._size > _HIGH_WATER and self.transport:
            self.transport.pause_reading()
        self._wake_reader()

    def eof_received(self) -> bool:
        self._ended = True
        self._wake_reader()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._error = exc
        self._may_write = True
        self._wake_reader()
        if self._writer and not self._writer.done():
            self._writer.set_result(None)

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        if self._writer and not self._writer.done():
            self._writer.set_result(None)

    @property
    def has_news(self) -> bool:
        """Whether a read would return at once; on an idle connection that means it is over."""
        return bool(self._received) or self._ended

    async def read(self) -> bytes:
        """Return all that has come, or wait for some; empty at the end. Raises OSError."""
        if not self._received and not self._ended:
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self._received:
            data = self._received[0] if len(self._received) == 1 else b"".join(self._received)
            self._received.clear()
            if self._size > _HIGH_WATER and self.transport and not self._ended:
                self.transport.resume_reading()
            self._size = 0
            return data
        if self._error is not None:
            raise self._error
        return b""

    async def write(self, data: bytes) -> None:
        """Write, and wait where the peer is slow. Raises OSError."""
        if self.transport is None or self.transport.is_closing() or self._ended:
            raise self._error or ConnectionResetError("the connection is closed")
        self.transport.write(data)
        if not self._may_write:
            self._writer = self._loop.create_future()
            try:
                await self._writer
            finally:
                self._writer = None
            if self._error is not None:
                raise self._error

    def _wake_reader(self) -> None:
        if self._reader and not self._reader.done():
            self._reader.set_result(None)


class NetworkStream(httpcore.AsyncNetworkStream):
    """One connection, as httpcore wants it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's contract
        try:
            if timeout is None:
                return await self._wire.read()
            async with asyncio.timeout(timeout):
                return await self._wire.read()
        except TimeoutError as problem:
            raise httpcore.ReadTimeout from problem
        except OSError as problem:
            raise httpcore.ReadError(str(problem)) from problem

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's contract
        if not buffer:
            return
        try:
            if timeout is None:
                await self._wire.write(buffer)
                return
            async with asyncio.timeout(timeout):
                await self._wire.write(buffer)
        except TimeoutError as problem:
            raise httpcore.WriteTimeout from problem
        except OSError as problem:
            raise httpcore.WriteError(str(problem)) from problem

    async def aclose(self) -> None:
        if self._wire.transport:
            self._wire.transport.abort()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's contract
    ) -> httpcore.AsyncNetworkStream:
        wire, transport = self._wire, self._wire.transport
        if transport is None:
            raise httpcore.ConnectError("the connection is closed")
        try:
            async with asyncio.timeout(timeout):
                wire.transport = await asyncio.get_running_loop().start_tls(
                    transport, wire, ssl_context, server_hostname=server_hostname
                )
        except TimeoutError as problem:
            transport.abort()
            raise httpcore.ConnectTimeout from problem
        except OSError as problem:
            transport.abort()
            raise httpcore.ConnectError(str(problem)) from problem
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return self._wire.has_news
        if self._wire.transport is None:
            return None
        return self._wire.transport.get_extra_info(
            {"client_addr": "sockname", "server_addr": "peername"}.get(info, info)
        )


class NetworkBackend(httpcore.AsyncNetworkBackend):
    """Makes connections, racing IPv6 and IPv4 (RFC 8305)."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's contract
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                _, wire = await loop.create_connection(Wire, host, port, happy_eyeballs_delay=_RESOLVE_HEAD_START)
        except TimeoutError as problem:
            raise httpcore.ConnectTimeout from problem
        except (OSError, UnicodeError) as problem:
            raise httpcore.ConnectError(str(problem)) from problem
        if wire.transport and (sock := wire.transport.get_extra_info("socket")):
            for option in (*_KEEP_ALIVE, *(socket_options or ())):
                # An option that this system lacks, or forbids here, costs only speed in finding a dead peer.
                with contextlib.suppress(OSError):
                    sock.setsockopt(*option)
        return NetworkStream(wire)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
