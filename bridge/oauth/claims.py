"""A token's claims (RFC 7519 4.1), for the message about a token that a server refuses (RFC 9068 2.2).

Nothing is verified here: the server does that, and the bridge only quotes the token. The message never contains the
subject, any other claim about the user, or the signature.
"""

from __future__ import annotations

import base64

from bridge.oauth.document import json_object
from bridge.oauth.providers import member_of
from bridge.oauth.scopes import named, split
from bridge.protocol.sanitize import address, quoted

_LONGEST_TOKEN = 64 * 1024
_MOST = 5
_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second"))
_LONG = 100 * 365 * 86400.0


def describe_claims(token: str, now: float) -> str:
    """One clause about a JWT's audience, issuer, expiry and scopes; empty for any other token. Never raises.

    `now` in seconds since the epoch.
    """
    claims = claims_of(token)
    said = [
        *_clause("audience", claims.get("aud")),
        *_clause("issuer", claims.get("iss")),
        *_end(claims.get("exp"), now),
        *_scopes(member_of(claims, "scope")),  # RFC 8693 4.2
    ]
    return f"its claims say: {', '.join(said)}" if said else ""


def claims_of(token: str) -> dict[str, object]:
    """A JWT's claims, unverified; none for any other token. Never raises."""
    parts = token.split(".", 3) if len(token) <= _LONGEST_TOKEN else []
    return _object(parts[1]) if len(parts) == 3 and "alg" in _object(parts[0]) else {}


def _object(part: str) -> dict[str, object]:
    try:
        return json_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) or {}
    except ValueError:
        return {}


def _clause(name: str, value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    texts = [_shown(entry) for entry in values[:_MOST] if isinstance(entry, str)]
    text = " ".join(text for text in texts if text)
    more = " and more" if len(values) > _MOST else ""
    return [f"{name} {text}{more}"] if text else []


def _shown(entry: str) -> str:
    return address(entry) if "://" in entry else quoted(entry)


def _scopes(value: object) -> list[str]:
    entries = value[:_MOST] if isinstance(value, list) else [value]
    text = named(scope for entry in entries if isinstance(entry, str) for scope in split(entry))
    return [f"scopes {text}"] if text else []


def _end(value: object, now: float) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return []
    try:
        left = float(value) - now
    except OverflowError:
        return []
    return [f"expires in {span(left)}" if left > 0 else f"expired {span(-left)} ago"]


def span(seconds: float) -> str:
    """A duration in words, in its largest whole unit: `3 hours`."""
    if seconds > _LONG:
        return "more than 100 years"
    for size, unit in _UNITS:
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return "less than a second"
