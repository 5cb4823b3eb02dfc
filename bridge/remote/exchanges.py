"""One HTTP exchange: a request goes out, events tell what comes back. Redirects, cookies and limits are its own.

Redirects are followed on the same origin only, for no header of the user's may reach another, and keep the method: a
server that moved its endpoint wants the message, not a GET (RFC 9110, 15.4).
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import h11

from bridge.protocol import mcp
from bridge.protocol.sse import EventStreamDecoder, EventTooLarge
from bridge.remote.budget import Budget
from bridge.remote.connecting import NotConnected, origin_of
from bridge.remote.connections import Connections
from bridge.remote.cookies import Cookies
from bridge.remote.failures import explain
from bridge.remote.http1 import Header, HttpConnection
from bridge.session.events import (
    BodyReceived,
    Cause,
    Event,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)
from bridge.session.faults import excerpt

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The largest message taken from a server."""

_MAX_REDIRECTS = 5
_MAX_PAGE_BYTES = 64 * 1024
_MAX_UNFINISHED_BYTES = 32 * 1024 * 1024
_MAX_MOVES = 100
_LONGEST_SESSION_ID = 4096
_INFLATE_AT_ONCE = 1 << 20
_PERMANENT = {301, 308}
_REDIRECTS = {301, 302, 303, 307, 308}

_logger = logging.getLogger("bridge.remote")


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
        proxy: str | None,
        emit: Callable[[Event], None],
        clear: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._origin = origin_of(url)
        self._headers = headers
        self._connections = connections
        self._proxy = proxy
        self._emit = emit
        self._clear = clear
        self._cookies = Cookies()
        self._budget = Budget(_MAX_UNFINISHED_BYTES)
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
        try:
            connection = await self._connections.take(urgent=request.urgent)
        except NotConnected as problem:
            self._emit(ExchangeFailed(request.exchange, *explain(problem, url, self._proxy)))
            return None
        response: h11.Response | None = None
        try:
            target, headers = self._head(request, url)
            response = await connection.request(request.method, target, headers, request.body, request.read_timeout)
            elsewhere = self._redirect(url, response)
            if elsewhere is None:
                await self._read(request, url, response, connection)
            else:
                await _skip(connection)
            return elsewhere
        except EventTooLarge as problem:
            connection.abort()
            raise _Refused(Cause.TOO_LARGE, f"{url} sent more than is taken: {problem}.") from problem
        except zlib.error as problem:
            raise _Refused(Cause.TRUNCATED, f"{url} sent a body that cannot be decompressed.") from problem
        except (OSError, h11.ProtocolError) as problem:
            self._broken(request, url, problem, response, sent=connection.sent)
            return None
        finally:
            self._budget.release(request.exchange)
            self._connections.give_back(connection, response, urgent=request.urgent)

    def _head(self, request: RemoteRequest, url: str) -> tuple[bytes, list[Header]]:
        parts = urlsplit(url)
        path = parts.path or "/"
        target = path + (f"?{parts.query}" if parts.query else "")
        way = self._connections.way
        if way.is_forwarded:
            target = f"{self._origin.scheme}://{self._origin.authority.decode()}{target}"
        headers = [(b"host", self._origin.authority), *request.headers, *way.forward_headers()]
        if request.body is not None:
            headers.append((b"content-length", b"%d" % len(request.body)))
        cookies = self._cookies.header(path, secure=parts.scheme == "https")
        for name, value in self._headers:
            if name.lower() == b"cookie" and cookies:
                cookies = f"{value.decode('latin-1')}; {cookies}"
            elif name.lower() != b"cookie" or not cookies:
                headers.append((name, value))
        if cookies:
            headers.append((b"cookie", cookies.encode("latin-1")))
        return target.encode("ascii"), headers

    def _redirect(self, url: str, response: h11.Response) -> str | None:
        """The URL that a response leads to, or None. Raises `_Refused` for one that must not be followed."""
        status = response.status_code
        self._cookies.store(urlsplit(url).path or "/", _all(response, b"set-cookie"))
        location = _first(response, b"location")
        if status not in _REDIRECTS or location is None:
            return None
        try:
            text = location.decode("latin-1")
            target = urljoin(url, text).partition("#")[0]
            # `urljoin` takes "http://" for a path.
            named = urlsplit(text)
            same = bool(named.netloc or not named.scheme) and origin_of(target) == self._origin and target.isascii()
        except ValueError:
            target, same = excerpt(location, 200), False
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

    def _start(self, request: RemoteRequest, url: str, response: h11.Response) -> bool:
        """Tell the head of a response; return whether it streams."""
        streams = _streams(response)
        session_id = _first(response, mcp.SESSION_ID)
        if session_id is not None and not (0 < len(session_id) <= _LONGEST_SESSION_ID and _is_visible(session_id)):
            raise _Refused(
                Cause.PROTOCOL, f"{url} gave a session id that is not visible ASCII.", "The server is at fault."
            )
        if _logger.isEnabledFor(logging.DEBUG):
            kind = excerpt(_first(response, b"content-type") or b"no content", 60)
            _logger.debug(
                "%d: %s %s: %d, %s", request.exchange, request.method.decode(), url, response.status_code, kind
            )
        self._emit(ResponseStarted(request.exchange, response.status_code, session_id, streams))
        return streams

    async def _read(self, request: RemoteRequest, url: str, response: h11.Response, connection: HttpConnection) -> None:
        chunks = _decoded(response, connection)
        if self._start(request, url, response):
            decoder = EventStreamDecoder(MAX_MESSAGE_BYTES)
            async for chunk in chunks:
                for event in decoder.feed(bytes(chunk)):
                    self._emit(EventReceived(request.exchange, event))
                await self._clear()
            self._emit(StreamClosed(request.exchange, "the server closed the stream"))
            return
        status = response.status_code
        content_type = _first(response, b"content-type") or b""
        pieces: list[bytes | bytearray] = []
        size = 0
        announced = connection.announced
        _check_size(announced)
        await self._budget.add(request.exchange, announced)
        async for chunk in chunks:
            size += len(chunk)
            pieces.append(chunk)
            _check_size(size)
            if size > _MAX_PAGE_BYTES and status >= 300 and not content_type.startswith(mcp.JSON):
                break
            if not announced:
                await self._budget.add(request.exchange, len(chunk))
        await self._clear()
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        wait = _retry_after(_first(response, b"retry-after"), time.time())
        self._emit(BodyReceived(request.exchange, status, content_type, body, wait))

    def _broken(
        self, request: RemoteRequest, url: str, problem: Exception, response: h11.Response | None, *, sent: bool
    ) -> None:
        """Tell that the connection broke, before the head of the response came or after."""
        if response is None:
            cause, _, message, hint = explain(problem, url, self._proxy)
            self._emit(ExchangeFailed(request.exchange, cause, sent, message, hint))
        elif _streams(response):
            self._emit(StreamClosed(request.exchange, "the connection was lost"))
        elif response.status_code >= 300:
            self._emit(BodyReceived(request.exchange, response.status_code, b"", b""))
        else:
            message = f"{url} answered with status {response.status_code}, but the answer broke off before its end."
            hint = "Try again; if it stays so, the server or a proxy before it is at fault."
            self._emit(ExchangeFailed(request.exchange, Cause.TRUNCATED, True, message, hint))


