"""One HTTP exchange: a request goes out, events tell what comes back. Redirects, cookies and limits are its own.

Redirects are followed on the same origin only, for no header of the user's may reach another, and keep the method: a
server that moved its endpoint wants the message, not a GET (RFC 9110, 15.4).
"""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httpcore

from bridge.protocol import mcp
from bridge.protocol.sse import EventStreamDecoder, EventTooLarge
from bridge.remote.connections import Connections, origin_of
from bridge.remote.cookies import Cookies
from bridge.remote.failures import explain
from bridge.session.events import (
    BodyReceived,
    Cause,
    Event,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The largest message taken from a server."""

_MAX_REDIRECTS = 5
_MAX_ERROR_BYTES = 64 * 1024
_MAX_MOVES = 100
_LONGEST_SESSION_ID = 4096
_INFLATE_AT_ONCE = 1 << 20
_PERMANENT = {301, 308}
_REDIRECTS = {301, 302, 303, 307, 308}
_WIRE_ERRORS = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError)

Header = tuple[bytes, bytes]


class RemoteRequest(NamedTuple):
    """What to send. `read_timeout` in seconds limits each wait for the server; None waits for ever."""

    exchange: int
    method: bytes
    headers: tuple[Header, ...]
    body: bytes | None = None
    url: str | None = None
    urgent: bool = False
    read_timeout: float | None = None


class _Refused(Exception):
    """The exchange ends here, by the bridge's own judgement."""

    def __init__(self, cause: Cause, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.hint = hint


class _Body:
    """A request's body, which tells whether all of it was handed to the system."""

    def __init__(self, body: bytes | None) -> None:
        self._body = body
        self.sent = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body is not None:
            yield self._body
        self.sent = True


class Remote:
    """The server at `url`. `headers` are the user's, sent to its origin and nowhere else.

    `emit` takes each event at once; `clear` is awaited before more is read, and holds a stream while the host is slow.
    """

    def __init__(
        self,
        url: str,
        headers: tuple[Header, ...],
        connections: Connections,
        *,
        connect_timeout: float,
        proxy: str | None,
        emit: Callable[[Event], None],
        clear: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._origin = origin_of(url)
        self._headers = headers
        self._connections = connections
        self._connect_timeout = connect_timeout
        self._proxy = proxy
        self._emit = emit
        self._clear = clear
        self._cookies = Cookies()
        self._moved: dict[str, str] = {}

    async def run(self, request: RemoteRequest) -> None:
        """Carry an exchange out and emit what happens; the last event ends it. Raises nothing but cancellation."""
        url = request.url or self._url
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                target = await self._attempt(request, self._moved.get(url, url))
                if target is None:
                    return
                url = target
            raise _Refused(Cause.REDIRECTED, f"{self._url} redirects in a circle.", "The server is at fault.")
        except _Refused as refusal:
            sent = refusal.cause is not Cause.UNREACHABLE
            self._emit(ExchangeFailed(request.exchange, refusal.cause, sent, refusal.message, refusal.hint))

    async def _attempt(self, request: RemoteRequest, url: str) -> str | None:
        """Send to `url`; return where to send instead, None when the exchange is over."""
        body = _Body(request.body)
        head: int | None = None
        streams = False
        connection = await self._connections.take(urgent=request.urgent)
        try:
            response = await connection.handle_async_request(self._http_request(request, url, body))
            try:
                target = self._redirect(url, response)
                if target is None:
                    head = response.status
                    streams = self._start(request, url, response)
                    await self._read(request, response, streams=streams)
            finally:
                await response.aclose()
            return target
        except EventTooLarge as problem:
            raise _Refused(Cause.TOO_LARGE, f"{url} sent more than is taken: {problem}.") from problem
        except zlib.error as problem:
            raise _Refused(Cause.TRUNCATED, f"{url} sent a body that cannot be decompressed.") from problem
        except _WIRE_ERRORS as problem:
            self._failed(request, url, problem, sent=body.sent, head=head, streams=streams)
            return None
        finally:
            await self._connections.give_back(connection, urgent=request.urgent)

    def _http_request(self, request: RemoteRequest, url: str, body: _Body) -> httpcore.Request:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = [(b"host", _host(self._origin)), *request.headers, *self._headers]
        if request.body is not None:
            headers.append((b"content-length", b"%d" % len(request.body)))
        if cookie := self._cookies.header(parts.path or "/", secure=parts.scheme == "https"):
            headers.append((b"cookie", cookie.encode("latin-1")))
        return httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=self._origin.scheme,
                host=self._origin.host,
                port=self._origin.port,
                target=target.encode("ascii"),
            ),
            headers=headers,
            content=body,
            extensions={"timeout": {"connect": self._connect_timeout, "read": request.read_timeout}},
        )

    def _redirect(self, url: str, response: httpcore.Response) -> str | None:
        """The URL that a response leads to, or None. Raises `_Refused` for one that must not be followed."""
        status = response.status
        self._cookies.store(urlsplit(url).path or "/", _all(response, b"set-cookie"))
        location = _first(response, b"location")
        if status not in _REDIRECTS or location is None:
            return None
        target = urljoin(url, location.decode("latin-1")).partition("#")[0]
        try:
            same = origin_of(target) == self._origin and target.isascii()
        except (ValueError, UnicodeError):
            same = False
        if not same:
            shown = target.partition("?")[0][:200]
            raise _Refused(
                Cause.REDIRECTED,
                f"{url} redirects ({status}) to another origin, {shown}, and nothing of yours is sent there unasked.",
                "If that is the server you mean, put its URL into the configuration.",
            )
        if status == 303:
            raise _Refused(Cause.REDIRECTED, f"{url} answered 303 See Other, which is no answer to an MCP message.")
        if status in _PERMANENT and len(self._moved) < _MAX_MOVES:
            self._moved[url] = target
        return target

    def _start(self, request: RemoteRequest, url: str, response: httpcore.Response) -> bool:
        """Tell the head of a response; return whether it streams."""
        content_type = (_first(response, b"content-type") or b"").partition(b";")[0].strip().lower()
        streams = 200 <= response.status < 300 and content_type == mcp.EVENT_STREAM
        session_id = _first(response, mcp.SESSION_ID)
        if session_id is not None and not (0 < len(session_id) <= _LONGEST_SESSION_ID and _is_visible(session_id)):
            raise _Refused(
                Cause.PROTOCOL, f"{url} gave a session id that is not visible ASCII.", "The server is at fault."
            )
        self._emit(ResponseStarted(request.exchange, response.status, session_id, streams))
        return streams

    async def _read(self, request: RemoteRequest, response: httpcore.Response, *, streams: bool) -> None:
        chunks = _decoded(response)
        if streams:
            decoder = EventStreamDecoder(MAX_MESSAGE_BYTES)
            async for chunk in chunks:
                for event in decoder.feed(chunk):
                    self._emit(EventReceived(request.exchange, event))
                await self._clear()
            self._emit(StreamClosed(request.exchange, "the server closed the stream"))
            return
        limit = MAX_MESSAGE_BYTES if response.status < 300 else _MAX_ERROR_BYTES
        pieces: list[bytes] = []
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            pieces.append(chunk)
            if size > limit:
                if response.status >= 300:
                    break
                raise EventTooLarge(f"a message is larger than {limit} bytes")
        await self._clear()
        content_type = _first(response, b"content-type") or b""
        wait = _retry_after(_first(response, b"retry-after"), time.time())
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._emit(BodyReceived(request.exchange, response.status, content_type, body, wait))

    def _failed(
        self, request: RemoteRequest, url: str, problem: Exception, *, sent: bool, head: int | None, streams: bool
    ) -> None:
        cause, message, hint = explain(problem, url, self._proxy)
        if streams:
            self._emit(StreamClosed(request.exchange, "the connection was lost"))
            return
        if head is not None:
            cause, hint = Cause.TRUNCATED, "Try again; if it stays so, the server or a proxy before it is at fault."
            message = f"{url} answered with status {head}, but the answer broke off before its end."
        self._emit(ExchangeFailed(request.exchange, cause, sent, message, hint))


async def _decoded(response: httpcore.Response) -> AsyncIterator[bytes]:
    """The body without its content coding. None is asked for; some servers compress all the same."""
    coding = (_first(response, b"content-encoding") or b"").strip().lower()
    if coding not in {b"gzip", b"x-gzip", b"deflate"}:
        async for chunk in response.aiter_stream():
            yield chunk
        return
    decoder = zlib.decompressobj(wbits=47 if coding != b"deflate" else zlib.MAX_WBITS)
    async for chunk in response.aiter_stream():
        data = decoder.decompress(chunk, _INFLATE_AT_ONCE)
        while data:
            yield data
            data = decoder.decompress(decoder.unconsumed_tail, _INFLATE_AT_ONCE)


def _host(origin: httpcore.Origin) -> bytes:
    host = b"[%b]" % origin.host if b":" in origin.host else origin.host
    default = {b"http": 80, b"https": 443}[origin.scheme]
    return host if origin.port == default else b"%b:%d" % (host, origin.port)


def _first(response: httpcore.Response, name: bytes) -> bytes | None:
    return next((value for key, value in response.headers if key.lower() == name), None)


def _all(response: httpcore.Response, name: bytes) -> list[bytes]:
    return [value for key, value in response.headers if key.lower() == name]


def _is_visible(value: bytes) -> bool:
    return min(value) >= 0x21 and max(value) <= 0x7E


def _retry_after(value: bytes | None, now: float) -> float | None:
    """Seconds that a `Retry-After` means (RFC 9110, 10.2.3); None where there is none, or it means nothing."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
