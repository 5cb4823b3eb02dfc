"""Taking tokens back: what is sent to the revocation endpoint, and what its answer means (RFC 7009 2).

| answer | |
|---|---|
| 2xx | the token is not good any more, or never was |
| 503 with a short `Retry-After` | the same is asked once more after it |
| `unsupported_token_type` for the access token, after the refresh token was taken back | good: it ends by itself |
| any other | an error as `oauth/grants` says |
"""

from __future__ import annotations

from typing import NamedTuple

from bridge.oauth.document import json_object
from bridge.oauth.grants.token_response import read_answer
from bridge.oauth.record import Record
from bridge.protocol.sanitize import address, shown

LONGEST_RETRY_AFTER = 5.0
"""How long somebody who logs out is kept waiting, in seconds."""


class Revocation(NamedTuple):
    """A token to take back. `kind` is its type hint (RFC 7009 2.1)."""

    kind: str
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Revocation({self.kind!r})"

    @property
    def form(self) -> dict[str, str]:
        """The request, but for the client."""
        return {"token": self.token, "token_type_hint": self.kind}


def revocations(record: Record) -> tuple[Revocation, ...]:
    """What to take back, in order: with the refresh token most servers end all that grew out of it."""
    tokens = (Revocation("refresh_token", record.refresh_token), Revocation("access_token", record.access_token))
    return tuple(revocation for revocation in tokens if revocation.token)


def check_revoked(status: int, content_type: str, body: bytes, url: str) -> None:
    """Raise `SignInError` unless the answer says that the token is not good any more."""
    if not 200 <= status < 300:  # What stands in a good one does not count.
        read_answer(status, content_type, body, f"revocation endpoint {address(url)}", "status 200")


def is_unsupported(status: int, body: bytes) -> bool:
    """Whether the server says that it does not take back this type of token (RFC 7009 2.2.1)."""
    return status >= 400 and (json_object(body) or {}).get("error") == "unsupported_token_type"


def retry_after(status: int, header: str) -> float | None:
    """After how many seconds to ask once more; None for not at all (RFC 7009 2.2.1)."""
    text = shown(header, 20)
    if status != 503 or not (text.isascii() and text.isdecimal() and len(text) < 6):
        return None
    return float(text) if float(text) <= LONGEST_RETRY_AFTER else None
