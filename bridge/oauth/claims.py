"""What a token says of itself. First draft."""

from __future__ import annotations


def describe_claims(token: str, now: float) -> str:
    """Nothing yet."""
    return ""
