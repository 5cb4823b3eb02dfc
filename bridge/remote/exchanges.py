"""One HTTP exchange: a request goes out, events tell what comes back. Cookies and limits are its own.

Every wait in this room has an end. The host's cancel ends all of them; besides:

| what is waited for | where | what ends it |
|---|---|---|
| a place, where too many requests are unanswered | `connections` | 30 s, with a sentence |
| a connection, also one opened ahead | `connecting` | `connect_timeout` |
| the server taking a request | `uploading` | 30 s in which it takes no byte |
| the head of a response, the body of an answer | `http1` | `read_timeout` where one is set; else the host alone |
| the next event of a stream, the standing one too | `http1` | TCP keep-alive finds a peer that is gone |
| the body of an error | `_read` | 10 s in all, then its status counts alone |
| the body of a refused token | `responses` | 5 s, then the head counts alone |
| the body of a redirect | `responses` | 1 s, then the connection is closed |
| a turn to read on while others hold much | `buffer_limit` | who goes first is ended if it brings nothing for 30 s |
| the host taking what lies in the output | `buffer_limit` | the host: reading, or closing its end |
| a token | `credentials` | the sign-in's own ends |
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import h11

from bridge.errors import BridgeError
from bridge.protocol import mcp
from bridge.protocol.sanitize import address, excerpt
from bridge.protocol.sse import EventStreamDecoder, EventTooLarge
from bridge.remote import exchange_refused
from bridge.remote.buffer_limit import BufferLimit
from bridge.remote.connecting import NotConnected, Route, origin_of
from bridge.remote.connections import Connections, NoFreeConnection
from bridge.remote.cookies import Cookies
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, Credential, CredentialSource
from bridge.remote.exchange_refused import ExchangeRefused
from bridge.remote.http1 import Header, HttpConnection, Stalled
from bridge.remote.redirects import Redirects
from bridge.remote.responses import MAX_PAGE_BYTES, Head, decoded, retry_after, said_by, skip
from bridge.session.events import (
    BodyReceived,
    Cause,
    ConnectDelayed,
    Connected,
    ConnectFailed,
    Event,
    EventReceived,
    ExchangeFailed,
    ResponseStarted,
    StreamClosed,
)

if TYPE_CHECKING:
    from bridge.remote.failures import Explanation

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The largest message taken from a server."""

_MAX_REDIRECTS = 5
_MAX_REFUSALS = 8
_MAX_UNFINISHED_BYTES = 32 * 1024 * 1024
_MAX_UPLOADS = 2
_ERROR_SECONDS = 10.0
_LONGEST_SESSION_ID = 4096

_logger = logging.getLogger("bridge.remote")


class RemoteRequest(NamedTuple):
    """What to send.

    `urgent` does not wait for a free connection. `read_timeout` in seconds limits each wait for the server; None waits
    for ever. `quiet`: nobody waits for it, and for its sake alone no person is asked to sign in. `tentative`: nothing
    is done where the server refuses the credential.
    """

    exchange: int
    method: bytes
    headers: tuple[Header, ...]
    body: bytes | None = None
    url: str | None = None
    urgent: bool = False
    read_timeout: float | None = None
    quiet: bool = False
    tentative: bool = False


class _UploadBroke(Exception):
    """The connection ended while a large request was being sent, without an answer."""


