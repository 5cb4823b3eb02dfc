"""The token endpoint: what is sent to it, and what its answer means (RFC 6749 4.1.3, 5, 6).

| answer | error |
|---|---|
| 5xx, 408, 429, `temporarily_unavailable`, no JSON at all | `TokenEndpointUnavailable`: nothing is lost, try later |
| `invalid_grant` | `GrantRejected` |
| `invalid_client`, `unauthorized_client`, words to that effect, 401 without an OAuth error | `ClientUnknown` |
| any other error | `SignInError` |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from bridge.oauth.document import json_object
from bridge.oauth.errors import ClientUnknown, GrantRejected, SignInError, TokenEndpointUnavailable
from bridge.oauth.providers import reason_in, standard_error
from bridge.protocol.sanitize import address, quoted, shown, with_words

_TOKEN = re.compile(r"[\x21-\x7e]{1,131072}")
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]{1,131072}")  # RFC 6749 A.17; it never stands in a header.
_LONGEST_SCOPE = 4096
_LONGEST_LIFETIME = 10 * 365 * 86400.0
_PASSING = frozenset(("temporarily_unavailable", "server_error", "slow_down"))
_NO_CLIENT = frozenset(("invalid_client", "unauthorized_client", "invalid_client_metadata"))
_ABOUT_THE_REQUEST = frozenset(("invalid_scope", "invalid_target", "unsupported_grant_type"))
_CLIENT = r"client(?:[ _]id(?:entifier)?)?\b"
_NO_CLIENT_WORDS = re.compile(
    rf"\b(?:unknown|unregistered|unrecogni[sz]ed|invalid|no such) (?:oauth )?{_CLIENT}"
    rf"|\b{_CLIENT}.{{0,80}}?(?:not |n't )(?:be )?(?:found|registered|recogni[sz]ed|known|exist)\b"
    rf"|\b{_CLIENT}.{{0,80}}? (?:is|was) (?:unknown|invalid)\b",
    re.IGNORECASE,
)


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint gave. `expires_in` in seconds; `scope` None where the answer does not name it."""

    access_token: str
    expires_in: float | None = None
    refresh_token: str = ""
    scope: str | None = None
    id_token: str = ""

    def __repr__(self) -> str:
        """Without the tokens."""
        return "Tokens(...)"


def read_tokens(status: int, content_type: str, body: bytes, url: str) -> Tokens:
    """The tokens in an answer; raises as the table above says."""
    return _tokens(read_answer(status, content_type, body, f"token endpoint {address(url)}", "a token"), url)


def read_answer(status: int, content_type: str, body: bytes, endpoint: str, expected: str) -> dict[str, object]:
    """The members of an answer that is no error; raises as the table above says.

    `endpoint` is its name and URL, `expected` what should have come: both are for messages.
    """
    members = members_of(content_type, body)
    if status >= 500 or status in {408, 425, 429}:
        raise TokenEndpointUnavailable(_answered(endpoint, status, _heard(members)), hint="Try again later.")
    if members is None and status != 401:
        kind = quoted(content_type.partition(";")[0], 60) or "no content type"
        raise TokenEndpointUnavailable(
            f"The {endpoint} answered status {status} with {kind}, and {expected} or an OAuth error was expected.",
            hint="If it happens again, the URL is wrong, or a proxy or firewall answers in its place.",
        )
    members = members or {}
    if status >= 300 or members.get("error"):
        raise _refusal(status, members, endpoint)
    return members


def heard_in(body: bytes) -> str:
    """What an error body says in words; empty where it says nothing. To be told, they pass `protocol.sanitize.said`."""
    return _heard(members_of("application/json", body))


def members_of(content_type: str, body: bytes) -> dict[str, object] | None:
    """The members of an answer, good or bad; None where it is neither a JSON object nor a form."""
    members = json_object(body)
    # A form is not by the standard, but one large provider answers so.
    if members is None and content_type.lower().startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(body.decode("ascii"), max_num_fields=50))
        except ValueError:
            return None
    return members


def error_of(members: Mapping[str, object]) -> str:
    """The OAuth error code of an answer, by the standard's name; empty where there is none (RFC 6749 5.2)."""
    error = members.get("error")
    return standard_error(error) if isinstance(error, str) else ""


def _heard(members: dict[str, object] | None) -> str:
    if not members:
        return ""
    error, description = members.get("error"), members.get("error_description")
    if isinstance(inner := error, dict):
        error, description = inner.get("code"), inner.get("message")
    if not isinstance(description, str):
        description = members.get("message") or members.get("detail")
    parts = [shown(part, 300) for part in (error, description) if isinstance(part, str) and part]
    return ": ".join(part for part in parts if part)


def _refusal(status: int, members: dict[str, object], endpoint: str) -> SignInError:
    error = error_of(members)
    heard = _heard(members)
    message = _answered(endpoint, status, heard)
    if error in _PASSING:
        return TokenEndpointUnavailable(message, hint="Try again later.")
    if error == "invalid_grant":
        return GrantRejected(message)
    told = error not in _ABOUT_THE_REQUEST and _NO_CLIENT_WORDS.search(heard)
    if error in _NO_CLIENT or told or (not error and status == 401):
        return ClientUnknown(message, hint="Check --client-id and --client-secret, if you gave them.")
    return SignInError(message, hint=hint_for(error, heard))


def _answered(endpoint: str, status: int, heard: str) -> str:
    return with_words(f"The {endpoint} answered status {status}", heard)


def hint_for(error: str, heard: str) -> str:
    """What to change after an OAuth error with a known cause; empty for others."""
    if "invalid_target" in {error, reason_in(heard)}:
        return "The server does not accept the resource parameter: try --resource none, or --resource URL."
    if error == "invalid_scope":
        return "Pass scopes that it knows: --scope 'a b'."
    if error == "unsupported_grant_type":
        return "The server does not offer what the bridge needs; ask its operator."
    return ""


def _tokens(members: dict[str, object], url: str) -> Tokens:
    access = members.get("access_token")
    kind = members.get("token_type") or "Bearer"
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise TokenEndpointUnavailable(
            f"The token endpoint {address(url)} answered without a usable access_token.",
            hint="The fault is the server's; tell its operator.",
        )
    if not isinstance(kind, str) or kind.lower() != "bearer":
        seen = quoted(kind, 30) if isinstance(kind, str) else "nonsense"
        raise SignInError(
            f"The token endpoint {address(url)} gave a token of type {seen}, and the bridge supports only Bearer."
        )
    refresh, scope, id_token = (members.get(name) for name in ("refresh_token", "scope", "id_token"))
    if isinstance(scope, list):
        scope = " ".join(part for part in scope if isinstance(part, str))
    return Tokens(
        access_token=access,
        expires_in=seconds_of(members.get("expires_in")),
        refresh_token=refresh if isinstance(refresh, str) and _REFRESH_TOKEN.fullmatch(refresh) else "",
        scope=shown(scope, _LONGEST_SCOPE) if isinstance(scope, str) else None,
        id_token=id_token if isinstance(id_token, str) and _TOKEN.fullmatch(id_token) else "",
    )


def seconds_of(value: object) -> float | None:
    """A time of more than 0 seconds, which some servers write as a string; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}(\.\d{1,6})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return None
    return float(min(value, _LONGEST_LIFETIME))
