"""One TCP connection, with TLS or without, straight on asyncio's transports.

Reading is paused only while more than `_HIGH_WATER` bytes wait here unread, and nobody is about to take them.
`_govern_reading` alone decides it, after all that lets the buffer grow or empties it, so no way of reading can leave a
connection paused.

| loop | who takes what came from the system | how it is handed on |
|---|---|---|
| selector (POSIX) | the loop, when it is the connection's turn | `bytes` |
| Proactor (Windows) | the system, ahead of the loop: a read is always under way | 3.11: `bytearray`; later `bytes` |

So on a Proactor nobody can look whether anything came (`reads_ahead`); it has to be let come in first (`come_in`).
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import sys
from typing import Any

_HIGH_WATER = 64 * 1024
_MACOS_SO_NWRITE = 0x1024
_NO_ALERT = (
    ssl.SSLWantReadError,
    ssl.SSLWantWriteError,
    ssl.SSLZeroReturnError,
    ssl.SSLEOFError,
    ssl.SSLSyscallError,
)


class Wire(asyncio.Protocol):
    """Holds what the peer sent until it is read, up to a limit, and tells when what is written has gone.

    `ended_unaware`: the peer closed the connection, and its end confirms less than was sent (RFC 9293, 3.10.7.4): it
    closed before all of that had reached it. Only where the system tells (Linux, macOS).

    `reads_ahead`: what came may be out of `has_news`' sight until it was let `come_in`.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.ended_unaware = False
        self._loop = asyncio.get_running_loop()
        self.reads_ahead = not isinstance(self._loop, asyncio.SelectorEventLoop)
        self._layers: list[asyncio.Transport] = []
        self._tls: ssl.SSLObject | None = None
        self._received: list[bytes] = []
        self._size = 0
        self._is_paused = False
        self._ended = False
        self._error: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._may_write = True

    # -- what the transport tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            self._layers.append(transport)

    def data_received(self, data: bytes) -> None:
        self._received.append(bytes(data))  # No copy, but for a Proactor's `bytearray`.
        self._size += len(data)
        # Whoever waits takes it before the event loop reads on.
        if self._size > _HIGH_WATER and (self._waiter is None or self._waiter.done()):
            self._govern_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._ended = True
        self._error = self._alert or self._error
        self.ended_unaware = self.not_taken > 0
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._error = self._alert or exc or self._error
        self._may_write = True
        self._wake()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._wake()

    # -- how it stands

    @property
    def has_news(self) -> bool:
        """Whether anything came that was not read, or the connection is over; on an idle one that means the same.

        Looked for wherever it may be: here, with TLS, and with the system, for what the system knows may not have come
        through the event loop. Only of a TLS record that is not whole yet nobody tells; nor, where it `reads_ahead`,
        of what came in this turn of the loop.
        """
        if self._received or self._ended or self._is_paused or self.transport is None:
            return True
        if self._tls is not None and self._tls.pending():
            return True
        sock = self.transport.get_extra_info("socket")
        return sock is None or _is_readable(sock.fileno())

    @property
    def peer(self) -> str:
        """The IP address of the other end, empty where it is not known."""
        name = self._layers[0].get_extra_info("peername") if self._layers else None
        return str(name[0]) if name else ""

    @property
    def is_full(self) -> bool:
        """Whether what was sent should go before more is sent."""
        return not self._may_write

    @property
    def has_received(self) -> bool:
        """Whether something is there to be read, or the end, so that `read` returns at once."""
        return bool(self._received) or self._ended

    @property
    def unsent(self) -> int:
        """Bytes that were sent and have not left the process."""
        size = 0
        for layer in self._layers:
            size += layer.get_write_buffer_size()
        return size

    @property
    def not_taken(self) -> int:
        """Bytes that were sent and that the peer has not confirmed, as far as this system tells (Linux, macOS)."""
        sock = self.transport.get_extra_info("socket") if self.transport else None
        return self.unsent + (_in_the_system(sock) if sock is not None and sock.fileno() >= 0 else 0)

    # -- reading

    async def read(self) -> bytes:
        """Return all that has come, or wait for some; empty at the end. Raises OSError."""
        while not self._received and not self._ended:
            self._waiter = waiter = self._loop.create_future()  # As `change` does, at the cost of one step less.
            try:
                await waiter
            finally:
                self._waiter = None
        if self._received:
            return self.received()
        if self._error is not None:
            raise self._error
        return b""

    def received(self) -> bytes:
        """Return what has come already; empty where nothing has."""
        received = self._received
        data = received[0] if len(received) == 1 else b"".join(received)
        received.clear()
        self._size = 0
        if self._is_paused:
            self._govern_reading()
        return data

    def _govern_reading(self) -> None:
        """Pause reading or resume it: the one place that does."""
        is_too_much = self._size > _HIGH_WATER
        if is_too_much is not self._is_paused and self.transport is not None and not self._ended:
            self._is_paused = is_too_much
            if is_too_much:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    # -- writing

    def send(self, data: bytes | memoryview) -> None:
        """Hand data to the system, or keep it until the system takes it. Raises OSError where that is known to fail."""
        if self.transport is None or self._ended or self.transport.is_closing():
            raise self._error or ConnectionResetError("the connection is closed")
        self.transport.write(data)
        if self.transport.is_closing():
            raise self._error or ConnectionResetError("the connection broke")

    async def write(self, data: bytes) -> None:
        """Send, and wait where the peer is slow. Raises OSError."""
        self.send(data)
        while not self._may_write:
            await self.change()
        if self._error is not None:
            raise self._error

    async def come_in(self) -> None:
        """Let come in what the system has or had: what a turn of the loop brings runs after a task that was ready."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def reason(self, problem: OSError) -> OSError:
        """Why a write failed. What the peer said by TLS before it closed is told here a moment after that."""
        await self.come_in()
        return self._error if isinstance(self._error, ssl.SSLError) else problem

    async def change(self) -> None:
        """Wait until something comes, the connection ends, or more may be sent. One task at a time may wait."""
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    @property
    def _alert(self) -> ssl.SSLError | None:
        return self._tls.alert if isinstance(self._tls, AlertKeepingTls) else None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- beginning and end

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Speak TLS from now on. Raises OSError, of which `ssl.SSLError` is one."""
        if self.transport is None:
            raise ConnectionResetError("the connection is closed")
        if getattr(context, "sslobject_class", None) is ssl.SSLObject:  # Not with truststore, which has its own.
            context.sslobject_class = AlertKeepingTls
        self.transport = await self._loop.start_tls(self.transport, self, context, server_hostname=host)
        if self.transport is None:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        self._layers.append(self.transport)
        limit = getattr(self.transport, "set_read_buffer_limits", None)
        if limit is not None:  # What waits to be deciphered while reading is paused; 256 kB, where nothing is said.
            limit(_HIGH_WATER)
        self._tls = self.transport.get_extra_info("ssl_object")
        if type(context) is not ssl.SSLContext:
            from bridge.remote.system_trust import SystemTrust  # Windows and macOS only.

            if isinstance(context, SystemTrust) and self._tls is not None:
                await context.accept(self._tls, host)

    def abort(self) -> None:
        """Let go of the connection at once. Whoever still reads gets an error, for it is not the peer's end."""
        if self._error is None:
            self._error = ConnectionAbortedError("the connection was given up")
        if self.transport:
            self.transport.abort()


class AlertKeepingTls(ssl.SSLObject):
    """One side of TLS that keeps the peer's `alert`.

    The end or a reset comes right behind it. A Proactor's transport begins its next read, and is told of that, before
    it hands the alert on; asyncio tells of what it was told first.
    """

    alert: ssl.SSLError | None = None

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - as it is called there
        try:
            return super().read(len, buffer)
        except _NO_ALERT:
            raise
        except ssl.SSLError as problem:
            self.alert = problem
            raise


def _is_readable(descriptor: int) -> bool:
    if descriptor < 0:
        return True
    if not hasattr(select, "poll"):  # Windows, where select takes any socket.
        return bool(select.select([descriptor], [], [], 0)[0])
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _in_the_system(sock: socket.socket) -> int:
    """Bytes in a socket's send queue; 0 where the system does not tell."""
    size = 0
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            import fcntl
            import termios

            size = int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        elif sys.platform == "darwin":
            size = sock.getsockopt(socket.SOL_SOCKET, _MACOS_SO_NWRITE)
    return size