class Remote:
    """The server at `url`. `headers` are the user's, sent to its origin and nowhere else.

    `authorization` gives the credential, which goes to that origin alone as well; None where the user brought his own.

    `emit` takes each event at once; `clear` is awaited before more is read, and holds a stream while the host is slow.
    """

    def __init__(
        self,
        url: str,
        headers: tuple[Header, ...],
        connections: Connections,
        *,
        authorization: CredentialSource | None = None,
        emit: Callable[[Event], None],
        clear: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._origin = origin_of(url)
        self._headers = headers
        self._connections = connections
        self._authorization = authorization
        self._emit = emit
        self._cookies = Cookies()
        self._buffer_limit = BufferLimit(_MAX_UNFINISHED_BYTES, clear)
        self._redirects = Redirects(self._origin)
        self._has_connected = False
        connections.way.on_delay = self._delayed

    async def run(self, request: RemoteRequest) -> None:
        """Carry an exchange out and emit what happens; the last event ends it. Raises nothing but cancellation."""
        url = request.url or self._url
        redirects = refusals = step_ups = uploads = 0
        try:
            while True:
                try:
                    outcome = await self._attempt(request, self._redirects.moved(url), step_ups)
                except _UploadBroke as problem:
                    uploads += 1
                    if uploads == _MAX_UPLOADS:
                        raise exchange_refused.broken_upload(
                            self._named(url), len(request.body or b""), uploads
                        ) from problem
                    continue
                if outcome is None:
                    return
                if isinstance(outcome, str):
                    url = outcome
                    redirects += 1
                    if redirects > _MAX_REDIRECTS:
                        raise exchange_refused.circle(self._url)
                    continue
                refusals += 1
                step_ups += outcome.lacks is not None
                if refusals > _MAX_REFUSALS:
                    raise exchange_refused.token_after_token(self._named(url), outcome.said)
                await self._recover(outcome)
        except ExchangeRefused as refusal:
            self._emit(ExchangeFailed(request.exchange, refusal.cause, refusal.sent, refusal.message, refusal.hint))

    async def connect(self) -> None:
        """Open a connection for the next request, and emit what came of it. Raises nothing but cancellation."""
        try:
            await self._connections.warm()
        except NotConnected as problem:
            _, _, message, hint, definite = self._explained(problem, self._url)
            self._emit(ConnectFailed(message, hint, definite))
        else:
            self._connected()

    def _named(self, url: str) -> str:
        """A URL for a message: the user's own as it is, and of one that the server led to no free text."""
        return url if url == self._url else address(url)

    def _explained(self, problem: Exception, url: str) -> Explanation:
        from bridge.remote.failures import explain  # Only where something fails.

        proxy = self._connections.way.latest.proxy
        return explain(problem, url, proxy.url if proxy else None)

    def _delayed(self, problem: NotConnected) -> None:
        if not self._has_connected:
            _, _, message, hint, _ = self._explained(problem, self._url)
            self._emit(ConnectDelayed(message, hint))

    def _connected(self) -> None:
        if not self._has_connected:
            self._has_connected = True
            self._emit(Connected())

    async def _attempt(self, request: RemoteRequest, url: str, step_ups: int) -> str | AuthRefusal | None:
        """Send to `url`; return where to send instead, or why it was refused; None when the exchange is over."""
        named = self._named(url)
        credential = await self._credential()
        try:
            connection = await self._connections.take(urgent=request.urgent)
        except NotConnected as problem:
            self._emit(ExchangeFailed(request.exchange, *self._explained(problem, named)))
            return None
        except NoFreeConnection as problem:
            raise exchange_refused.no_place(named, problem) from problem
        self._connected()
        response: h11.Response | None = None
        head: Head | None = None
        try:
            way = connection.way or self._connections.way
            target, headers = self._head(request, url, credential, way)
            response = await connection.request(request.method, target, headers, request.body, request.read_timeout)
            head = Head(response)
            self._cookies.store(urlsplit(url).path or "/", head.every(b"set-cookie"))
            elsewhere = self._redirects.target(url, head, named)
            if elsewhere is not None:
                await skip(connection)
                return elsewhere
            refusal = self._refusal(request, url, head, credential, step_ups)
            if refusal is not None:
                peer = connection.peer if way.proxy is None else ""
                return refusal._replace(said=await said_by(head, connection), peer=peer)
            await self._read(request, url, head, connection)
            return None
        except EventTooLarge as problem:
            connection.abort()
            raise exchange_refused.too_large(named, problem) from problem
        except zlib.error as problem:
            raise exchange_refused.not_decompressed(named) from problem
        except (OSError, h11.ProtocolError) as problem:
            if isinstance(problem, Stalled):
                raise exchange_refused.stalled(named, problem) from problem
            is_upload = isinstance(problem, OSError) and connection.was_slow and not connection.sent
            if is_upload and response is None and not self._explained(problem, named).definite:
                raise _UploadBroke from problem
            self._broken(request, named, problem, head, sent=connection.sent)
            return None
        finally:
            self._buffer_limit.release(request.exchange)
            self._connections.give_back(connection, response, urgent=request.urgent)

    def _refusal(
        self, request: RemoteRequest, url: str, head: Head, credential: Credential, step_ups: int
    ) -> AuthRefusal | None:
        """Whether the response refuses the credential; nobody signs in merely to end a session."""
        status = head.status
        if self._authorization is None or request.method == b"DELETE":
            return None
        if request.tentative and status in {401, 403}:
            return None
        if status not in {401, 403}:
            if status < 500:  # What a gateway says of a server that is down says nothing of the token.
                self._authorization.accepted(credential)
            return None
        challenges = tuple(value.decode("latin-1") for value in head.every(b"www-authenticate"))
        lacks = None
        if status == 403:
            from bridge.oauth.challenge import bearer_challenge, is_insufficient_scope, parse_challenges, scopes_of

            parsed = parse_challenges(challenges)
            if not is_insufficient_scope(status, parsed):
                return None
            challenge = bearer_challenge(parsed)
            lacks = scopes_of(challenge) if challenge else ()
        return AuthRefusal(self._named(url), status, challenges, "", credential, lacks, step_ups, request.quiet)

    async def _recover(self, refusal: AuthRefusal) -> None:
        """Wait until the request is worth sending again."""
        assert self._authorization is not None  # noqa: S101 - else nothing counts as a refusal
        try:
            await self._authorization.refused(refusal)
        except BridgeError as problem:
            raise exchange_refused.no_token(problem) from problem

    async def _credential(self) -> Credential:
        if self._authorization is None:
            return ANONYMOUS
        credential = self._authorization.ready()
        if credential is None:
            try:
                credential = await self._authorization.obtain()
            except BridgeError as problem:
                raise exchange_refused.no_token(problem) from problem
        return credential

    def _head(self, request: RemoteRequest, url: str, credential: Credential, way: Route) -> tuple[bytes, list[Header]]:
        parts = urlsplit(url)
        path = parts.path or "/"
        target = path + (f"?{parts.query}" if parts.query else "")
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
        if credential.header is not None:
            headers.append((b"authorization", credential.header))
        return target.encode("ascii"), headers

    def _start(self, request: RemoteRequest, url: str, head: Head) -> bool:
        """Tell the head of a response; return whether it streams."""
        streams = head.is_stream
        session_id = head.first(mcp.SESSION_ID)
        if session_id is not None and not (0 < len(session_id) <= _LONGEST_SESSION_ID and _is_visible(session_id)):
            raise exchange_refused.bad_session_id(self._named(url))
        if _logger.isEnabledFor(logging.DEBUG):
            kind = excerpt(head.first(b"content-type") or b"no content", 60)
            _logger.debug("%d: %s %s: %d, %s", request.exchange, request.method.decode(), url, head.status, kind)
        self._emit(ResponseStarted(request.exchange, head.status, session_id, streams))
        return streams

    async def _read(self, request: RemoteRequest, url: str, head: Head, connection: HttpConnection) -> None:
        if self._start(request, url, head):
            await self._read_events(request, head, connection)
        elif head.status < 300:
            _check_size(head.length)
            await self._read_body(request, head, connection)
        else:
            async with asyncio.timeout(_ERROR_SECONDS):
                await self._read_body(request, head, connection)

    async def _read_events(self, request: RemoteRequest, head: Head, connection: HttpConnection) -> None:
        exchange = request.exchange
        decoder = EventStreamDecoder(MAX_MESSAGE_BYTES)
        was_held = 0
        async for chunk in decoded(head, connection):
            for event in decoder.feed(chunk):
                self._emit(EventReceived(exchange, event))
            await self._buffer_limit.wait_for_host(exchange)
            held = decoder.held
            if held:
                await self._buffer_limit.hold(exchange, held, connection.abort)
            elif was_held:
                self._buffer_limit.release(exchange)
            was_held = held
        self._emit(StreamClosed(exchange, "the server closed the stream"))

    async def _read_body(self, request: RemoteRequest, head: Head, connection: HttpConnection) -> None:
        exchange, status = request.exchange, head.status
        content_type = head.first(b"content-type") or b""
        is_page = status >= 300 and not content_type.startswith(mcp.JSON)
        body: bytes | bytearray = b""
        async for chunk in decoded(head, connection):
            if not body:
                body = chunk
            else:
                # One buffer that grows: joining pieces in the end would hold the body twice.
                if not isinstance(body, bytearray):
                    body = bytearray(body)
                body += chunk
            size = len(body)
            _check_size(size)
            if is_page and size > MAX_PAGE_BYTES:
                break
            await self._buffer_limit.hold(exchange, size, connection.abort)
        await self._buffer_limit.wait_for_host(exchange)
        wait = retry_after(head.first(b"retry-after"), time.time())
        self._emit(BodyReceived(exchange, status, content_type, body, wait))

    def _broken(self, request: RemoteRequest, named: str, problem: Exception, head: Head | None, *, sent: bool) -> None:
        """Tell that the connection broke, before the head of the response came or after."""
        if head is None:
            cause, may_have_run, message, hint, definite = self._explained(problem, named)
            self._emit(ExchangeFailed(request.exchange, cause, sent and may_have_run, message, hint, definite))
        elif head.is_stream:
            self._emit(StreamClosed(request.exchange, "the connection was lost"))
        elif head.status >= 300:
            self._emit(BodyReceived(request.exchange, head.status, b"", b""))
        else:
            message = f"{named} answered with status {head.status}, but the answer broke off before its end."
            hint = "Try again; if it happens again, the server or a proxy before it is at fault."
            self._emit(ExchangeFailed(request.exchange, Cause.TRUNCATED, True, message, hint))


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_BYTES:
        raise EventTooLarge(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")


def _is_visible(value: bytes) -> bool:
    return min(value) >= 0x21 and max(value) <= 0x7E
