"""A protected MCP server: it wants a bearer token of its authority, and says so as RFC 9728 and RFC 6750 want it.

All that `FaultServer` can do wrong it can do too, behind the check of the token. What is about the protection:

| attribute | what it changes |
|---|---|
| `challenge` | the parameters of the challenge, or the whole header where it is a list |
| `metadata_paths` | where the protected resource metadata is; empty for a server without RFC 9728 |
| `metadata_changes` | its members; None leaves one out |
| `needs` | scopes that a method or tool needs, by the keys of `FaultServer` |
| `never_enough` | keys answered 403 whatever the token's scopes are |
| `refuses_all` | every token is refused, though it is good |
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from typing import Any, Literal

from tests.support.oauth.authority import Authority
from tests.support.oauth.tokens import Access
from tests.support.servers.fault_http import Exchange, Request
from tests.support.servers.fault_server import Call, FaultServer

WELL_KNOWN = "/.well-known/oauth-protected-resource"


class ProtectedServer(FaultServer):
    """The protected server; use as an async context manager."""

    def __init__(self, authority: Authority, *, tls: ssl.SSLContext | None = None, path: str = "/mcp") -> None:
        super().__init__(tls=tls, path=path)
        self.authority = authority
        self.base: str | None = None
        """Scheme, host and port where its own are not what clients see."""
        self.challenge: dict[str, str | None] | list[str] = {}
        self.metadata_paths: tuple[str, ...] = (WELL_KNOWN + path,)
        self.names_metadata = True
        """Whether the challenge holds `resource_metadata`."""
        self.metadata_changes: dict[str, Any] = {}
        self.metadata_status = 404
        """What other well-known places answer."""
        self.needs: dict[str, str] = {}
        self.never_enough: set[str] = set()
        self.protected = True
        self.refuses_all = False
        self.wants: Literal["access_token", "id_token"] = "access_token"
        self.refusal: bytes = json.dumps({"error": "invalid_token", "error_description": "No good token"}).encode()
        self.before_refusal: Callable[[], object] = lambda: None
        """What is done before a request is refused."""
        self._same_origin = False
        self.pages: dict[str, Any] = {}
        """Other paths, and what answers there: a coroutine function of the exchange."""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.base or self.http.origin

    @property
    def url(self) -> str:
        return self.origin + self.path

    @property
    def metadata_url(self) -> str:
        """Where the protected resource metadata is."""
        return self.origin + (self.metadata_paths or (WELL_KNOWN,))[0]

    def share_origin(self) -> None:
        """Be the authorization server's origin too (MCP 2025-03-26), without RFC 9728."""
        self._same_origin = True
        self.metadata_paths = ()
        self.names_metadata = False
        self.authority.base = self.origin
        self.authority.http.bell = self.http.bell

    def metadata(self) -> dict[str, Any]:
        """The protected resource metadata (RFC 9728 2)."""
        document = {
            "resource": self.url,
            "authorization_servers": [self.authority.issuer],
            "bearer_methods_supported": ["header"],
        } | self.metadata_changes
        return {name: value for name, value in document.items() if value is not None}

    def tokens(self, method: str | None = None) -> list[str | None]:
        """The bearer tokens shown to the endpoint so far, by HTTP or JSON-RPC method; None where none was."""
        requests = self.http.requests if method is None else self.seen(method)
        return [bearer(request) for request in requests if request.path.partition("?")[0] == self.path]

    def seen_pages(self) -> list[str]:
        """The paths asked for so far, other than the endpoint itself."""
        return [request.path for request in self.http.requests if request.path.partition("?")[0] != self.path]

    async def _handle(self, exchange: Exchange) -> None:
        path = exchange.request.path.partition("?")[0]
        if path == self.path:
            await self._guard(exchange)
        elif path in self.pages:
            await self.pages[path](exchange)
        elif path in self.metadata_paths:
            await exchange.respond(200, json.dumps(self.metadata()).encode(), "application/json")
        elif self._same_origin:
            await self.authority.handle(exchange)
        else:
            await exchange.respond(self.metadata_status, b"<html><title>404</title></html>", "text/html")

    async def _guard(self, exchange: Exchange) -> None:
        if not self.protected:
            await super()._handle(exchange)
            return
        token = bearer(exchange.request)
        access = None if token is None or self.refuses_all else self._access(token)
        if access is None:
            more = {} if token is None else {"error": "invalid_token", "error_description": "The token is not good"}
            await self._refuse(exchange, 401, more)
            return
        keys = _keys(exchange.request)
        needed = " ".join(self.needs[key] for key in keys if key in self.needs)
        missing = [scope for scope in needed.split() if scope not in access.scope.split()]
        if missing or self.never_enough & set(keys):
            more = {"error": "insufficient_scope", "scope": " ".join(missing) or needed}
            await self._refuse(exchange, 403, more)
            return
        await super()._handle(exchange)

    def _access(self, token: str) -> Access | None:
        ledger = self.authority.ledger
        if self.wants == "id_token":
            family = ledger.identities.get(token)
            return Access(family, family.scope, 0.0) if family else None
        return ledger.valid(token)

    async def _refuse(self, exchange: Exchange, status: int, more: dict[str, str]) -> None:
        self.before_refusal()
        if isinstance(self.challenge, list):
            headers = [("WWW-Authenticate", value) for value in self.challenge]
        else:
            own: dict[str, str | None] = {"resource_metadata": self.metadata_url} if self.names_metadata else {}
            parameters = own | self.challenge | more
            text = ", ".join(f'{name}="{value}"' for name, value in parameters.items() if value is not None)
            headers = [("WWW-Authenticate", f"Bearer {text}".strip())]
        body = self.refusal
        if b"ID" in body:  # a JSON-RPC error with the request's own id
            body = body.replace(b"ID", json.dumps(Call(self, exchange).id).encode())
        await exchange.respond(status, body, "application/json", headers)


def bearer(request: Request) -> str | None:
    """The bearer token in a request."""
    scheme, _, token = (request.header("authorization") or "").partition(" ")
    return token if scheme.lower() == "bearer" else None


def _keys(request: Request) -> list[str]:
    message = request.message
    if not isinstance(message, dict) or "method" not in message:
        return [request.method]
    keys = [str(message["method"]), request.method]
    if message["method"] == "tools/call":
        keys.insert(0, f"tools/call:{message['params'].get('name')}")
    return keys
