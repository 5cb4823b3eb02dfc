"""One HTTP exchange: a request goes out, events tell what comes back. Redirects, cookies and limits are its own.

Redirects are followed on the same origin only, for no header of the user's may reach another, and keep the method: a
server that moved its endpoint wants the message, not a GET (RFC 9110, 15.4).

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
| a turn to read on while others hold much | `budget` | who goes first is ended if it brings nothing for 30 s |
| the host taking what lies in the output | `budget` | the host: reading, or closing its end |
| a token | `credentials` | the sign-in's own ends |
"""

from __future__ import annotations

import asyncio
import logging
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import h11

from bridge.errors import BridgeError
from bridge.protocol import mcp
from bridge.protocol.sse import EventStreamDecoder, EventTooLarge
from bridge.remote.budget import Budget
from bridge.remote.connecting import NotConnected, origin_of
from bridge.remote.connections import Connections, NoPlace
from bridge.remote.cookies import Cookies
from bridge.remote.credentials import ANONYMOUS, Authorization, Credential, Refusal
from bridge.remote.decoding import Incomplete
from bridge.remote.failures import explain
from bridge.remote.http1 import Header, HttpConnection
from bridge.remote.responses import (
    MAX_PAGE_BYTES,
    announced_length,
    decoded,
    every,
    first,
    is_stream,
    retry_after,
    said_by,
    skip,
)
from bridge.remote.uploading import Stalled
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
from bridge.session.faults import excerpt

MAX_MESSAGE_BYTES = 256 * 1024 * 1024
"""The largest message taken from a server."""

_MAX_REDIRECTS = 5
_MAX_REFUSALS = 8
_MAX_UNFINISHED_BYTES = 32 * 1024 * 1024
_MAX_MOVES = 100
_MAX_UPLOADS = 2
_ERROR_SECONDS = 10.0
_LONGEST_SESSION_ID = 4096
_PERMANENT = {301, 308}
_REDIRECTS = {301, 302, 303, 307, 308}

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


