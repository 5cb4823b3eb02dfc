"""Whose sign-in a record is, and when another's is refused.

| profile | the tokens are those of | what follows |
|---|---|---|
| any | a refresh, whose ID token names another issuer or subject | refused (OpenID Connect Core 12.2) |
| with a name | the same subject and issuer as the profile's first sign-in | kept |
| with a name | another subject, or another issuer | refused; what is stored stays |
| with a name | a subject that is not told | kept; the profile stays with its first subject |
| `default` | a sign-in of any subject | kept |

A subject is the claim `sub` of the ID token, or of an access token that is a JWT (RFC 9068 2.2) where there is no ID
token. The two are not compared with one another, because servers may give a client another one (OpenID Connect Core 8).
Nothing is verified by signature: the token endpoint itself sent both (OpenID Connect Core 3.1.3.7, 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bridge.oauth.claims import claims_of
from bridge.oauth.errors import AnotherAccount
from bridge.oauth.identity import user_of_claims
from bridge.oauth.record import DEFAULT_PROFILE, Record
from bridge.protocol.sanitize import address, shown

if TYPE_CHECKING:
    from bridge.oauth.grants.token_response import Tokens

_ID_TOKEN, _ACCESS_TOKEN = "id", "at"
_LONGEST_SUBJECT = 255
_LONGEST_NAME = 120


def subject_and_user(id_token: str, access_token: str) -> tuple[str, str]:
    """Whom the tokens are about: the subject with its kind, as it is stored, and what to call the user; or empty."""
    for kind, token in ((_ID_TOKEN, id_token), (_ACCESS_TOKEN, access_token)):
        claims = claims_of(token) if token else {}
        subject = claims.get("sub")
        if isinstance(subject, str) and 0 < len(subject) <= _LONGEST_SUBJECT:
            return f"{kind}:{subject}", user_of_claims(claims)
    return "", ""


def pinned(record: Record, previous: Record | None, leave: str) -> Record:
    """The record of a new sign-in, as it may be kept. Raises `AnotherAccount` where its profile is another account's.

    `previous` is the record of the sign-in before. `leave` is the command that ends it.
    """
    if record.profile == DEFAULT_PROFILE:
        return record
    if previous is None or not previous.subject:
        return record
    if record.issuer != previous.issuer or _is_other(record.subject, previous.subject):
        raise AnotherAccount(
            f"The profile {record.profile} belongs to {_named(previous)}, but {_named(record)} signed in, so this "
            "sign-in was not stored.",
            hint=f"Sign in with that account; if the page does not ask which, pass --authorize-param "
            f"prompt=select_account. To give the profile to the other account, first run: {leave}",
        )
    if record.subject.partition(":")[0] != previous.subject.partition(":")[0]:
        return msgspec.structs.replace(record, subject=previous.subject, user=previous.user)
    return record


def check_refreshed(record: Record, tokens: Tokens, leave: str) -> None:
    """Raise `AnotherAccount` where a refresh of `record` brought the tokens of another user."""
    before, now = claims_of(record.id_token), claims_of(tokens.id_token)
    differs = any(name in before and name in now and before[name] != now[name] for name in ("iss", "sub"))
    subject, user = subject_and_user(tokens.id_token, tokens.access_token)
    if record.profile != DEFAULT_PROFILE and record.subject:
        differs = differs or _is_other(subject, record.subject)
    if differs:
        other = msgspec.structs.replace(record, subject=subject, user=user)
        raise AnotherAccount(
            f"A refresh of the sign-in of {_named(record)} brought the token of {_named(other)}, so it was not used.",
            hint=f"The authorization server is at fault. Sign in again; if it happens again, first run: {leave}",
        )


def account_of(record: Record) -> str:
    """The account to which the record's profile belongs; empty where it belongs to none."""
    return _named(record) if record.subject and record.profile != DEFAULT_PROFILE else ""


def _is_other(subject: str, pinned_subject: str) -> bool:
    """Whether two subjects of the same kind differ."""
    kind, _, _ = pinned_subject.partition(":")
    return subject.startswith(f"{kind}:") and subject != pinned_subject


def _named(record: Record) -> str:
    who = shown(record.user or record.subject.partition(":")[2], _LONGEST_NAME) or "an account that is not named"
    return f"{who} (at {address(record.issuer)})"
