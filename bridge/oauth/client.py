"""The client: the bridge's identity at an authorization server, and its authentication method (RFC 6749 2.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from bridge.oauth.errors import SignInError
from bridge.protocol.sanitize import address, quoted

Kind = Literal["static", "document", "dynamic"]

NONE = "none"
BASIC = "client_secret_basic"
POST = "client_secret_post"
PRIVATE_KEY = "private_key_jwt"
METHODS = (NONE, BASIC, POST)
"""The client authentication methods that the bridge registers; the one for native applications comes first."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A client identifier and what belongs to it.

    `kind` says where it comes from: the user (`static`), a Client ID Metadata Document (`document`), or dynamic
    registration (`dynamic`). A dynamic one is registered for `redirect_uri` and `scope`, and its secret may expire at
    `secret_expires_at` (Unix seconds). `way` says how it authenticates where the server does not take what the standard
    says for the method (`oauth.client_authentication`), empty if it does or if that is not known.
    `requires_pushed_requests`: the server wants its authorization requests pushed (RFC 9126 6).
    """

    client_id: str
    kind: Kind
    secret: str = ""
    auth_method: str = NONE
    redirect_uri: str = ""
    scope: str = ""
    secret_expires_at: float | None = None
    way: str = ""
    requires_pushed_requests: bool = False

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Client({self.kind}, {self.client_id!r}, {self.auth_method})"


def method_with_secret(supported: Sequence[str] | None, issuer: str) -> str:
    """How a client with a secret authenticates; `client_secret_basic` if the server lists no method (RFC 8414 2).

    A provider may document another (`providers`).
    """
    if not supported:
        from bridge.oauth.providers import client_authentication  # A start needs none.

        return client_authentication(issuer) or BASIC
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
