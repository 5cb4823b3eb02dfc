"""How the bridge becomes a client of an authorization server (MCP, Client Registration; RFC 7591).

In the standard's order: an identifier the user gave; the URL of a Client ID Metadata Document, where the server takes
one; dynamic registration, where it offers it; else the user has to register a client and is told where.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from bridge.oauth import client as clients
from bridge.oauth.client import Client
from bridge.oauth.errors import RegistrationFailed, Unavailable
from bridge.oauth.grants import said_in
from bridge.oauth.metadata import AuthorizationServer

NAME = "mcp-remote-bridge"

_PAGES = {
    "accounts.google.com": "https://console.cloud.google.com/apis/credentials",
    "app.asana.com": "https://app.asana.com/0/my-apps",
    "auth.atlassian.com": "https://developer.atlassian.com/console/myapps/",
    "github.com": "https://github.com/settings/developers",
    "gitlab.com": "https://gitlab.com/-/user_settings/applications",
    "login.microsoftonline.com": "https://entra.microsoft.com (App registrations)",
    "slack.com": "https://api.slack.com/apps",
}
_ID = 2048


class _Registered(msgspec.Struct, frozen=True):
    client_id: str
    client_secret: str | None = None
    client_secret_expires_at: float | None = None
    token_endpoint_auth_method: str | None = None
    scope: str | None = None


def static_client(client_id: str, secret: str, server: AuthorizationServer) -> Client:
    """The client that the user registered. Raises `SignInError` where its secret cannot be shown in any known way."""
    method = clients.NONE
    if secret:
        method = clients.method_with_secret(server.token_endpoint_auth_methods, server.issuer)
    return Client(client_id=client_id, kind="static", secret=secret, auth_method=method)


def document_client(url: str) -> Client:
    """The client whose identifier is the URL of its metadata document."""
    return Client(client_id=url, kind="document")


def document(url: str, redirect_uris: list[str]) -> dict[str, Any]:
    """The Client ID Metadata Document to host at `url` (draft-ietf-oauth-client-id-metadata-document-00, 4)."""
    return {
        "client_id": url,
        "client_name": NAME,
        "application_type": "native",
        "redirect_uris": redirect_uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": clients.NONE,
    }


def registration_request(server: AuthorizationServer, redirect_uri: str, scope: str, version: str) -> bytes:
    """The body of a dynamic registration (RFC 7591 3.1, OpenID Connect Registration 2)."""
    wanted: dict[str, Any] = {
        "client_name": NAME,
        "application_type": "native",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": clients.method_to_register(server.token_endpoint_auth_methods),
        "software_id": NAME,
        "software_version": version,
    }
    if scope:
        wanted["scope"] = scope
    return msgspec.json.encode(wanted)


def read_registration(
    status: int, body: bytes, url: str, server: AuthorizationServer, redirect_uri: str, scope: str
) -> Client:
    """The client that was registered (RFC 7591 3.2.1).

    Raises `RegistrationFailed` with what the server said, `Unavailable` where trying later may help.
    """
    step = f"Registering a client at {url} failed"
    if status >= 500 or status in {408, 429}:
        raise Unavailable(f"{step}: it answered status {status}.", hint="Try again later.")
    if status not in {200, 201}:
        said = said_in(body)
        hint = by_hand(server, redirect_uri)
        raise RegistrationFailed(f"{step}: it answered status {status}" + (f", {said}." if said else "."), hint=hint)
    try:
        made = msgspec.json.decode(body, type=_Registered, strict=False)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RegistrationFailed(f"{step}: its answer holds no client_id.", hint="The server is at fault.") from None
    if not (made.client_id.isascii() and made.client_id.isprintable() and 0 < len(made.client_id) <= _ID):
        raise RegistrationFailed(f"{step}: its client_id is empty or unusable.", hint="The server is at fault.")
    secret = made.client_secret or ""
    method = made.token_endpoint_auth_method or ""
    if not secret:
        method = clients.NONE
    elif method not in clients.METHODS:
        method = clients.method_with_secret(server.token_endpoint_auth_methods, server.issuer)
    return Client(
        client_id=made.client_id,
        kind="dynamic",
        secret=secret,
        auth_method=method,
        redirect_uri=redirect_uri,
        scope=made.scope or scope,
        secret_expires_at=made.client_secret_expires_at or None,
    )


def fits(client: Client, redirect_uri: str, scopes: tuple[str, ...], now: float) -> bool:
    """Whether a stored dynamic registration can serve: its redirect URI, a secret that lasts, scopes it may ask for."""
    if client.redirect_uri != redirect_uri:
        return False
    if client.secret_expires_at is not None and client.secret_expires_at <= now + 60:
        return False
    return not client.scope or set(scopes) <= set(client.scope.split(" "))


def no_way(server: AuthorizationServer, redirect_uri: str) -> RegistrationFailed:
    """The server takes neither a metadata document of ours nor registrations."""
    return RegistrationFailed(
        f"{server.issuer} does not let clients register themselves.", hint=by_hand(server, redirect_uri)
    )


def by_hand(server: AuthorizationServer, redirect_uri: str) -> str:
    """How a person registers a client: where, and which options then to pass."""
    host = (urlsplit(server.issuer).hostname or "").lower()
    page = _PAGES.get(host) or server.service_documentation
    where = f"at {page}" if page else f"at the provider of {server.issuer}"
    return (
        f"Register one {where}, with the redirect URI {redirect_uri}, and pass --client-id ID "
        "(and --client-secret env:NAME if it gets a secret)."
    )