async def _decoded(response: h11.Response, connection: HttpConnection) -> AsyncIterator[bytes | bytearray]:
    """The body without its content coding. None is asked for; some servers compress all the same."""
    coding = (_first(response, b"content-encoding") or b"").strip().lower()
    if coding not in {b"gzip", b"x-gzip", b"deflate"}:
        async for chunk in connection.body():
            yield chunk
        return
    decoder = zlib.decompressobj(wbits=47 if coding != b"deflate" else zlib.MAX_WBITS)
    async for chunk in connection.body():
        data = decoder.decompress(chunk, _INFLATE_AT_ONCE)
        while data:
            yield data
            data = decoder.decompress(decoder.unconsumed_tail, _INFLATE_AT_ONCE)


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_BYTES:
        raise EventTooLarge(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")


async def _skip(connection: HttpConnection) -> None:
    """Read a redirect's body, if it is short, so that the connection can serve again."""
    size = 0
    async for chunk in connection.body():
        size += len(chunk)
        if size > _MAX_PAGE_BYTES:
            return


def _streams(response: h11.Response) -> bool:
    content_type = (_first(response, b"content-type") or b"").partition(b";")[0].strip().lower()
    return 200 <= response.status_code < 300 and content_type == mcp.EVENT_STREAM


def _first(response: h11.Response, name: bytes) -> bytes | None:
    return next((value for key, value in response.headers if key == name), None)


def _all(response: h11.Response, name: bytes) -> list[bytes]:
    return [value for key, value in response.headers if key == name]


def _is_visible(value: bytes) -> bool:
    return min(value) >= 0x21 and max(value) <= 0x7E


def _retry_after(value: bytes | None, now: float) -> float | None:
    """Seconds that a `Retry-After` means (RFC 9110, 10.2.3); None where there is none, or it means nothing."""
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if text.isdecimal():
        return float(text[:9])
    from email.utils import parsedate_to_datetime  # Dear to import, and a date is rare here.

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
