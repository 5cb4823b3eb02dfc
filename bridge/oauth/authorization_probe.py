"""What an authorization endpoint says of a client before the user sees it: the answer to a request without a browser.

The first row that applies decides:

| the answer | what it says |
|---|---|
| redirects with `error=invalid_client` or `unauthorized_client`, wherever to | the client is not known |
| redirects with `invalid_redirect_uri`, `redirect_uri_mismatch`, or words about it | that URI is not registered |
| redirects with `invalid_target` | the resource is refused |
| redirects otherwise | nothing: most servers lead to a page to sign in |
| a page with a code of Microsoft Entra ID (AADSTS700016, 50011) | as Entra's list of error codes says |
| a 4xx with words about the client, or about the redirect URI | the same |
| any other 4xx, but 405, 408 and 429 | nothing certain: a firewall may have answered |
| anything else | nothing |

Servers that redirect the browser to a page of errors of their own, and not to the client: Better Auth (`/error?error=
invalid_client`), Auth0 and Okta for some errors. RFC 6749 4.1.2.1 forbids to redirect to the client where it, or its
redirect URI, is not known.
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from bridge.oauth.grants.token_response import error_of, is_about_unknown_client, members_of, words_of


class Doubt(enum.Enum):
    """What is wrong with an authorization request; see the table above."""

    CLIENT = enum.auto()
    REDIRECT_URI = enum.auto()
    RESOURCE = enum.auto()
    UNSAID = enum.auto()
    """It was refused, but not why."""


class ProbeAnswer(NamedTuple):
    """The `doubt`, and the server's words, to be shown only as such."""

    doubt: Doubt
    said: str = ""


NO_CLIENT = frozenset(("invalid_client", "unauthorized_client"))
"""The OAuth errors that mean that the server does not know the client."""

_NO_REDIRECT_URI = frozenset(("invalid_redirect_uri", "redirect_uri_mismatch"))
_NOT_ABOUT_THE_REQUEST = frozenset((405, 408, 429))
_ENTRA = {b"AADSTS700016": Doubt.CLIENT, b"AADSTS50011": Doubt.REDIRECT_URI}
_REDIRECT_URI = re.compile(
    r"redirect[ _-]?ur[il].{0,100}?(?:mismatch|invalid|not (?:registered|allowed|match|valid|whitelisted|permitted))"
    r"|(?:mismatch\w*|invalid|unregistered|unknown)\W{1,3}redirect[ _-]?ur[il]",
    re.IGNORECASE | re.DOTALL,
)
_CERTIFICATE = re.compile(r"client[ _-](?:tls |ssl )?cert\w*", re.IGNORECASE)
_MOST_WORDS = 20_000
_MOST_FIELDS = 50


def probe_answer(status: int, content_type: str, body: bytes, location: str) -> ProbeAnswer | None:
    """Judge an answer by the table above; None if it says nothing."""
    if 300 <= status < 400:
        return _of_location(location)
    for code, doubt in _ENTRA.items():
        if code in body:
            return ProbeAnswer(doubt, code.decode())
    if not 400 <= status < 500 or status in _NOT_ABOUT_THE_REQUEST:
        return None
    members = members_of(content_type, body) or {}
    error = error_of(members)
    said = words_of(members) or error
    text = said or body[:_MOST_WORDS].decode("utf-8", "replace")
    if error in _NO_REDIRECT_URI or _REDIRECT_URI.search(text):
        return ProbeAnswer(Doubt.REDIRECT_URI, said)
    # A page that a gateway shows for want of a client certificate says nothing of the client.
    if error in NO_CLIENT or is_about_unknown_client(_CERTIFICATE.sub("", text)):
        return ProbeAnswer(Doubt.CLIENT, said)
    return ProbeAnswer(Doubt.RESOURCE if error == "invalid_target" else Doubt.UNSAID, said)


def _of_location(location: str) -> ProbeAnswer | None:
    parts = urlsplit(location)
    try:
        fields = dict(parse_qsl(f"{parts.query}&{parts.fragment}", max_num_fields=_MOST_FIELDS))
    except ValueError:
        return None
    error, said = fields.get("error", ""), fields.get("error_description", "")
    if error in NO_CLIENT:
        return ProbeAnswer(Doubt.CLIENT, said or error)
    if error in _NO_REDIRECT_URI or (error and _REDIRECT_URI.search(said)):
        return ProbeAnswer(Doubt.REDIRECT_URI, said or error)
    return ProbeAnswer(Doubt.RESOURCE, said or error) if error == "invalid_target" else None
