"""Reading the token endpoint's answer, for every grant (RFC 6749 5).

| answer | error |
|---|---|
| 5xx, 408, 425, 429, `temporarily_unavailable`, neither JSON nor a form | `TokenEndpointUnavailable`: try again later |
| `invalid_grant` | `GrantRejected` |
| `invalid_client`, `unauthorized_client`, the same in words, 401 without an OAuth error | `ClientUnknown` |
| any other error | `SignInError` |

Error codes are first replaced by the standard's (`providers`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from bridge.oauth.document import json_object
from bridge.oauth.errors import ClientUnknown, GrantRejected, NeedsChange, SignInError, TokenEndpointUnavailable
from bridge.oauth.providers import reason_in, standard_error
from bridge.protocol.sanitize import address, quoted, shown, with_words

_TOKEN = re.compile(r"[\x21-\x7e]{1,131072}")
_REFRESH_TOKEN = re.compile(r"[\x20-\x7e]{1,131072}")  # RFC 6749 A.17; it is never sent in a header.
_LONGEST_SCOPE = 4096
_LONGEST_WORDS = 2000
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
    """The tokens in an answer. `expires_in` is in seconds; `scope` is None if the answer has none.

    `way` says how the client authenticated (`Client.way`).
    """

    access_token: str
    expires_in: float | None = None
    refresh_token: str = ""
    scope: str | None = None
    id_token: str = ""
    way: str = ""

    def __repr__(self) -> str:
        """Without the tokens."""
        return "Tokens(...)"


def read_tokens(status: int, content_type: str, body: bytes, url: str) -> Tokens:
    """The tokens in an answer. Raises as the table above says."""
    return _tokens(read_answer(status, content_type, body, f"token endpoint {address(url)}", "a token"), url)


def read_answer(status: int, content_type: str, body: bytes, endpoint: str, expected: str) -> dict[str, object]:
    """The members of an answer that is not an error. Raises as the table above says.

    Messages use `endpoint`, its name and URL, and `expected`, what the answer should hold.
    """
    members = members_of(content_type, body)
    if status >= 500 or status in {408, 425, 429}:
        raise TokenEndpointUnavailable(_answered(endpoint, status, _heard(members)), hint="Try again later.")
    if members is None and status != 401:
        kind = quoted(content_type.partition(";")[0], 60) or "no content type"
        raise TokenEndpointUnavailable(
            f"The {endpoint} answered status {status} with {kind}, but {expected} or an OAuth error was expected.",
            hint="If this happens again, the URL is wrong, or a proxy or firewall answers in place of the server.",
        )
    members = members or {}
    if status >= 300 or members.get("error"):
        raise _refusal(status, members, endpoint)
    return members


def heard_in(body: bytes) -> str:
    """The error code and description in a body; empty if it has none. Show them only as the server's words."""
    return _heard(members_of("application/json", body))


def members_of(content_type: str, body: bytes) -> dict[str, object] | None:
    """The members of an answer or an error; None if it is neither a JSON object nor a form."""
    members = json_object(body)
    # The standard allows only JSON; see `providers`.
    if members is None and content_type.lower().startswith("application/x-www-form-urlencoded"):
        try:
            return dict(parse_qsl(body.decode("ascii"), max_num_fields=50))
        except ValueError:
            return None
    return members


def words_of(members: Mapping[str, object]) -> str:
    """What an error says beside its code, to look for words in: not to be shown.

    It may be a structure, as the missing fields in FastAPI's `detail` are.
    """
    told = next((told for name in ("error_description", "message", "detail") if (told := members.get(name))), "")
    text = told if isinstance(told, str) else msgspec.json.encode(told).decode()
    return text[:_LONGEST_WORDS]


def error_of(members: Mapping[str, object]) -> str:
    """The OAuth error code of an answer, by the standard's name; empty if there is none (RFC 6749 5.2)."""
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
        return ClientUnknown(message, hint="Check --client-id and --client-secret, if you set them.")
    kind = NeedsChange if error in _ABOUT_THE_REQUEST else SignInError
    return kind(message, hint=hint_for(error, heard))


def is_about_unknown_client(words: str) -> bool:
    """Whether a server's words say that it does not know the client."""
    return _NO_CLIENT_WORDS.search(words) is not None


def _answered(endpoint: str, status: int, heard: str) -> str:
    return with_words(f"The {endpoint} answered status {status}", heard)


def hint_for(error: str, heard: str) -> str:
    """The hint for an OAuth error with a known cause; empty for others."""
    if "invalid_target" in {error, reason_in(heard)}:
        return (
            "The authorization server does not accept the resource parameter: try --resource none, or --resource URL."
        )
    if error == "invalid_scope":
        return "Pass scopes that the authorization server knows: --scope 'a b'."
    if error == "unsupported_grant_type":
        return "The authorization server does not offer this grant to the client; ask its operator."
    return ""


def _tokens(members: dict[str, object], url: str) -> Tokens:
    access = members.get("access_token")
    kind = members.get("token_type") or "Bearer"
    if not isinstance(access, str) or not _TOKEN.fullmatch(access):
        raise TokenEndpointUnavailable(
            f"The token endpoint {address(url)} answered without a usable access_token.",
            hint="The server is at fault; tell its operator.",
        )
    if not isinstance(kind, str) or kind.lower() != "bearer":
        seen = quoted(kind, 30) if isinstance(kind, str) else "that is not text"
        raise SignInError(
            f"The token endpoint {address(url)} returned a token of a type {seen}, but the bridge supports only Bearer."
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
    """A duration of more than 0 seconds, which some servers send as a string; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,12}(\.\d{1,6})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        return None
    return float(min(value, _LONGEST_LIFETIME))
