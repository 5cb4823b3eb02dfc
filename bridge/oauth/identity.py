"""Who is signed in, according to the authorization server (OpenID Connect Core 2, 5.1, 5.3).

The name is only shown. It is not verified, so no decision may depend on it. It is the first of the claims `email`,
`preferred_username`, `name` and `sub`.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.oauth.claims import claims_of
from bridge.oauth.document import json_object
from bridge.protocol.sanitize import shown

_NAMES = ("email", "preferred_username", "name", "sub")
_LONGEST = 100


def user_of_claims(claims: Mapping[str, object]) -> str:
    """The user whom these claims are about, on one line; empty if they do not say."""
    for name in _NAMES:
        value = claims.get(name)
        if isinstance(value, str) and (text := shown(value, _LONGEST)):
            return text
    return ""


def user_of_id_token(token: str) -> str:
    """The user whom an ID token is about; empty if it does not say or is not an ID token."""
    return user_of_claims(claims_of(token))


def user_of_userinfo(status: int, content_type: str, body: bytes, id_token: str) -> str:
    """The user whom an answer of the userinfo endpoint is about; empty if it does not say.

    An answer with another `sub` than the ID token must not be used (5.3.2). A signed answer (a JWT) is not read.
    """
    if status != 200 or content_type.partition(";")[0].strip().lower() != "application/json":
        return ""
    claims = json_object(body) or {}
    subject = claims_of(id_token).get("sub")
    if subject is not None and claims.get("sub") != subject:
        return ""
    return user_of_claims(claims)
