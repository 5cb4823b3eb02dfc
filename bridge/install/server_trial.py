"""Tries a server before an entry for it is written: one `initialize`, with the headers and the token of a run.

| the answer | verdict |
|---|---|
| JSON-RPC, as JSON or as an event | `works` |
| 401 or 403, and the bridge would sign in | `sign-in` |
| anything else: another status, HTML, no connection | `failed`, with a sentence |
| not tried, because HTTP+SSE has no single answer | `not-tried` |

A token that has expired and can be renewed counts as signed in. Nothing is stored; a session that the server opens is
left to expire.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from typing import TYPE_CHECKING, Literal, NamedTuple

from bridge import PROGRAM, __version__
from bridge.config import Settings, ascii_url
from bridge.errors import BridgeError
from bridge.login.failures import SERVER
from bridge.oauth.record import Freshness, freshness
from bridge.protocol import mcp
from bridge.protocol.sanitize import shown
from bridge.store.choice import open_store
from bridge.tokens.login_order import tokens_key_of
from bridge.tokens.sign_in_setup import open_http
from bridge.tokens.stored_sign_in import read_stored

if TYPE_CHECKING:
    from bridge.login.auth_http import AuthResponse

Verdict = Literal["works", "sign-in", "failed", "not-tried"]

_SECONDS = 15.0
_LONGEST_NAME = 60
_NAME = re.compile(rb'"serverInfo"\s*:\s*\{[^{}]*?"name"\s*:\s*("(?:[^"\\]|\\.)*")')


class Trial(NamedTuple):
    """What came of it. `said` is a sentence for the user; `server` is the name that the server gave itself."""

    verdict: Verdict
    said: str
    server: str = ""


async def try_server(settings: Settings) -> Trial:
    """Ask the server of these settings once. Never raises for what the server or the network does."""
    if settings.transport == "sse":
        return Trial("not-tried", f"{settings.url} was not tried, because it speaks HTTP+SSE.")
    token, is_renewable = await _token(settings)
    headers = dict(settings.headers)
    headers |= {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    http = open_http(settings)
    try:
        async with asyncio.timeout(_SECONDS):
            reply = await http.post(ascii_url(settings.url), SERVER, _initialize(), headers)
    except TimeoutError:
        return Trial("failed", f"{settings.url} did not answer within {_SECONDS:g} seconds.")
    except BridgeError as problem:
        return Trial("failed", str(problem))
    return judge(settings, reply, is_renewable=is_renewable)


def judge(settings: Settings, reply: AuthResponse, *, is_renewable: bool = False) -> Trial:
    """What an answer to `initialize` says of the server. `is_renewable`: a token that can be renewed is stored."""
    if reply.status in {401, 403}:
        if settings.signs_in and is_renewable:
            return Trial("works", f"You are signed in to {settings.url}.")
        if settings.signs_in:
            return Trial("sign-in", f"{settings.url} asks you to sign in.")
        return Trial("failed", f"{settings.url} refused the credentials that you gave (HTTP {reply.status}).")
    if b'"jsonrpc"' in reply.body:
        found = _NAME.search(reply.body)
        name = ""
        with contextlib.suppress(ValueError):
            name = shown(str(json.loads(found[1])), _LONGEST_NAME) if found else ""
        return Trial("works", f"{settings.url} answers{f' as {name}' if name else ''}.", name)
    if reply.location:
        where = shown(reply.location, 200)
        return Trial("failed", f"{settings.url} redirects to {where}. If the server has moved, use its new URL.")
    kind = reply.content_type.partition(";")[0].strip() or "no content type"
    what = f"HTTP {reply.status} with {shown(kind, 60)}"
    hint = "Check that the URL is the server's MCP endpoint."
    if reply.status in {404, 405} and settings.transport == "auto":
        hint += " A server that speaks only HTTP+SSE answers so too: add --transport sse."
    return Trial("failed", f"{settings.url} is no MCP server, or not now: it answered {what}. {hint}")


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
    is_renewable = bool(record.refresh_token)
    if freshness(record, time.time()) is Freshness.EXPIRED:
        return "", is_renewable
    return (record.id_token if settings.sign_in.use_id_token else record.access_token) or "", is_renewable