class _Refused(Exception):
    """The exchange ends here, by the bridge's own judgement."""

    def __init__(self, cause: Cause, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.hint = hint


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
        proxy: str | None,
        authorization: Authorization | None = None,
        emit: Callable[[Event], None],
        clear: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._origin = origin_of(url)
        self._headers = headers
        self._connections = connections
        self._proxy = proxy
        self._authorization = authorization
        self._emit = emit
        self._cookies = Cookies()
        self._budget = Budget(_MAX_UNFINISHED_BYTES, clear)
        self._moved: dict[str, str] = {}
        self._has_connected = False
        connections.way.on_delay = self._delayed

    async def run(self, request: RemoteRequest) -> None:
        """Carry an exchange out and emit what happens; the last event ends it. Raises nothing but cancellation."""
        url = request.url or self._url
        redirects = refusals = step_ups = uploads = 0
        try:
            while True:
                try:
                    outcome = await self._attempt(request, self._moved.get(url, url), step_ups)
                except _UploadBroke as problem:
                    uploads += 1
                    if uploads == _MAX_UPLOADS:
                        raise _broken_upload(url, len(request.body or b"")) from problem
                    continue
                if outcome is None:
                    return
                if isinstance(outcome, str):
                    url = outcome
                    redirects += 1
                    if redirects > _MAX_REDIRECTS:
                        raise _Refused(
                            Cause.REDIRECTED,
                            f"{self._url} redirects in a circle.",
                            "The fault is the server's; tell its operator.",
                        )
                    continue
                refusals += 1
                step_ups += outcome.lacks is not None
                if refusals > _MAX_REFUSALS:
                    raise _Refused(Cause.UNAUTHORIZED, f"{url} refused several tokens in a row.", outcome.said)
                await self._recover(outcome)
        except _Refused as refusal:
            sent = refusal.cause is not Cause.UNREACHABLE
            self._emit(ExchangeFailed(request.exchange, refusal.cause, sent, refusal.message, refusal.hint))

    async def connect(self) -> None:
        """Open a connection for the next request, and emit what came of it. Raises nothing but cancellation."""
        try:
            await self._connections.warm()
        except NotConnected as problem:
            _, _, message, hint, definite = explain(problem, self._url, self._proxy)
            self._emit(ConnectFailed(message, hint, definite))
        else:
            self._connected()

    def _delayed(self, problem: NotConnected) -> None:
        if not self._has_connected:
            _, _, message, hint, _ = explain(problem, self._url, self._proxy)
            self._emit(ConnectDelayed(message, hint))

    def _connected(self) -> None:
        if not self._has_connected:
            self._has_connected = True
            self._emit(Connected())

    async def _attempt(self, request: RemoteRequest, url: str, step_ups: int) -> str | Refusal | None:
        """Send to `url`; return where to send instead, or why it was refused; None when the exchange is over."""
        credential = await self._credential()
        try:
            connection = await self._connections.take(urgent=request.urgent)
        except NotConnected as problem:
            self._emit(ExchangeFailed(request.exchange, *explain(problem, url, self._proxy)))
            return None
        except NoPlace as problem:
            raise _Refused(
                Cause.UNREACHABLE,
                f"{url} cannot be asked more at a time: {problem}.",
                "Cancel some of them, or start the bridge again.",
            ) from problem
        self._connected()
        response: h11.Response | None = None
        try:
            target, headers = self._head(request, url, credential)
            response = await connection.request(request.method, target, headers, request.body, request.read_timeout)
            elsewhere = self._redirect(url, response)
            if elsewhere is not None:
                await skip(connection)
                return elsewhere
            refusal = self._refusal(request, url, response, credential, step_ups)
            if refusal is not None:
                return refusal._replace(said=await said_by(response, connection))
            await self._read(request, url, response, connection)
            return None
        except EventTooLarge as problem:
            connection.abort()
            raise _Refused(Cause.TOO_LARGE, f"{url} sent too much: {problem}.") from problem
        except Incomplete as problem:
            self._broken(request, url, problem, response, sent=True)
            return None
        except zlib.error as problem:
            raise _Refused(Cause.TRUNCATED, f"{url} sent a body that cannot be decompressed.") from problem
        except (OSError, h11.ProtocolError) as problem:
            if isinstance(problem, Stalled):
                raise _stalled(url, problem) from problem
            if isinstance(problem, OSError) and connection.was_slow and not connection.sent and response is None:
                raise _UploadBroke from problem
            self._broken(request, url, problem, response, sent=connection.sent)
            return None
        finally:
            self._budget.release(request.exchange)
            self._connections.give_back(connection, response, urgent=request.urgent)

    def _refusal(
        self, request: RemoteRequest, url: str, response: h11.Response, credential: Credential, step_ups: int
    ) -> Refusal | None:
        """Whether the response refuses the credential; nobody signs in merely to end a session."""
        status = response.status_code
        if self._authorization is None or request.method == b"DELETE":
            return None
        if request.tentative and status in {401, 403}:
            return None
        if status not in {401, 403}:
            if status < 500:  # What a gateway says of a server that is down says nothing of the token.
                self._authorization.accepted(credential)
            return None
        challenges = tuple(value.decode("latin-1") for value in every(response, b"www-authenticate"))
        lacks = None
        if status == 403:
            from bridge.oauth.challenge import bearer_challenge, is_insufficient_scope, parse_challenges, scopes_of

            parsed = parse_challenges(challenges)
            if not is_insufficient_scope(status, parsed):
                return None
            challenge = bearer_challenge(parsed)
            lacks = scopes_of(challenge) if challenge else ()
        return Refusal(url, status, challenges, "", credential, lacks, step_ups, request.quiet)

    async def _recover(self, refusal: Refusal) -> None:
        """Wait until the request is worth sending again."""
        assert self._authorization is not None  # noqa: S101 - else nothing counts as a refusal
        try:
            await self._authorization.refused(refusal)
        except BridgeError as problem:
            raise _unauthorized(problem) from problem

    async def _credential(self) -> Credential:
        if self._authorization is None:
            return ANONYMOUS
        credential = self._authorization.ready()
        if credential is None:
            try:
                credential = await self._authorization.obtain()
            except BridgeError as problem:
                raise _unauthorized(problem) from problem
        return credential

    def _head(self, request: RemoteRequest, url: str, credential: Credential) -> tuple[bytes, list[Header]]:
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
        if credential.header is not None:
            headers.append((b"authorization", credential.header))
        return target.encode("ascii"), headers

    def _redirect(self, url: str, response: h11.Response) -> str | None:
        """The URL that a response leads to, or None. Raises `_Refused` for one that must not be followed."""
        status = response.status_code
        self._cookies.store(urlsplit(url).path or "/", every(response, b"set-cookie"))
        location = first(response, b"location")
        if status not in _REDIRECTS or location is None:
            return None
        try:
            text = location.decode("latin-1")
            target = urljoin(url, text).partition("#")[0]
            # `urljoin` takes "http://" for a path.
            named = urlsplit(text)
            same = bool(named.netloc or not named.scheme) and origin_of(target) == self._origin and text.isascii()
        except ValueError:
            target, same = excerpt(location, 200), False
        if not same:
            shown = target.partition("?")[0][:200]
            raise _Refused(
                Cause.REDIRECTED,
                f"{url} redirects ({status}) to another origin, {shown}; your headers and tokens are not sent there.",
                "If that is the server you mean, put its URL into the configuration.",
            )
        if status == 303:
            raise _Refused(Cause.REDIRECTED, f"{url} answered 303 See Other, which is no answer to an MCP message.")
        if status in _PERMANENT and len(self._moved) < _MAX_MOVES:
            self._moved[url] = target
        return target

    def _start(self, request: RemoteRequest, url: str, response: h11.Response) -> bool:
        """Tell the head of a response; return whether it streams."""
        streams = is_stream(response)
        session_id = first(response, mcp.SESSION_ID)
        if session_id is not None and not (0 < len(session_id) <= _LONGEST_SESSION_ID and _is_visible(session_id)):
            raise _Refused(
                Cause.PROTOCOL,
                f"{url} gave a session id that is not visible ASCII.",
                "The fault is the server's; tell its operator.",
            )
        if _logger.isEnabledFor(logging.DEBUG):
            kind = excerpt(first(response, b"content-type") or b"no content", 60)
            _logger.debug(
                "%d: %s %s: %d, %s", request.exchange, request.method.decode(), url, response.status_code, kind
            )
        self._emit(ResponseStarted(request.exchange, response.status_code, session_id, streams))
        return streams

    async def _read(self, request: RemoteRequest, url: str, response: h11.Response, connection: HttpConnection) -> None:
        if self._start(request, url, response):
            await self._read_events(request, response, connection)
        elif response.status_code < 300:
            _check_size(announced_length(response))
            await self._read_body(request, response, connection)
        else:
            async with asyncio.timeout(_ERROR_SECONDS):
                await self._read_body(request, response, connection)

    async def _read_events(self, request: RemoteRequest, response: h11.Response, connection: HttpConnection) -> None:
        exchange = request.exchange
        decoder = EventStreamDecoder(MAX_MESSAGE_BYTES)
        was_held = 0
        async for chunk in decoded(response, connection):
            for event in decoder.feed(chunk):
                self._emit(EventReceived(exchange, event))
            await self._budget.wait_for_host(exchange)
            held = decoder.held
            if held:
                await self._budget.hold(exchange, held, connection.abort)
            elif was_held:
                self._budget.release(exchange)
            was_held = held
        self._emit(StreamClosed(exchange, "the server closed the stream"))

    async def _read_body(self, request: RemoteRequest, response: h11.Response, connection: HttpConnection) -> None:
        exchange, status = request.exchange, response.status_code
        content_type = first(response, b"content-type") or b""
        is_page = status >= 300 and not content_type.startswith(mcp.JSON)
        body: bytes | bytearray = b""
        async for chunk in decoded(response, connection):
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
            await self._budget.hold(exchange, size, connection.abort)
        await self._budget.wait_for_host(exchange)
        wait = retry_after(first(response, b"retry-after"), time.time())
        self._emit(BodyReceived(exchange, status, content_type, body, wait))

    def _broken(
        self, request: RemoteRequest, url: str, problem: Exception, response: h11.Response | None, *, sent: bool
    ) -> None:
        """Tell that the connection broke, before the head of the response came or after."""
        if response is None:
            cause, may_have_run, message, hint, definite = explain(problem, url, self._proxy)
            self._emit(ExchangeFailed(request.exchange, cause, sent and may_have_run, message, hint, definite))
        elif is_stream(response):
            self._emit(StreamClosed(request.exchange, "the connection was lost"))
        elif response.status_code >= 300:
            self._emit(BodyReceived(request.exchange, response.status_code, b"", b""))
        else:
            message = f"{url} answered with status {response.status_code}, but the answer broke off before its end."
            hint = "Try again; if it happens again, the server or a proxy before it is at fault."
            self._emit(ExchangeFailed(request.exchange, Cause.TRUNCATED, True, message, hint))


def _check_size(size: int) -> None:
    if size > MAX_MESSAGE_BYTES:
        raise EventTooLarge(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")


def _stalled(url: str, problem: Stalled) -> _Refused:
    return _Refused(
        Cause.UNREACHABLE,
        f"{url} does not take the request: {problem}.",
        "The server or a proxy before it hangs, or the network is very slow; try again later.",
    )


def _broken_upload(url: str, size: int) -> _Refused:
    return _Refused(
        Cause.PROTOCOL,
        f"{url} closed the connection while a request of {size} bytes was being sent, {_MAX_UPLOADS} times.",
        "The server or a proxy before it may limit the size of requests; send less at a time.",
    )


def _unauthorized(problem: BridgeError) -> _Refused:
    """No token is to be had: now, where the reason may pass, or at all."""
    from bridge.oauth.errors import Unavailable

    cause = Cause.UNREACHABLE if isinstance(problem, Unavailable) else Cause.UNAUTHORIZED
    return _Refused(cause, problem.message, problem.hint)


def _is_visible(value: bytes) -> bool:
    return min(value) >= 0x21 and max(value) <= 0x7E
