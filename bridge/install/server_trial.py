"""Tries a server before an entry for it is written: one `initialize`, with the headers and the token of a run.

| the answer | verdict |
|---|---|
| JSON-RPC, as JSON or as an event | `works` |
| an event stream where it is asked for one, as HTTP+SSE has it | `works` |
| 401, and the bridge would sign in | `sign-in` |
| anything else: another status, HTML, a redirect to another origin, no connection | `failed`, with a sentence |

It goes the way of a run (`remote/exchanges`): the same proxy, certificates and redirects. A session that it opens is
ended. A token that has expired and can be renewed counts as signed in. Nothing is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import urlsplit

from bridge import PROGRAM, __version__
from bridge.config import Settings
from bridge.errors import BridgeError
from bridge.oauth.record import Freshness, freshness
from bridge.protocol import mcp
from bridge.protocol.sanitize import shown
from bridge.remote.connecting import Route, origin_of
from bridge.remote.connections import Connections
from bridge.remote.exchanges import Remote, RemoteRequest
from bridge.remote.proxy import proxy_for
from bridge.session.events import BodyReceived, Event, EventReceived, ExchangeFailed, ResponseStarted
from bridge.store.choice import open_store
from bridge.tokens.login_order import tokens_key_of
from bridge.tokens.stored_sign_in import read_stored

if TYPE_CHECKING:
    from bridge.process.aws_signer import AwsSigner
    from bridge.tokens.command_headers import CommandHeaders

Verdict = Literal["works", "sign-in", "failed"]
_Headers = tuple[tuple[bytes, bytes], ...]

_SECONDS = 15.0
_GOODBYE_SECONDS = 2.0
_LONGEST_NAME = 60
_NAME = re.compile(rb'"serverInfo"\s*:\s*\{[^{}]*?"name"\s*:\s*("(?:[^"\\]|\\.)*")')
_STREAM: _Headers = ((b"accept", mcp.EVENT_STREAM), (b"accept-encoding", b"identity"))
_MESSAGE: _Headers = (
    (b"accept", mcp.JSON + b", " + mcp.EVENT_STREAM),
    (b"content-type", mcp.JSON),
    (b"accept-encoding", b"identity"),
)


class Trial(NamedTuple):
    """What came of it. `said` is a sentence for the user."""

    verdict: Verdict
    said: str


class Answer(NamedTuple):
    """An answer: its status and content type, and its body, or the first event of its stream.

    `failure` says why there was none. `streams` is whether it was an event stream.
    """

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    streams: bool = False
    session_id: bytes | None = None
    failure: str = ""


async def try_server(settings: Settings) -> Trial:
    """Ask the server of these settings. Never raises for what the server or the network does."""
    try:
        token, is_renewable = await _token(settings)
        asking = _Asking(settings, token)
    except BridgeError as problem:
        return Trial("failed", str(problem))
    answer = Answer() if settings.transport == "sse" else await asking.ask(b"POST", _MESSAGE, _initialize(), _SECONDS)
    if settings.transport == "sse" or (settings.transport == "auto" and _may_be_sse(answer)):
        stream = await asking.ask(b"GET", _STREAM, None, _SECONDS)
        if stream.streams or stream.status == 401 or settings.transport == "sse":
            answer = stream
    await asking.end(answer.session_id)
    return judge(settings, answer, is_renewable=is_renewable)


def judge(settings: Settings, answer: Answer, *, is_renewable: bool = False) -> Trial:
    """What an answer says of the server. `is_renewable`: a token that can be renewed is stored."""
    url = settings.url
    if answer.failure:
        return Trial("failed", answer.failure)
    if answer.status == 401:
        if not settings.signs_in:
            return Trial("failed", f"{url} refused the credentials that you gave (HTTP 401).")
        if is_renewable:
            return Trial("works", f"You are signed in to {url}.")
        return Trial("sign-in", f"{url} asks you to sign in.")
    if b'"jsonrpc"' in answer.body:
        name = _name_in(answer.body)
        return Trial("works", f"{url} answers{f' as {name}' if name else ''}.")
    if answer.streams and answer.status == 200:
        return Trial("works", f"{url} answers, over HTTP+SSE.")
    kind = shown(answer.content_type.partition(";")[0].strip() or "no content type", 60)
    return Trial(
        "failed",
        f"{url} did not answer as an MCP server does: it sent HTTP {answer.status} with {kind}. "
        "Check that the URL is the server's MCP endpoint.",
    )


def _may_be_sse(answer: Answer) -> bool:
    """Whether a server that speaks only HTTP+SSE would answer a POST so (MCP 2025-03-26, Backwards Compatibility)."""
    return not answer.failure and answer.status in {400, 404, 405} and b'"jsonrpc"' not in answer.body


class _Asking:
    """Sends requests to the server of the settings, one after the other."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._url = settings.url
        headers = [(name.encode("ascii"), value.encode("ascii")) for name, value in settings.headers]
        if token:
            headers.append((b"authorization", b"Bearer " + token.encode("ascii")))
        if not any(name.lower() == b"user-agent" for name, _ in headers):
            headers.append((b"user-agent", f"{PROGRAM}/{__version__}".encode()))
        self._connections = Connections(_route(settings), settings.connect_timeout)
        self._command = _command(settings)
        self._remote = Remote(
            settings.url,
            tuple(headers),
            self._connections,
            authorization=self._command,
            signer=_signer(settings),
            emit=self._events.put_nowait,
            clear=_go_on,
        )

    async def ask(self, method: bytes, headers: _Headers, body: bytes | None, seconds: float) -> Answer:
        """The answer; of a stream as much as its first event."""
        while not self._events.empty():
            self._events.get_nowait()
        exchange = asyncio.create_task(self._remote.run(RemoteRequest(0, method, headers, body, urgent=True)))
        try:
            async with asyncio.timeout(seconds):
                return await self._answer(waits=method == b"POST")
        except TimeoutError:
            return Answer(failure=f"{self._url} did not answer within {seconds:g} seconds.")
        finally:
            exchange.cancel()
            await asyncio.gather(exchange, return_exceptions=True)

    async def end(self, session_id: bytes | None) -> None:
        """End the session, if there is one, and let go of the connections."""
        if session_id is not None:
            await self.ask(b"DELETE", ((b"mcp-session-id", session_id),), None, _GOODBYE_SECONDS)
        self._connections.drop_idle()
        if self._command is not None:
            await self._command.close()

    async def _answer(self, *, waits: bool) -> Answer:
        """`waits`: of a stream the first event is waited for."""
        answer = Answer()
        while True:
            match await self._events.get():
                case ResponseStarted() as head:
                    answer = Answer(head.status, "text/event-stream", b"", head.streams, head.session_id)
                    if head.streams and not waits:
                        return answer
                case EventReceived() as received if received.event.data:
                    return answer._replace(body=bytes(received.event.data))
                case BodyReceived() as whole:
                    kind = whole.content_type.decode("latin-1")
                    return Answer(whole.status, kind, bytes(whole.body), session_id=answer.session_id)
                case ExchangeFailed() as failed:
                    return Answer(failure=f"{failed.message} {failed.hint}".strip())


