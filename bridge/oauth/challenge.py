"""WWW-Authenticate. First draft."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec


class Challenge(msgspec.Struct, frozen=True):
    """One."""

    scheme: str
    parameters: dict[str, str]
    token68: str = ""


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Read."""
    found = []
    for value in values:
        if value.lower().startswith("bearer"):
            pairs = re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))', value)
            found.append(Challenge("bearer", {name.lower(): a or b for name, a, b in pairs}))
    return tuple(found)


def bearer_challenge(challenges: tuple[Challenge, ...]) -> Challenge | None:
    """The one."""
    return next(iter(challenges), None)


def is_insufficient_scope(status: int, challenges: tuple[Challenge, ...]) -> bool:
    """Whether."""
    challenge = bearer_challenge(challenges)
    return status == 403 and challenge is not None and challenge.parameters.get("error") == "insufficient_scope"


def scopes_of(challenge: Challenge) -> tuple[str, ...]:
    """Scopes."""
    return tuple(challenge.parameters.get("scope", "").split())
