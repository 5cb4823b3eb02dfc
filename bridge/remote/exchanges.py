"""One HTTP exchange: a request is sent, and events tell what comes back.

Every wait in this room has an end. A cancellation by the host ends all of them. Besides:

| wait for | where | what ends it |
|---|---|---|
| one of the 1,000 places for a call | `connections` | 30 s, with an error that says so |
| a connection, also one opened ahead | `connecting` | `connect_timeout` |
| the server to take a request | `uploading` | 30 s in which it takes no byte |
| the head of a response, the body of an answer | `http1` | `read_timeout` where one is set; else only the host |
| the next event of a stream | `http1` | TCP keep-alive, which finds a dead peer |
| the body of an error | `response_reader` | 10 s in all; then the status alone counts |
| the body of a response that refuses a token | `responses` | 5 s; then the head alone counts |
| the body of a redirect | `responses` | 1 s; then the connection is closed |
| a turn to read on, while others hold much memory | `buffer_limit` | 30 s without data for the first, which ends |
| the host to read its input | `buffer_limit` | the host, when it reads or closes its end |
| a token | `credentials` | the end of the sign-in |
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import h11

from bridge.errors import BridgeError
from bridge.protocol.sanitize import address, excerpt
from bridge.protocol.sse import EventTooLarge
from bridge.remote import exchange_refused
from bridge.remote.connecting import NotConnected, origin_of
from bridge.remote.connections import Connections, NoFreeConnection
from bridge.remote.cookies import Cookies
from bridge.remote.credentials import ANONYMOUS, AuthRefusal, ChangingHeaders, Credential, CredentialSource
from bridge.remote.exchange_refused import ExchangeRefused
from bridge.remote.http1 import ConnectionOpener, Header, Stalled
from bridge.remote.redirects import Redirects
from bridge.remote.response_reader import ResponseReader
from bridge.remote.responses import Head, said_by, skip
from bridge.session.events import (
    BodyReceived,
    Cause,
    ConnectDelayed,
    Connected,
    ConnectFailed,
    Event,
    ExchangeFailed,
    StreamClosed,
)

if TYPE_CHECKING:
    from bridge.remote.failures import Explanation
    from bridge.remote.signing import RequestSigner

_MAX_REDIRECTS = 5
_MAX_REFUSALS = 8
_MAX_UPLOADS = 2

_logger = logging.getLogger("bridge.remote")


class RemoteRequest(NamedTuple):
    """What to send.

    `urgent`: it does not wait for a place. `read_timeout` limits each wait for the server, in seconds; None sets no
    limit. `quiet`: the host does not wait for it, so the user is not asked to sign in because of it. `tentative`: if
    the server refuses the credential, the request fails, and no other credential is sought.
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
    """The connection ended, without an answer, while a large request was being sent."""


