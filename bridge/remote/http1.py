"""HTTP/1.1 on one connection: a request, the head of its response, its body, the next request. h11 has the grammar.

A body with a known length of 256 kB or more does not pass through h11, which would copy each byte three more times. It
is read directly from the connection. Bytes after it are given back to h11, where the rule for reuse (`reuse`) finds
them.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import h11

from bridge.remote.reuse import may_serve
from bridge.remote.wire import Wire

Header = tuple[bytes, bytes]

AT_ONCE = 64 * 1024
"""A request body up to this size, in bytes, is given to the system in one piece."""

_MAX_HEAD = 64 * 1024
_LARGE = 256 * 1024
_MOST_INTERIM = 100
_BEGINNING = 9
_BEGINNING_SECONDS = 0.5


class Disconnected(ConnectionError):
    """The server closed the connection without an answer."""


class Stalled(ConnectionError):
    """The server keeps the connection open but does not read the request any more."""


class NotHttp(h11.RemoteProtocolError):
    """The server answered with something that is not HTTP/1. `beginning` is its first bytes, if they are known."""

    def __init__(self, problem: h11.RemoteProtocolError, beginning: bytes) -> None:
        super().__init__(str(problem), problem.error_status_hint)
        self.beginning = beginning


class ConnectionOpener(Protocol):
    """What opened a connection, and so decides what its requests look like: `connecting.Route`."""

    @property
    def proxy(self) -> object | None:
        """The proxy that the connection leads through, if any."""

    @property
    def is_forwarded(self) -> bool:
        """Whether that proxy sees each request and wants the whole URL in it."""

    def forward_headers(self) -> tuple[Header, ...]:
        """The headers that such a proxy wants on each request."""


class HttpConnection:
    """A connection that serves one request after another. It is not used after `expires` (seconds, monotonic).

    `route` opened it. `was_lent`: it had a request before. `sent`: all of the last request was
    given to the system, so the server may have it. `was_slow`: the body of that request was too large to be given to
    the system in one piece.
    """

    def __init__(self, wire: Wire) -> None:
        self.expires = 0.0
        self.route: ConnectionOpener | None = None
        self.was_lent = False
        self.sent = False
        self.was_slow = False
        self._wire = wire
        self._http = _grammar()
        self._left = 0
        self._went_out = True
        self._interim = 0
        self._read_timeout: float | None = None

    async def request(
        self,
        method: bytes,
        target: bytes,
        headers: Sequence[Header],
        body: bytes | None,
        read_timeout: float | None,
    ) -> h11.Response:
        """Send a request and return the head of its response.

        `read_timeout` in seconds limits each wait for the server. Raises OSError (`Disconnected`, `Stalled` and
        TimeoutError among them) and `h11.ProtocolError`.
        """
        self.sent = self.was_slow = False
        self.was_lent = True
        self._read_timeout = read_timeout
        head = self._http.send(_checked(method, target, tuple(headers))) or b""
        if body is not None:
            self._http.send_with_data_passthrough(h11.Data(data=body))
        self._http.send(h11.EndOfMessage())
        self._went_out = False
        self._interim = 0
        try:
            if body is not None and len(body) > AT_ONCE:
                response = await self._upload(head, body)
            else:
                self._wire.send(head + body if body else head)
                self.sent = self._went_out = True
                response = await self._head()
        except h11.RemoteProtocolError as problem:
            raise NotHttp(problem, await self._beginning()) from problem
        except OSError as problem:
            if self.sent or isinstance(problem, Stalled):
                raise
            early = await self._received_head()
            if early is None:
                raise await self._wire.reason(problem) from problem
            response = early
        self._left = _known_length(response)
        return response

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body of the response in the pieces that arrive. Raises as `request`."""
        if self._left:
            async for piece in self._known_body():
                yield piece
            return
        pieces: list[bytes] = []
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError:
                if pieces:  # The data before the error is good: events of a stream.
                    yield b"".join(pieces)
                raise
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

    async def _known_body(self) -> AsyncIterator[bytes]:
        """Yield the next `_left` bytes; after them h11 goes on."""
        piece, _ = self._http.trailing_data
        while True:
            over = piece[self._left :]
            if over:
                piece = piece[: self._left]
            self._left -= len(piece)
            if not self._left:
                self._http = _grammar()
                if over:
                    self._http.receive_data(over)
            if piece:
                yield piece
            if not self._left:
                return
            piece = await self._read()
            if not piece:
                raise h11.RemoteProtocolError("the connection ended within a body")

    def recycle(self) -> bool:
        """Prepare for the next request; return False where a side has not finished this one."""
        if not self._went_out:
            return False
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return self._http.our_state is h11.IDLE and not self._left

    def may_serve(self, now: float) -> bool:
        """Whether the connection may be used for another request (see `reuse`). `now` in seconds, monotonic."""
        return not self._left and may_serve(
            self._http, self._wire, went_out=self._went_out, expires=self.expires, now=now
        )

    @property
    def reads_ahead(self) -> bool:
        """Whether `may_serve` is only reliable after `come_in`."""
        return self._wire.reads_ahead

    async def come_in(self) -> None:
        """Read the data that the system holds."""
        await self._wire.come_in()

    @property
    def peer(self) -> str:
        """The IP address of the other end: the server's, or the proxy's if one is used. Empty if it is not known."""
        return self._wire.peer

    @property
    def unread(self) -> bytes:
        """Bytes that were received and belong to no response."""
        return self._http.trailing_data[0]

    def abort(self) -> None:
        """Close the connection at once."""
        self._http.send_failed()
        self._wire.abort()

    # -- sending

    async def _upload(self, head: bytes, body: bytes) -> h11.Response:
        from bridge.remote.uploading import Upload  # Few requests are large.

        self.was_slow = True
        upload = Upload(self._wire, self._head_in)
        try:
            response = await upload.send(head, body)
        finally:
            self.sent = self._went_out = upload.is_whole
        return response or await self._head()

    def _head_in(self, data: bytes) -> h11.Response | None:
        """Take received bytes; return the head of the response once it is complete."""
        self._http.receive_data(data)
        return self._buffered_head()

    async def _received_head(self) -> h11.Response | None:
        """The head of a response that was received before the connection broke; None without one."""
        try:
            while self._wire.has_received and (data := await self._wire.read()):
                if (response := self._head_in(data)) is not None:
                    return response
        except (OSError, h11.ProtocolError):
            pass
        return None

    # -- receiving

    async def _head(self) -> h11.Response:
        while (response := self._buffered_head()) is None:
            await self._receive()
        return response

    def _buffered_head(self) -> h11.Response | None:
        """The head of the response, once it has been received. Raises `h11.RemoteProtocolError`."""
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                return None
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise h11.RemoteProtocolError(f"more than {_MOST_INTERIM} interim responses and no final one")

    async def _beginning(self) -> bytes:
        """The first bytes of an answer that is not HTTP, enough to recognize a binary protocol."""
        data = self._http.trailing_data[0]
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_BEGINNING_SECONDS):
                while 0 < len(data) < _BEGINNING and data[0] < 0x20 and (more := await self._wire.read()):
                    data += more
        return data[:_BEGINNING]

    async def _read(self) -> bytes:
        if self._read_timeout is None:
            return await self._wire.read()
        async with asyncio.timeout(self._read_timeout):
            return await self._wire.read()

    async def _receive(self) -> None:
        data = await self._read()
        if not data and self._http.their_state is h11.SEND_RESPONSE:
            self.sent = self.sent and not self._wire.ended_unaware
            raise Disconnected("the server closed the connection without a response")
        self._http.receive_data(data)


@functools.lru_cache(maxsize=32)
def _checked(method: bytes, target: bytes, headers: tuple[Header, ...]) -> h11.Request:
    """A request's head, checked by h11. Most are repeated, so they are cached. Raises `h11.LocalProtocolError`."""
    return h11.Request(method=method, target=target, headers=list(headers))


def _grammar() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)


def _known_length(response: h11.Response) -> int:
    """The length in bytes of a large body, if the head gives it and the connection stays open after it; else 0."""
    length = 0
    for name, value in response.headers:
        if name in {b"transfer-encoding", b"connection"} and value.lower() != b"keep-alive":
            return 0
        if name == b"content-length":
            length = int(value)
    return length if length >= _LARGE and response.http_version == b"1.1" and response.status_code == 200 else 0
