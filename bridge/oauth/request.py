"""The authorization request (RFC 6749 4.1.1, RFC 7636 4.3, RFC 8707 2)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from bridge.oauth.client import Client
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.providers import authorization_parameters


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization request that waits for its answer. `verifier` and `state` are secrets.

    `asks_for_consent`: it sends `prompt=consent`, unless the user's own parameters say otherwise.
    """

    server: AuthorizationServer
    client: Client
    redirect_uri: str
    scope: str
    resource: str | None
    state: str
    verifier: str
    asks_for_consent: bool = False

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"Pending({self.server.issuer!r}, {self.client!r})"


def authorization_url(pending: AuthorizationRequest, extra: Iterable[tuple[str, str]] = ()) -> str:
    """The URL to open. `extra` are the user's own parameters, which never replace those that are set here.

    The endpoint's own query stays (RFC 6749 3.1), except for parameters that are set here: a server could use either of
    two parameters with the same name.
    """
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
    from authlib.oauth2.rfc7636 import create_s256_code_challenge

    flow = {
        "redirect_uri": pending.redirect_uri,
        "scope": pending.scope or None,
        "state": pending.state,
        "code_challenge": create_s256_code_challenge(pending.verifier),  # type: ignore[no-untyped-call]
        "code_challenge_method": "S256",
        "resource": pending.resource,
    }
    owned = {"client_id", "response_type", *(name for name, value in flow.items() if value is not None)}
    chosen = [(name, value) for name, value in extra if name not in owned]
    owned.update(name for name, _ in chosen)
    endpoint = urlsplit(pending.server.authorization_endpoint)
    others = [pair for pair in parse_qsl(endpoint.query, keep_blank_values=True) if pair[0] not in owned] + chosen
    named = {name for name, _ in others}
    usual = authorization_parameters(pending.server.issuer)
    usual += (("prompt", "consent"),) if pending.asks_for_consent else ()
    others += [(name, value) for name, value in usual if name not in named]
    query = urlencode(others)
    url = prepare_grant_uri(urlunsplit(endpoint._replace(query=query)), pending.client.client_id, "code", **flow)
    return str(url)
