"""Enterprise-managed authorization: the company's identity provider vouches for the user at the server's.

MCP, Enterprise-Managed Authorization; draft-ietf-oauth-identity-assertion-authz-grant-04:

| request | to | brings |
|---|---|---|
| token exchange (RFC 8693 2) with the ID token | the company's provider | an ID-JAG for the server's issuer |
| JWT bearer grant (RFC 7523 2.1) with the ID-JAG | the server's authorization server | the access token |
"""

from __future__ import annotations

import re

from bridge.oauth.errors import NeedsChange
from bridge.oauth.grants import TOKEN_EXCHANGE
from bridge.oauth.grants.token_response import read_answer
from bridge.protocol.sanitize import address, quoted

ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
_ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - the name of a type
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,131072}")


def token_exchange_form(id_token: str, audience: str, scope: str, resource: str | None) -> dict[str, str]:
    """The request for an ID-JAG, without the client (4.3). `audience` is the issuer of the server's provider."""
    form = {
        "grant_type": TOKEN_EXCHANGE.value,
        "requested_token_type": ID_JAG,
        "audience": audience,
        "subject_token": id_token,
        "subject_token_type": _ID_TOKEN,
    }
    if resource is not None:
        form["resource"] = resource
    if scope:
        form["scope"] = scope
    return form


def read_id_jag(status: int, content_type: str, body: bytes, url: str) -> str:
    """The ID-JAG in an answer (4.3.3). Raises as `token_response.read_tokens` does."""
    endpoint = f"token endpoint {address(url)}"
    members = read_answer(status, content_type, body, endpoint, "an ID-JAG")
    kind, token = members.get("issued_token_type"), members.get("access_token")
    if kind != ID_JAG or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        named = f"a token of the type {quoted(kind, 80)}" if isinstance(kind, str) else "a token without a type"
        raise NeedsChange(
            f"The {endpoint} answered with {named}, but an ID-JAG was expected.",
            hint="The company's provider has to support the identity assertion authorization grant for this client.",
        )
    return token