class Remote:
    """The server at `url`. `headers` are the user's; they are sent to its origin only.

    `changing` is asked before each request whether these have changed.

    `authorization` gives the credential, which is sent to that origin only too; None where the user configured one.
    `signer` signs each request; there is no `authorization` then.

    `emit` takes each event at once. `clear` is awaited before more is read: it delays a stream while the host is slow.
    """

    def __init__(
        self,
        url: str,
        headers: tuple[Header, ...],
        connections: Connections,
        *,
        changing: ChangingHeaders | None = None,
        authorization: CredentialSource | None = None,
        signer: RequestSigner | None = None,
        emit: Callable[[Event], None],
        clear: Callable[[], Awaitable[None]],
    ) -> None:
        self._url = url
        self._origin = origin_of(url)
        self._headers = headers
        self._changing = changing
        self._connections = connections
        self._authorization = authorization
        self._signer = signer
        self._emit = emit
        self._cookies = Cookies()
        self._reader = ResponseReader(emit, clear)
        self._redirects = Redirects(self._origin)
        self._has_connected = False
        connections.route.on_delay = self._delayed

    async def run(self, request: RemoteRequest) -> None:
        """Carry out an exchange and emit its events, the last of which ends it. Raises nothing but cancellation."""
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
                match outcome:
                    case None:
                        return
                    case str():
                        url = outcome
                        redirects += 1
                        if redirects > _MAX_REDIRECTS:
                            raise exchange_refused.circle(self._url)
                    case AuthRefusal():
                        refusals += 1
                        step_ups += outcome.lacks is not None
                        if refusals > _MAX_REFUSALS:
                            raise exchange_refused.token_after_token(self._named(url), outcome.said)
                        await self._recover(outcome)
        except ExchangeRefused as refusal:
            self._emit(ExchangeFailed(request.exchange, refusal.cause, refusal.sent, refusal.message, refusal.hint))

    def use_headers(self, headers: tuple[Header, ...]) -> None:
        """Send these in place of the user's headers from the next request on."""
        self._headers = headers

    async def connect(self) -> None:
        """Open a connection for the next request, and emit the result. Raises nothing but cancellation."""
        try:
            await self._connections.warm()
        except NotConnected as problem:
            _, _, message, hint, definite = self._explained(problem, self._url)
            self._emit(ConnectFailed(message, hint, definite))
        else:
            self._connected()

    def _named(self, url: str) -> str:
        """A URL for a message: the user's own unchanged; of one that the server named, only the `address`."""
        return url if url == self._url else address(url)

    def _explained(self, problem: Exception, url: str) -> Explanation:
        from bridge.remote.failures import explain  # Only where something fails.

        proxy = self._connections.route.latest.proxy
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
        """Send to `url`. Return the URL to send to instead, or the refusal; None when the exchange is over."""
        named = self._named(url)
        credential = await self._credential(request, url)
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
            route = connection.route or self._connections.route
            target, headers = self._head(request, url, credential, route)
            response = await connection.request(request.method, target, headers, request.body, request.read_timeout)
            head = Head(response)
            self._cookies.store(urlsplit(url).path or "/", head.every(b"set-cookie"))
            elsewhere = self._redirects.target(url, head, named)
            if elsewhere is not None:
                await skip(connection)
                return elsewhere
            refusal = self._refusal(request, url, head, credential, step_ups)
            if refusal is not None:
                peer = connection.peer if route.proxy is None else ""
                return refusal._replace(said=await said_by(head, connection), peer=peer)
            if _logger.isEnabledFor(logging.DEBUG):
                kind = excerpt(head.first(b"content-type") or b"no content", 60)
                _logger.debug("%d: %s %s: %d, %s", request.exchange, request.method.decode(), url, head.status, kind)
            await self._reader.read(request.exchange, named, head, connection)
            return None
        except EventTooLarge as problem:
            connection.abort()
            raise exchange_refused.too_large(named, problem) from problem
        except zlib.error as problem:
            raise exchange_refused.not_decompressed(named) from problem
        except Stalled as problem:
            raise exchange_refused.stalled(named, problem) from problem
        except (OSError, h11.ProtocolError) as problem:
            is_upload = isinstance(problem, OSError) and connection.was_slow and not connection.sent
            if is_upload and response is None and not self._explained(problem, named).definite:
                raise _UploadBroke from problem
            self._broken(request, named, problem, head, sent=connection.sent)
            return None
        finally:
            self._reader.release(request.exchange)
            self._connections.give_back(connection, response, urgent=request.urgent)

    def _refusal(
        self, request: RemoteRequest, url: str, head: Head, credential: Credential, step_ups: int
    ) -> AuthRefusal | None:
        """The refusal, if the response refuses the credential. No sign-in is started merely to end a session."""
        status = head.status
        if self._authorization is None or request.method == b"DELETE":
            return None
        if request.tentative and status in {401, 403}:
            return None
        if status not in {401, 403}:
            if status < 500:  # A gateway's error for a server that is down says nothing about the token.
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
        """Wait until it makes sense to send the request again."""
        assert self._authorization is not None  # noqa: S101 - without it there are no refusals
        try:
            await self._authorization.refused(refusal)
        except BridgeError as problem:
            raise exchange_refused.no_token(problem) from problem

    async def _credential(self, request: RemoteRequest, url: str) -> Credential:
        if self._changing is not None and self._changing.has_changed():
            await self._changing.read()
        if self._authorization is None:
            return ANONYMOUS if self._signer is None else await self._signature(self._signer, request, url)
        credential = self._authorization.ready()
        if credential is None:
            try:
                credential = await self._authorization.obtain()
            except BridgeError as problem:
                raise exchange_refused.no_token(problem) from problem
        return credential

    async def _signature(self, signer: RequestSigner, request: RemoteRequest, url: str) -> Credential:
        """The headers that sign this request, which may be one more try."""
        from bridge.remote.signing import UnsignedRequest, digest_of

        headers = ((b"host", self._origin.authority), *request.headers, *self._headers)
        digest = await digest_of(request.body)
        try:
            unsigned = UnsignedRequest(request.method.decode("ascii"), url, headers, digest)
            return Credential(0, None, await signer.sign(unsigned))
        except BridgeError as problem:
            raise exchange_refused.no_token(problem) from problem

    def _head(
        self, request: RemoteRequest, url: str, credential: Credential, route: ConnectionOpener
    ) -> tuple[bytes, list[Header]]:
        parts = urlsplit(url)
        path = parts.path or "/"
        target = path + (f"?{parts.query}" if parts.query else "")
        if route.is_forwarded:
            target = f"{self._origin.scheme}://{self._origin.authority.decode()}{target}"
        headers = [(b"host", self._origin.authority), *request.headers, *route.forward_headers()]
        if request.body is not None:
            headers.append((b"content-length", b"%d" % len(request.body)))
        cookies = self._cookies.header(path, secure=parts.scheme == "https")
        own = _replaced(self._headers, credential.headers) if credential.headers else self._headers
        for name, value in own:
            if name.lower() == b"cookie" and cookies:
                cookies = f"{value.decode('latin-1')}; {cookies}"
            elif name.lower() != b"cookie" or not cookies:
                headers.append((name, value))
        if cookies:
            headers.append((b"cookie", cookies.encode("latin-1")))
        if credential.header is not None:
            headers.append((b"authorization", credential.header))
        return target.encode("ascii"), headers

    def _broken(self, request: RemoteRequest, named: str, problem: Exception, head: Head | None, *, sent: bool) -> None:
        """Emit that the connection broke: `head` is None if that was before the head of the response."""
        if head is None:
            cause, may_have_run, message, hint, definite = self._explained(problem, named)
            self._emit(ExchangeFailed(request.exchange, cause, sent and may_have_run, message, hint, definite))
        elif head.is_stream:
            self._emit(StreamClosed(request.exchange, "the connection was lost"))
        elif head.status >= 300:
            self._emit(BodyReceived(request.exchange, head.status, b"", b""))
        else:
            message = f"{named} answered with status {head.status}, but the response was cut off."
            hint = "Try again. If it happens again, the server, or a proxy in front of it, is at fault."
            self._emit(ExchangeFailed(request.exchange, Cause.TRUNCATED, True, message, hint))


def _replaced(headers: tuple[Header, ...], by: tuple[Header, ...]) -> list[Header]:
    """Both, but of the first only those whose name no other has."""
    names = {name.lower() for name, _ in by}
    return [*(header for header in headers if header[0].lower() not in names), *by]
