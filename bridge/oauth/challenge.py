"""Challenges: reading the header `WWW-Authenticate` (RFC 9110 11.6.1, RFC 6750 3, RFC 9728 5.1).

    WWW-Authenticate = #challenge
    challenge        = auth-scheme [ 1*SP ( token68 / #auth-param ) ]
    auth-param       = token BWS "=" BWS ( token / quoted-string )

Commas separate challenges as well as parameters, so a word after a comma is a scheme unless "=" follows it.

Some servers break the grammar, so more is accepted: an unquoted value ends at a comma or space (it may be a URL),
commas between parameters may be missing, and a word that fits nowhere is skipped. Reading stops at any other error,
such as a quote without an end; what was read before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

import msgspec

from bridge.oauth.scopes import split

_MAX_FIELDS = 20
_MAX_FIELD = 16 * 1024
_MAX_CHALLENGES = 50
_MAX_PARAMETERS = 50

# The quantifiers are possessive, so the time is linear.
_BETWEEN = re.compile(r"[ \t\r\n,]*+")
_WORD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++")
_EQUALS = re.compile(r"[ \t\r\n]*+=[ \t\r\n]*+")
_TOKEN68 = re.compile(r"[ \t]++([0-9A-Za-z\-._~+/]++=*+)[ \t\r\n]*+(?=,|\Z)")
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_UNQUOTED = re.compile(r'[^ \t\r\n,"]++')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class Challenge(msgspec.Struct, frozen=True):
    """One challenge. `scheme` and parameter names are in lower case; of a repeated parameter the first one counts."""

    scheme: str
    parameters: dict[str, str] = {}
    token68: str = ""


def parse_challenges(values: Iterable[str]) -> tuple[Challenge, ...]:
    """The challenges of all `WWW-Authenticate` fields, in order. Never raises, and takes linear time."""
    found: list[Challenge] = []
    for value in islice(values, _MAX_FIELDS):
        # A longer field is skipped: if it were cut, its last value would be wrong.
        if len(value) <= _MAX_FIELD:
            _read_field(value, found)
    return tuple(found)


def bearer_challenge(challenges: Iterable[Challenge]) -> Challenge | None:
    """The Bearer challenge with the most information; None if there is none.

    There are several where a gateway and the server behind it each add one.
    """
    bearers = [challenge for challenge in challenges if challenge.scheme == "bearer"]
    return max(bearers, key=_says, default=None)


def is_insufficient_scope(status: int, challenges: Iterable[Challenge]) -> bool:
    """Whether the server accepts the token but requires more scopes (RFC 6750 3.1)."""
    challenge = bearer_challenge(challenges)
    return status == 403 and challenge is not None and _lacks_scope(challenge)


def scopes_of(challenge: Challenge) -> tuple[str, ...]:
    """The scopes that a challenge names, each once, in order (RFC 6750 3)."""
    return split(challenge.parameters.get("scope", ""))


def _says(challenge: Challenge) -> tuple[bool, int]:
    named = sum(name in challenge.parameters for name in ("resource_metadata", "error", "scope"))
    return _lacks_scope(challenge), named


def _lacks_scope(challenge: Challenge) -> bool:
    return challenge.parameters.get("error") == "insufficient_scope"


def _read_field(field: str, found: list[Challenge]) -> None:
    place, after_comma = 0, True
    parameters: dict[str, str] | None = None
    while True:
        place, comma = _skip_between(field, place)
        after_comma = after_comma or comma
        word = _WORD.match(field, place)
        if word is None:
            return  # The end, or a syntax error.
        place = word.end()
        equals = _EQUALS.match(field, place)
        if equals is not None:
            value, place = _value(field, equals.end())
            if value is None:
                return
            if parameters is not None and len(parameters) < _MAX_PARAMETERS:
                parameters.setdefault(word[0].lower(), value)
        elif after_comma:
            if len(found) == _MAX_CHALLENGES:
                return
            token68 = _TOKEN68.match(field, place)
            parameters = {}
            found.append(Challenge(word[0].lower(), parameters, token68[1] if token68 else ""))
            place = token68.end() if token68 else place
        after_comma = False


def _skip_between(field: str, place: int) -> tuple[int, bool]:
    match = _BETWEEN.match(field, place)
    end = match.end() if match else place
    return end, "," in field[place:end]


def _value(field: str, place: int) -> tuple[str | None, int]:
    """The value that begins at `place` (None if it is malformed), and where it ends."""
    if field[place : place + 1] == '"':
        quoted = _QUOTED.match(field, place)
        return (None, place) if quoted is None else (_ESCAPE.sub(r"\1", quoted[1]), quoted.end())
    unquoted = _UNQUOTED.match(field, place)
    return ("", place) if unquoted is None else (unquoted[0], unquoted.end())
