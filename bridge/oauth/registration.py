"""How the bridge becomes a client of an authorization server (MCP, Client Registration; RFC 7591).

The bridge uses, in the standard's order:

1. the client identifier that the user configured;
2. the URL of a Client ID Metadata Document, if the server accepts one;
3. dynamic registration, if the server offers it;
4. otherwise an error tells the user where to register a client.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bridge import PROGRAM
from bridge.oauth import client as clients
from bridge.oauth.authorization_probe import Doubt, ProbeAnswer
from bridge.oauth.client import Client
from bridge.oauth.document import json_object
from bridge.oauth.errors import (
    ClientUnknown,
    NeedsChange,
    RedirectUriRefused,
    RegistrationFailed,
    SignInError,
    Unavailable,
)
from bridge.oauth.grants import AUTHORIZATION_CODE, REFRESH_TOKEN, GrantType
from bridge.oauth.grants.token_response import heard_in, hint_for
from bridge.oauth.issuer_binding import shell_safe
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.providers import client_console
from bridge.oauth.registration_refusal import Offer, Refused, refused_in
from bridge.oauth.request import AuthorizationRequest
from bridge.oauth.scopes import split, union
from bridge.protocol.sanitize import address, with_words

UNUSED_REDIRECT_URI = "http://localhost/callback"
"""The redirect URI that a client without one registers if the server requires one. It is never used."""

_ID = 2048
_TO_WHAT = {
    Refused.METHOD: " to a client with the authentication method {method}",
    Refused.SCOPE: " to the scopes of the registration",
}


def static_client(client_id: str, secret: str, server: AuthorizationServer, *, has_key: bool = False) -> Client:
    """The client that the user registered. `has_key`: it authenticates by a key of the user's.

    Raises `SignInError` if the server supports no authentication method for its secret that the bridge supports.
    """
    method = clients.PRIVATE_KEY if has_key else clients.NONE
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
        "client_name": PROGRAM,
        "application_type": "native",
        "redirect_uris": redirect_uris,
        "grant_types": [AUTHORIZATION_CODE.value, REFRESH_TOKEN.value],
        "response_types": ["code"],
        "token_endpoint_auth_method": clients.NONE,
    }


def registration_request(offer: Offer, grant: GrantType, redirect_uri: str, version: str) -> bytes:
    """The body of a dynamic registration for one grant (RFC 7591 3.1, OpenID Connect Registration 2).

    With a redirect URI, the authorization code grant is registered too. A grant that needs no redirect URI may have one
    for servers that accept no client without it.
    """
    grants = [grant, *([AUTHORIZATION_CODE] if redirect_uri else []), REFRESH_TOKEN]
    wanted: dict[str, Any] = {
        "client_name": PROGRAM,
        "application_type": "native",
        "redirect_uris": [redirect_uri] if redirect_uri else [],
        "grant_types": list(dict.fromkeys(one.value for one in grants)),
        "response_types": ["code"] if redirect_uri else [],
        "token_endpoint_auth_method": offer.method,
        "software_id": PROGRAM,
        "software_version": version,
    }
    if offer.scope:
        wanted["scope"] = offer.scope
    return msgspec.json.encode(wanted)


def read_registration(
    status: int, body: bytes, url: str, server: AuthorizationServer, grant: GrantType, redirect_uri: str, offer: Offer
) -> Client:
    """The client that was registered (RFC 7591 3.2.1). What the answer says counts, not what was asked for.

    Raises `RegistrationFailed` or `RedirectUriRefused` with the server's words, `Unavailable` if it may work later.
    """
    step = f"The registration of a client at {address(url)} failed"
    if status >= 500 or status in {408, 429}:
        raise Unavailable(f"{step}: the server answered status {status}.", hint="Try again later.")
    if status not in {200, 201}:
        refused = refused_in(status, body)
        kind = RedirectUriRefused if refused is Refused.REDIRECT_URI else RegistrationFailed
        to_what = _TO_WHAT.get(refused, "").format(method=offer.method)
        what = with_words(f"{step}: the server answered status {status}{to_what}", heard_in(body))
        raise kind(what, hint=registration_hint(server, grant, redirect_uri))
    made = json_object(body) or {}
    client_id, secret = made.get("client_id"), _text(made, "client_secret")
    if not isinstance(client_id, str):
        raise RegistrationFailed(
            f"{step}: the server answered status {status} without a client_id.",
            hint=registration_hint(server, grant, redirect_uri),
        )
    if not (client_id.isascii() and client_id.isprintable() and 0 < len(client_id) <= _ID):
        raise RegistrationFailed(
            f"{step}: its client_id is empty or unusable.",
            hint=registration_hint(server, grant, redirect_uri),
        )
    method = _text(made, "token_endpoint_auth_method")
    if not secret:
        method = clients.NONE
    elif method not in clients.METHODS and offer.method != clients.NONE:
        method = offer.method
    elif method not in clients.METHODS:
        method = clients.method_with_secret(server.token_endpoint_auth_methods, server.issuer)
    return Client(
        client_id=client_id,
        kind="dynamic",
        secret=secret,
        auth_method=method,
        redirect_uri=redirect_uri,
        # The requested scopes count too: a server that registered fewer would do so again next time.
        scope=" ".join(union(split(offer.scope), split(_text(made, "scope")))),
        secret_expires_at=_moment(made.get("client_secret_expires_at")),
        requires_pushed_requests=made.get("require_pushed_authorization_requests") is True,
    )


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""


def _moment(value: object) -> float | None:
    # 0 means never (RFC 7591 3.2.1).
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e15:
        return None
    return float(value)


def refused_request(pending: AuthorizationRequest, answer: ProbeAnswer) -> SignInError:
    """The error for a request that the authorization endpoint refuses before the user has seen its page."""
    server, client_id, uri = pending.server, pending.client.client_id, pending.redirect_uri
    endpoint, console = address(server.authorization_endpoint), client_console(server.issuer)
    where = f" at {console}" if console else f" with {address(server.issuer)}"
    if answer.doubt is Doubt.REDIRECT_URI:
        return NeedsChange(
            with_words(f"{endpoint} does not accept the redirect URI {uri} for the client {client_id}", answer.said),
            hint=f"Register exactly {uri} for that client{where}; or pass --callback-port, --callback-host and "
            "--callback-path as in a redirect URI that is registered.",
        )
    if answer.doubt is Doubt.RESOURCE:
        what = f"{endpoint} does not accept the resource {address(pending.resource or '')}"
        return NeedsChange(with_words(what, answer.said), hint=hint_for("invalid_target", ""))
    return ClientUnknown(
        with_words(f"{endpoint} does not know the client {client_id}", answer.said),
        hint=f"Check --client-id: the client has to be registered{where}, with the redirect URI {uri}.",
    )


def may_need_redirect_uri(status: int, body: bytes) -> bool:
    """Whether a registration may have been refused because it has no redirect URI."""
    if status != 400 or refused_in(status, body) in {Refused.METHOD, Refused.SCOPE}:
        return False
    error = (json_object(body) or {}).get("error")
    return error in {"invalid_client_metadata", "invalid_redirect_uri", "invalid_request"}


def is_usable(client: Client, redirect_uri: str, scopes: tuple[str, ...], now: float) -> bool:
    """Whether a stored registration can be used: by its redirect URI, the expiry of its secret, and its scopes."""
    if client.redirect_uri != redirect_uri:
        return False
    if client.secret_expires_at is not None and client.secret_expires_at <= now + 60:
        return False
    return not client.scope or set(scopes) <= set(split(client.scope))


def registration_not_offered(server: AuthorizationServer, grant: GrantType, redirect_uri: str) -> RegistrationFailed:
    """The error for a server that accepts neither a metadata document nor registrations."""
    return RegistrationFailed(
        f"{address(server.issuer)} does not offer dynamic client registration.",
        hint=registration_hint(server, grant, redirect_uri),
    )


def registration_hint(server: AuthorizationServer, grant: GrantType, redirect_uri: str) -> str:
    """The hint that tells the user where to register a client, and which options to pass then.

    `redirect_uri` is empty for a grant that needs none.
    """
    page = client_console(server.issuer) or _own_page(server)
    where = f"at {page}" if page else f"at the provider of {address(server.issuer)}"
    or_else = ""
    if server.client_id_metadata_document_supported:
        or_else = f" Or host at URL what {PROGRAM} client-metadata URL prints, and pass --client-metadata-url URL."
    with_what = f"with the redirect URI {redirect_uri}" if redirect_uri else f"with the {grant.name}"
    another = " For another port, pass --callback-port PORT." if redirect_uri else ""
    return (
        f"Register a client {where}, {with_what}, and pass --client-id ID --issuer {shell_safe(server.issuer)} "
        f"(and --client-secret env:NAME if the client has a secret).{another}{or_else}"
    )


def _own_page(server: AuthorizationServer) -> str:
    """The page for developers that the server names; only if it is on the issuer's host, because the user opens it."""
    page, host = (urlsplit(url).hostname for url in (server.service_documentation, server.issuer))
    return address(server.service_documentation) if page and page == host else ""
