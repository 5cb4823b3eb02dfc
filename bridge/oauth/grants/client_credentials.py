"""The client credentials grant: a program signs in as itself, without a user (RFC 6749 4.4)."""

from __future__ import annotations

import msgspec

from bridge.oauth.client import Client
from bridge.oauth.grants import CLIENT_CREDENTIALS
from bridge.oauth.metadata import AuthorizationServer


class ClientCredentialsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for tokens of a program, by this grant or the JWT bearer grant.

    `scope` is as on the wire, `resource` the resource indicator (RFC 8707), None for none.
    """

    server: AuthorizationServer
    client: Client
    scope: str
    resource: str | None


def client_credentials_form(scope: str, resource: str | None) -> dict[str, str]:
    """The token request, without the client (RFC 6749 4.4.2, RFC 8707 2.2)."""
    form = {"grant_type": CLIENT_CREDENTIALS.value}
    if scope:
        form["scope"] = scope
    if resource is not None:
        form["resource"] = resource
    return form
