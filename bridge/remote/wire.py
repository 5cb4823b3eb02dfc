"""One TCP connection, with TLS or without, straight on asyncio's transports."""

from __future__ import annotations

import asyncio
import select
import ssl
import sys

_HIGH_WATER = 1 << 20
# There `writelines` never tells the protocol to wait, and buffers without a limit (CVE-2024-12254).
_WRITELINES_IS_BROKEN = (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (3, 13, 2)


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
        """Whether a read would return at once; on an idle connection that means it is over.

        The system is asked too: what it knows may not have come through the event loop yet.
        """
        if self._received or self._ended or self.transport is None:
            return True
        sock = self.transport.get_extra_info("socket")
        return sock is None or _is_readable(sock.fileno())

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from now on. Raises OSError, of which `ssl.SSLError` is one."""
        if self.transport is None:
            raise ConnectionResetError("the connection is closed")
        loop = asyncio.get_running_loop()
        self.transport = await loop.start_tls(self.transport, self, context, server_hostname=host)
        if self.transport is None:
            raise ConnectionResetError("the connection was closed during the TLS handshake")

    def abort(self) -> None:
        """Let go of the connection at once."""
        if self.transport:
            self.transport.abort()

    def received(self) -> bytes:
        """Return what has come already."""
        data = b"".join(self._received)
        self._received.clear()
        self._size = 0
        return data

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

    async def fill(self, buffer: bytearray, start: int) -> None:
        """Read into `buffer` from `start` to its end, without copies. Raises OSError, also at an early end."""
        if self.transport is None or self._ended:
            raise self._error or ConnectionResetError("the connection is closed")
        filler = _Filler(self, buffer, start)
        self.transport.set_protocol(filler)
        self.transport.resume_reading()
        try:
            await filler.done
        finally:
            self.transport.set_protocol(self)

    async def write(self, *pieces: bytes) -> None:
        """Write, and wait where the peer is slow. Raises OSError."""
        if self.transport is None or self.transport.is_closing() or self._ended:
            raise self._error or ConnectionResetError("the connection is closed")
        if _WRITELINES_IS_BROKEN:
            for piece in pieces:
                self.transport.write(piece)
        else:
            self.transport.writelines(pieces)
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


class _Filler(asyncio.BufferedProtocol):
    """Takes a wire's place for as long as a buffer of known size is filled."""

    def __init__(self, wire: Wire, buffer: bytearray, start: int) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wire = wire
        self._left = memoryview(buffer)[start:]

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._left

    def buffer_updated(self, nbytes: int) -> None:
        self._left = self._left[nbytes:]
        if not self._left and not self.done.done():
            # At once, not when the waiter runs: what follows on the connection is not for this buffer.
            if self._wire.transport:
                self._wire.transport.set_protocol(self._wire)
            self.done.set_result(None)

    def eof_received(self) -> bool:
        return self._wire.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.connection_lost(exc)
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the connection ended within a body"))

    def pause_writing(self) -> None:
        self._wire.pause_writing()

    def resume_writing(self) -> None:
        self._wire.resume_writing()


def _is_readable(descriptor: int) -> bool:
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):  # Windows, where select takes any socket.
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
