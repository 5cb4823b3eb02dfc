"""Who is signed in, as far as the authorization server tells; only ever shown (OpenID Connect Core 2, 5.1, 5.3).

Nothing is verified, so nothing may be decided by it. The first of `email`, `preferred_username`, `name` and `sub`
counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from bridge.oauth.claims import claims_of
from bridge.oauth.document import json_object
from bridge.protocol.sanitize import shown

_NAMES = ("email", "preferred_username", "name", "sub")
_LONGEST = 100


def who(claims: Mapping[str, object]) -> str:
    """The person whom these claims are about, on one line; empty where they do not tell."""
    for name in _NAMES:
        value = claims.get(name)
        if isinstance(value, str) and (text := shown(value, _LONGEST)):
            return text
    return ""


def who_by_id_token(token: str) -> str:
    """The person whom an ID token is about; empty where it does not tell, or is none."""
    return who(claims_of(token))


def who_by_userinfo(status: int, content_type: str, body: bytes, id_token: str) -> str:
    """The person whom an answer of the userinfo endpoint is about; empty where it does not tell.

    One about somebody else than the ID token must not be used (5.3.2). A signed answer (a JWT) is not read.
    """
    if status != 200 or content_type.partition(";")[0].strip().lower() != "application/json":
        return ""
    claims = json_object(body) or {}
    subject = claims_of(id_token).get("sub")
    if subject is not None and claims.get("sub") != subject:
        return ""
    return who(claims)
