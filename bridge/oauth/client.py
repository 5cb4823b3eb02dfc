"""The client: the bridge's identity at an authorization server, and how it authenticates (RFC 6749 2.3)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import quote_plus

import msgspec

from bridge.oauth.errors import SignInError
from bridge.protocol.sanitize import address, quoted

Kind = Literal["static", "document", "dynamic"]

NONE = "none"
BASIC = "client_secret_basic"
POST = "client_secret_post"
METHODS = (NONE, BASIC, POST)
"""The client authentication methods that the bridge supports; the one for native applications comes first."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client identifier and what belongs to it.

    `kind` says where it comes from: the user (`static`), a Client ID Metadata Document (`document`), or dynamic
    registration (`dynamic`). A dynamic one is registered for `redirect_uri` and `scope`, and its secret may expire at
    `secret_expires_at` (Unix seconds).
    """

    client_id: str
    kind: Kind
    secret: str = ""
    auth_method: str = NONE
    redirect_uri: str = ""
    scope: str = ""
    secret_expires_at: float | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Client({self.kind}, {self.client_id!r}, {self.auth_method})"


def method_with_secret(supported: Sequence[str] | None, issuer: str) -> str:
    """How a client with a secret authenticates; `client_secret_basic` if the server lists no method (RFC 8414 2)."""
    if not supported:
        return BASIC
    for method in (BASIC, POST):
        if method in supported:
            return method
    if NONE in supported:
        return NONE
    raise SignInError(
        f"{address(issuer)} accepts only {quoted(', '.join(supported[:5]))} as client authentication; "
        "the bridge supports none, client_secret_basic and client_secret_post.",
        hint="Register a public client, or a client that authenticates with a secret.",
    )


def method_to_register(supported: Sequence[str] | None) -> str:
    """The client authentication method to register: a public client if possible, as native applications are."""
    if supported is None:
        return NONE
    return next((method for method in METHODS if method in supported), NONE)


def authenticate(client: Client, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The form and headers of a request in which `client` authenticates (RFC 6749 2.3.1)."""
    if client.auth_method == BASIC and client.secret:
        # Both are form-encoded first. Otherwise an id or secret with a colon or plus sign would be read as another one.
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        token = base64.b64encode(pair.encode("ascii")).decode("ascii")
        # The form holds the id too: RFC 6749 3.2.1 allows it, and some servers read it only there.
        return {**form, "client_id": client.client_id}, {"Authorization": f"Basic {token}"}
    named = {**form, "client_id": client.client_id}
    if client.auth_method == POST and client.secret:
        named["client_secret"] = client.secret
    return named, {}
