"""What a server refuses in a dynamic registration, and what the bridge registers instead (RFC 7591 3.2.2).

A registration names an authentication method and scopes, and a server may refuse either. `offers` lists what the bridge
registers, in order: a public client (`none`) first, as native applications are, and each first with the scopes that are
to be requested. Methods that the metadata does not list are left out, where it lists one that the bridge supports.

| the refusal names | what is left to offer |
|---|---|
| the authentication method, or public clients | the other methods |
| the scopes | the same without scopes |
| nothing: `invalid_client_metadata`, `invalid_request` or no error code, with status 400 | the next one |
| the redirect URI | nothing here: another redirect URI may do (`login.registering`) |
| anything else, by its code or words | nothing |

Sources: Cloudflare's workers-oauth-provider 1.2.3 lists `none` and says "Public client registration is not allowed"
where its `disallowPublicClientRegistration` is set; the Python SDK 2.3.0 says "Requested scopes are not valid: ...".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from typing import NamedTuple

from bridge.oauth.client import METHODS, NONE
from bridge.oauth.document import json_object
from bridge.oauth.grants.token_response import heard_in, words_of


class Offer(NamedTuple):
    """What a registration asks for: an authentication method, and scopes as on the wire, empty for none."""

    method: str
    scope: str


class Refused(enum.Enum):
    """What a refusal names; see the table above."""

    METHOD = enum.auto()
    SCOPE = enum.auto()
    REDIRECT_URI = enum.auto()
    UNSAID = enum.auto()
    OTHER = enum.auto()


_BY_CODE = {"invalid_redirect_uri": Refused.REDIRECT_URI, "invalid_scope": Refused.SCOPE}
_BY_WORDS = (
    (r"token_endpoint_auth|\bauth\w*[ _-]methods?\b", Refused.METHOD),
    (r"redirect", Refused.REDIRECT_URI),
    (r"\b(?:public|confidential)[ _-]clients?\b", Refused.METHOD),
    (r"scope", Refused.SCOPE),
    (r"(?:grant|response|application)[ _-]type|client_name|_uri\b|contacts|jwks|software|limit|quota", Refused.OTHER),
)
_SAY_NOTHING = frozenset(("", "invalid_client_metadata", "invalid_request"))


def offers(methods: Sequence[str] | None, scope: str) -> tuple[Offer, ...]:
    """What to register, in order. `methods` are those that the server lists, None if it lists none."""
    listed = tuple(method for method in METHODS if method in (methods or METHODS)) or (NONE,)
    scopes = dict.fromkeys((scope, ""))
    return tuple(Offer(method, asked) for method in listed for asked in scopes)


def refused_in(status: int, body: bytes) -> Refused:
    """What the refusal of a registration names."""
    if not 400 <= status < 500:
        return Refused.OTHER
    members = json_object(body) or {}
    code, words = members.get("error"), f"{heard_in(body)} {words_of(members)}"
    if isinstance(code, str) and code in _BY_CODE:
        return _BY_CODE[code]
    for pattern, named in _BY_WORDS:
        if re.search(pattern, words, re.IGNORECASE):
            return named
    says_nothing = status == 400 and (code is None or code in _SAY_NOTHING)
    return Refused.UNSAID if says_nothing else Refused.OTHER


def left_of(offered: Sequence[Offer], refused: Refused) -> tuple[Offer, ...]:
    """What is left to offer after the first of `offered` was refused."""
    first, *others = offered
    match refused:
        case Refused.METHOD:
            return tuple(offer for offer in others if offer.method != first.method)
        case Refused.SCOPE:
            return tuple(offer for offer in others if offer.scope != first.scope)
        case Refused.UNSAID:
            return tuple(others)
    return ()
