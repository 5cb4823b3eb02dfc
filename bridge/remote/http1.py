"""HTTP/1.1 on one connection: a request, the head of its response, its body, the next request. The grammar is h11's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import h11

from bridge.remote.wire import Wire

Header = tuple[bytes, bytes]

_MAX_HEAD = 64 * 1024
_JOINED = 32 * 1024
_LARGE = 256 * 1024


class Disconnected(ConnectionError):
    """The server closed the connection instead of answering."""


class HttpConnection:
    """A connection that serves one request after another; from `expires` (seconds, monotonic) on it is not used."""

    def __init__(self, wire: Wire) -> None:
        self.expires = 0.0
        self.sent = False
        self.announced = 0
        self._wire = wire
        self._http = _grammar()
        self._read_timeout: float | None = None

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes | None,
        read_timeout: float | None,
    ) -> h11.Response:
        """Send a request and return the head of its response. `sent` tells whether all of it was handed to the system.

        `read_timeout` in seconds limits each wait for the server. Raises OSError (`Disconnected`, TimeoutError among
        them) and `h11.ProtocolError`.
        """
        self.sent = False
        self._read_timeout = read_timeout
        head = self._http.send(h11.Request(method=method, target=target, headers=list(headers))) or b""
        if body is None:
            pieces = [head]
        else:
            self._http.send_with_data_passthrough(h11.Data(data=body))
            pieces = [head + body] if len(body) < _JOINED else [head, body]
        self._http.send(h11.EndOfMessage())
        await self._wire.write(*pieces)
        self.sent = True
        while True:
            event = await self._next_event()
            if isinstance(event, h11.Response):
                self.announced = _announced(event)
                return event

    async def body(self) -> AsyncIterator[bytes | bytearray]:
        """The response's body, in pieces as they come; several that came together are one. Raises as `request`.

        Where `announced` is not 0, it is the size in bytes of the one piece that comes.
        """
        if self.announced:
            yield await self._large_body()
            return
        pieces: list[bytes] = []
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                pieces.append(bytes(event.data))
            elif event is h11.NEED_DATA:
                if pieces:
                    yield pieces[0] if len(pieces) == 1 else b"".join(pieces)
                    pieces.clear()
                await self._receive()
            else:
                if pieces:
                    yield b"".join(pieces)
                return

    async def _large_body(self) -> bytearray:
        """A large body of known length, past the grammar, which would copy each byte three times more."""
        body = bytearray(self.announced)
        first, _ = self._http.trailing_data
        first += self._wire.received()
        if len(first) > len(body):
            raise h11.RemoteProtocolError("the body is longer than announced")
        body[: len(first)] = first
        if len(first) < len(body):
            async with asyncio.timeout(self._read_timeout):
                await self._wire.fill(body, len(first))
        self._http = _grammar()
        self.announced = 0
        return body

    def recycle(self) -> bool:
        """Make ready for the next request; False where this connection can serve no more."""
        if self._http.our_state is h11.IDLE:
            return not self.announced
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    @property
    def is_alive(self) -> bool:
        """Whether the server has kept an idle connection open, as far as can be seen."""
        return not self._wire.has_news

    def abort(self) -> None:
        """Let go of the connection at once; it serves no more."""
        self._http.send_failed()
        self._wire.abort()

    async def _next_event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Event):
                return event
            await self._receive()

    async def _read(self) -> bytes:
        if self._read_timeout is None:
            return await self._wire.read()
        async with asyncio.timeout(self._read_timeout):
            return await self._wire.read()

    async def _receive(self) -> None:
        data = await self._read()
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            raise Disconnected("the server closed the connection without an answer")
        self._http.receive_data(data)


def _grammar() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)


def _announced(response: h11.Response) -> int:
    """The length in bytes of a large body, where the head tells it and the connection serves on after it; else 0."""
    length = 0
    for name, value in response.headers:
        if name in {b"transfer-encoding", b"connection"} and value.lower() != b"keep-alive":
            return 0
        if name == b"content-length":
            length = int(value)
    return length if length >= _LARGE and response.http_version == b"1.1" and response.status_code == 200 else 0
