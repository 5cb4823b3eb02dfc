"""Revoking tokens: what is sent to the revocation endpoint, and what its answer means (RFC 7009 2).

| answer | meaning |
|---|---|
| 2xx | the token is revoked, or was never valid |
| 503 with a short `Retry-After` | the request is sent once more after that time |
| `unsupported_token_type` for the access token, after the refresh token was revoked | success: it expires by itself |
| any other | an error, by the table in `grants/token_response` |
"""

from __future__ import annotations

from typing import NamedTuple

from bridge.oauth.document import json_object
from bridge.oauth.grants.token_response import read_answer
from bridge.oauth.record import Record
from bridge.protocol.sanitize import address, shown

LONGEST_RETRY_AFTER = 5.0
"""The longest time that signing out waits for a second try, in seconds."""


class Revocation(NamedTuple):
    """A token to revoke. `kind` is its type hint (RFC 7009 2.1)."""

    kind: str
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Revocation({self.kind!r})"

    @property
    def form(self) -> dict[str, str]:
        """The form of the request, without the client."""
        return {"token": self.token, "token_type_hint": self.kind}


def revocations(record: Record) -> tuple[Revocation, ...]:
    """The tokens to revoke, in order. With the refresh token, most servers revoke its access tokens too."""
    tokens = (Revocation("refresh_token", record.refresh_token), Revocation("access_token", record.access_token))
    return tuple(revocation for revocation in tokens if revocation.token)


def check_revoked(status: int, content_type: str, body: bytes, url: str) -> None:
    """Raise `SignInError` unless the answer says that the token is revoked."""
    if not 200 <= status < 300:  # The body of a success has no meaning.
        read_answer(status, content_type, body, f"revocation endpoint {address(url)}", "status 200")


def is_unsupported(status: int, body: bytes) -> bool:
    """Whether the server says that it does not revoke this type of token (RFC 7009 2.2.1)."""
    return status >= 400 and (json_object(body) or {}).get("error") == "unsupported_token_type"


def retry_after(status: int, header: str) -> float | None:
    """The number of seconds after which to try once more; None if not at all (RFC 7009 2.2.1)."""
    text = shown(header, 20)
    if status != 503 or not (text.isascii() and text.isdecimal() and len(text) < 6):
        return None
    return float(text) if float(text) <= LONGEST_RETRY_AFTER else None
