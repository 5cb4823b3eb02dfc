"""How the commands write servers, times, amounts and scopes. No secret is in any of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bridge.oauth.record import Record


def clean(text: str) -> str:
    """`text` as one printable line, without what looks like a secret: URLs and servers' texts may hold one."""
    from bridge.process.redact import Redactor
    from bridge.protocol.sanitize import escaped

    return escaped(Redactor()(text))


def scopes_of(record: Record) -> str:
    """The scopes that were granted; where the server did not say, those that were requested (RFC 6749, 5.1)."""
    return record.asked if record.scope is None else record.scope


def expiry_of(record: Record, now: float) -> str:
    """How long the token is valid, as a span and as a time."""
    from bridge.oauth.claims import span

    if not record.access_token:
        return "has expired"
    renewed = ", renewed automatically" if record.refresh_token else ""
    if record.expires_at is None:
        return f"has no known expiry{renewed}"
    left = record.expires_at - now
    when = f"({moment(record.expires_at)}){renewed}"
    return f"expires in {span(left)} {when}" if left > 0 else f"expired {span(-left)} ago {when}"


def moment(seconds: float) -> str:
    """A time (Unix seconds) as the clock here shows it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def amount_of(size: int) -> str:
    """A number of bytes with its unit."""
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"


def named(server: str, profile: str) -> str:
    """A server, with the profile where that is not `default`."""
    return clean(server if profile == "default" else f"{server} (profile {profile})")
