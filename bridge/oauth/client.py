"""The client: who the bridge is to an authorization server, and how it proves it (RFC 6749 2.3)."""

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
"""The ways of client authentication that the bridge knows, the one a native application should use first."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client identifier and what belongs to it.

    `kind` tells where it is from: the user (`static`), a Client ID Metadata Document, or dynamic registration. The
    last one is bound to `redirect_uri` and `scope`, and its secret may end at `secret_expires_at` (Unix seconds).
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
    """How a client with a secret authenticates. Where none is listed it is basic (RFC 8414 2)."""
    if not supported:
        return BASIC
    for method in (BASIC, POST):
        if method in supported:
            return method
    if NONE in supported:
        return NONE
    raise SignInError(
        f"{address(issuer)} takes only {quoted(', '.join(supported[:5]))} as client authentication, "
        "and the bridge knows none, client_secret_basic and client_secret_post.",
        hint="Register a client that is public, or one with a secret.",
    )


def method_to_register(supported: Sequence[str] | None) -> str:
    """Which way of client authentication to register: public where it can be, as native applications are."""
    if supported is None:
        return NONE
    return next((method for method in METHODS if method in supported), NONE)


def authenticate(client: Client, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The form and headers of a request in which `client` authenticates (RFC 6749 2.3.1)."""
    if client.auth_method == BASIC and client.secret:
        # Both are form-encoded first; without it an id or a secret with a colon or a plus sign arrives as another one.
        pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret)}"
        token = base64.b64encode(pair.encode("ascii")).decode("ascii")
        # The id stands in the form too: RFC 6749 3.2.1 allows it, and some servers look for it only there.
        return {**form, "client_id": client.client_id}, {"Authorization": f"Basic {token}"}
    named = {**form, "client_id": client.client_id}
    if client.auth_method == POST and client.secret:
        named["client_secret"] = client.secret
    return named, {}
