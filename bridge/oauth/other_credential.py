"""What a server wants that wants no OAuth: a password or a key, and in which header.

| the server answered 401 with | it wants |
|---|---|
| a challenge `Bearer` or `DPoP` | a token, so a sign-in is tried |
| a challenge `Basic` (RFC 7617) | a user name and a password |
| any other challenge, such as `ApiKey` | a key, in the header that the challenge or the words name |
| no challenge, and words that name a header such as `x-api-key` | a key in that header |
| none of these | nothing that is known |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from bridge import PROGRAM
from bridge.oauth.challenge import Challenge

_TOKENS = frozenset(("bearer", "dpop"))
_HEADER = re.compile(r"\b((?:[a-z0-9]{1,20}-){1,5}key|x-[a-z0-9-]{0,40}(?:token|auth|secret)|apikey)\b", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_AUTHORIZATION = "Authorization"


class OtherCredential(NamedTuple):
    """`what` the server wants, in words, the `header` for it, and a `value` that shows its form."""

    what: str
    header: str
    value: str

    @property
    def hint(self) -> str:
        """How the user passes it, as a command and an option that work as they stand."""
        return (
            f"Pass --header '{self.header}: keyring:example-key'. To store the header's whole value ({self.value}) "
            f"under that name, run: {PROGRAM} secret set example-key"
        )


def other_credential(challenges: Sequence[Challenge], said: str) -> OtherCredential | None:
    """What the server wants by the table above; None where that may be a token. `said` is the text of its answer."""
    schemes = [challenge.scheme for challenge in challenges]
    if _TOKENS.intersection(schemes):
        return None
    named = _named(challenges) or ((found := _HEADER.search(said)) and found[1]) or ""
    if "basic" in schemes:
        return OtherCredential(
            "a user name and a password (Basic)", _AUTHORIZATION, "Basic and the base64 of NAME:PASSWORD"
        )
    if schemes:
        value = "the key" if named else f"{challenges[0].scheme} and the key"
        return OtherCredential("an API key", named or _AUTHORIZATION, value)
    return OtherCredential("an API key", named, "the key") if named else None


def _named(challenges: Sequence[Challenge]) -> str:
    """The header that a parameter of a challenge names, as gateways have it."""
    for challenge in challenges:
        for parameter in ("header", "name", "in"):
            value = challenge.parameters.get(parameter, "")
            if _NAME.fullmatch(value) and _HEADER.fullmatch(value):
                return value
    return ""