def _route(settings: Settings) -> Route:
    tls = None
    proxy = proxy_for(settings.url, os.environ)
    if urlsplit(settings.url).scheme == "https" or (proxy is not None and proxy.url.startswith("https:")):
        from bridge.remote.tls import ssl_context

        tls = ssl_context(settings)
    return Route(origin_of(settings.url), proxy, tls)


def _command(settings: Settings) -> CommandHeaders | None:
    if not settings.header_command:
        return None
    from bridge.process.redact import Redactor
    from bridge.tokens.command_headers import command_headers_of

    return command_headers_of(settings, Redactor())


def _signer(settings: Settings) -> AwsSigner | None:
    if not settings.aws_sigv4:
        return None
    from bridge.config.aws_sigv4 import sigv4_scope
    from bridge.process.aws_signer import AwsSigner
    from bridge.process.redact import Redactor

    return AwsSigner(*sigv4_scope(settings.aws_sigv4), Redactor())


async def _go_on() -> None:
    """Nothing holds a stream up."""


def _name_in(body: bytes) -> str:
    """The name that the server gives itself; empty where there is none."""
    found = _NAME.search(body)
    with contextlib.suppress(ValueError):
        return shown(str(json.loads(found[1])), _LONGEST_NAME) if found else ""
    return ""


def _initialize() -> bytes:
    params = {
        "protocolVersion": mcp.LATEST_LEGACY,
        "capabilities": {},
        "clientInfo": {"name": PROGRAM, "version": __version__},
    }
    return json.dumps({"jsonrpc": "2.0", "id": 0, "method": mcp.INITIALIZE, "params": params}).encode()


async def _token(settings: Settings) -> tuple[str, bool]:
    """The stored token, empty where it has expired or headers have the credential; and whether it can be renewed."""
    if not settings.signs_in or settings.sign_in.token_store == "memory":  # noqa: S105 - a place
        return "", False
    from bridge.process.host_environment import keyring_variables

    store = open_store(settings.sign_in.token_store, lambda _: None, keyring_variables)
    key = tokens_key_of(settings)
    record = (await read_stored(store, key)).record if store.exists_hint(key) else None
    if record is None:
        return "", False
    is_renewable = record.is_renewable
    if freshness(record, time.time()) is Freshness.EXPIRED:
        return "", is_renewable
    return (record.id_token if settings.sign_in.use_id_token else record.access_token) or "", is_renewable
