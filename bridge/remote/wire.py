"""One TCP connection, with TLS or without, directly on asyncio's transports.

Reading is paused only while more than `_HIGH_WATER` unread bytes are held here and no task waits for them.
`_govern_reading` alone decides that, after each change of the buffer, so no connection can stay paused by mistake.

| loop | when data is read from the system | type |
|---|---|---|
| selector (POSIX) | when the loop comes to this connection | `bytes` |
| Proactor (Windows) | ahead of the loop: a read is always under way | 3.11: `bytearray`; later `bytes` |

So with a Proactor the bridge cannot see at once whether data has arrived (`reads_ahead`); `come_in` waits until it can.
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
    """Holds received data until it is read, up to a limit, and tells when sent data has left.

    `ended_unaware`: the peer closed the connection, and its last segment confirms less than was sent (RFC 9293,
    3.10.7.4), so it closed before all of that had reached it. Known on Linux and macOS only.

    `reads_ahead`: `has_news` may miss data that has arrived, until `come_in` was called.
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

    # -- called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self.transport = transport
            self._layers.append(transport)

    def data_received(self, data: bytes) -> None:
        self._received.append(bytes(data))  # No copy, except of a Proactor's `bytearray`.
        self._size += len(data)
        # A task that waits takes it before the event loop reads more.
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

    # -- state

    @property
    def has_news(self) -> bool:
        """Whether unread data has arrived or the connection has ended; an idle connection is unusable after either.

        It looks here, in TLS and in the system, which may have data that the event loop has not read yet. It does not
        see an incomplete TLS record; nor, where it `reads_ahead`, data that arrived in this turn of the loop.
        """
        if self._received or self._ended or self._is_paused or self.transport is None:
            return True
        if self._tls is not None and self._tls.pending():
            return True
        sock = self.transport.get_extra_info("socket")
        return sock is None or _is_readable(sock.fileno())

    @property
    def peer(self) -> str:
        """The IP address of the other end; empty if it is not known."""
        name = self._layers[0].get_extra_info("peername") if self._layers else None
        return str(name[0]) if name else ""

    @property
    def is_full(self) -> bool:
        """Whether the sender should wait before sending more."""
        return not self._may_write

    @property
    def has_received(self) -> bool:
        """Whether `read` returns at once, with data or at the end."""
        return bool(self._received) or self._ended

    @property
    def unsent(self) -> int:
        """The number of sent bytes that have not left the process."""
        size = 0
        for layer in self._layers:
            size += layer.get_write_buffer_size()
        return size

    @property
    def not_taken(self) -> int:
        """The number of sent bytes that the peer has not confirmed, as far as the system tells (Linux, macOS)."""
        sock = self.transport.get_extra_info("socket") if self.transport else None
        return self.unsent + (_in_the_system(sock) if sock is not None and sock.fileno() >= 0 else 0)

    # -- reading

    async def read(self) -> bytes:
        """Return all received data, or wait for some; empty at the end. Raises OSError."""
        while not self._received and not self._ended:
            self._waiter = waiter = self._loop.create_future()  # As in `change`, with one step less.
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
        """Return the data received so far; empty without any."""
        received = self._received
        data = received[0] if len(received) == 1 else b"".join(received)
        received.clear()
        self._size = 0
        if self._is_paused:
            self._govern_reading()
        return data

    def _govern_reading(self) -> None:
        """Pause or resume reading. No other code does."""
        is_too_much = self._size > _HIGH_WATER
        if is_too_much is not self._is_paused and self.transport is not None and not self._ended:
            self._is_paused = is_too_much
            if is_too_much:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    # -- writing

    def send(self, data: bytes | memoryview) -> None:
        """Give data to the system, or keep it until the system takes it. Raises OSError if the connection has ended."""
        if self.transport is None or self._ended or self.transport.is_closing():
            raise self._error or ConnectionResetError("the connection is closed")
        self.transport.write(data)
        if self.transport.is_closing():
            raise self._error or ConnectionResetError("the connection broke")

    async def write(self, data: bytes) -> None:
        """Send, and wait if the peer is slow. Raises OSError."""
        self.send(data)
        while not self._may_write:
            await self.change()
        if self._error is not None:
            raise self._error

    async def come_in(self) -> None:
        """Read what the system has or had: within a turn of the loop, ready tasks run before the data is delivered."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def reason(self, problem: OSError) -> OSError:
        """Why a write failed: the TLS alert that the peer sent before it closed, if any; it arrives a moment later."""
        await self.come_in()
        return self._error if isinstance(self._error, ssl.SSLError) else problem

    async def change(self) -> None:
        """Wait until data arrives, the connection ends, or more may be sent. Only one task at a time may wait."""
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
        """Switch to TLS. Raises OSError, such as `ssl.SSLError`."""
        if self.transport is None:
            raise ConnectionResetError("the connection is closed")
        if getattr(context, "sslobject_class", None) is ssl.SSLObject:  # truststore has a class of its own.
            context.sslobject_class = AlertKeepingTls
        self.transport = await self._loop.start_tls(self.transport, self, context, server_hostname=host)
        if self.transport is None:
            raise ConnectionResetError("the connection was closed during the TLS handshake")
        self._layers.append(self.transport)
        limit = getattr(self.transport, "set_read_buffer_limits", None)
        if limit is not None:  # The limit for encrypted data while reading is paused; 256 kB by default.
            limit(_HIGH_WATER)
        self._tls = self.transport.get_extra_info("ssl_object")
        if type(context) is not ssl.SSLContext:
            from bridge.remote.system_trust import SystemTrust  # Windows and macOS only.

            if isinstance(context, SystemTrust) and self._tls is not None:
                await context.verify(self._tls, host)

    def abort(self) -> None:
        """Close the connection at once. A pending `read` raises an error, because the peer did not end it."""
        if self._error is None:
            self._error = ConnectionAbortedError("the connection was abandoned")
        if self.transport:
            self.transport.abort()


class AlertKeepingTls(ssl.SSLObject):
    """One side of TLS that keeps the peer's `alert`.

    The end or a reset follows an alert at once. A Proactor's transport begins its next read before it delivers the
    alert; if that read fails first, asyncio reports that failure instead.
    """

    alert: ssl.SSLError | None = None

    def read(self, len: int = 1024, buffer: Any = None) -> Any:  # noqa: A002 - the name in ssl
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
    """The number of bytes in a socket's send queue; 0 if the system does not tell."""
    size = 0
    with contextlib.suppress(OSError):
        if sys.platform == "linux":
            import fcntl
            import termios

            size = int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        elif sys.platform == "darwin":
            size = sock.getsockopt(socket.SOL_SOCKET, _MACOS_SO_NWRITE)
    return size
