"""The answer to an authorization request. First draft."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs

import msgspec


class Granted(msgspec.Struct, frozen=True):
    """A code."""

    code: str


class Denied(msgspec.Struct, frozen=True):
    """An error."""

    error: str
    description: str = ""
    uri: str = ""


class IssuerMismatch(msgspec.Struct, frozen=True):
    """Another issuer."""

    expected: str
    seen: str | None


def read_callback(
    query: str, *, state: str, issuer: str, iss_supported: bool
) -> Granted | Denied | IssuerMismatch | None:
    """Judge."""
    q = parse_qs(query)
    if not hmac.compare_digest((q.get("state") or [""])[0].encode(), state.encode()):
        return None
    iss = (q.get("iss") or [None])[0]
    if (iss is None and iss_supported) or (iss is not None and iss != issuer):
        return IssuerMismatch(issuer, iss)
    if "error" in q:
        return Denied(q["error"][0], (q.get("error_description") or [""])[0])
    return Granted(q["code"][0]) if "code" in q else None
