"""The authorization response, as the browser brings it to the callback (RFC 6749 4.1.2, RFC 9207 2.4).

Any program on the machine and any page in the browser can send a request to the callback. So `state` is checked first:
a request without this sign-in's `state` is not its answer, and nothing else in it is read. The issuer is checked next,
before a code or an error is believed (MCP 2026-07-28, Authorization Response Validation):

| metadata promises `iss` | `iss` in the answer | result |
|---|---|---|
| yes or no | present | must equal the issuer, character by character, else `IssuerMismatch` |
| yes | absent | `IssuerMismatch` |
| no | absent | accepted |
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import parse_qsl

import msgspec

from bridge.oauth.addresses import check_endpoint
from bridge.oauth.errors import MetadataError
from bridge.protocol.sanitize import shown

_MAX_QUERY = 16 * 1024
_MAX_PARAMETERS = 50
_ONCE = frozenset(("state", "iss", "code", "error", "error_description", "error_uri"))
# RFC 6749 A.11 allows the space too. A "+" that a server did not encode arrives as a space.
_CODE = re.compile(r"[\x20-\x7e]{1,4096}")


class Granted(msgspec.Struct, frozen=True):
    """Access was granted. `code` is a secret."""

    code: str

    def __repr__(self) -> str:
        """Without the code."""
        return "Granted(...)"


class Denied(msgspec.Struct, frozen=True):
    """Access was denied. All texts can be shown. `uri` can be opened; it is empty where there is none."""

    error: str
    description: str = ""
    uri: str = ""


class IssuerMismatch(msgspec.Struct, frozen=True):
    """The answer names another issuer than the one that was asked, or none. `seen` can be shown."""

    expected: str
    seen: str | None


def read_callback(
    query: str, *, state: str, issuer: str, iss_supported: bool
) -> Granted | Denied | IssuerMismatch | None:
    """Read a callback's query (without the "?"); None if it is not the answer to this sign-in."""
    parameters = _parameters(query)
    if not state or not hmac.compare_digest(parameters.get("state", "").encode(), state.encode()):
        return None
    code, error = parameters.get("code", ""), shown(parameters.get("error", ""), 100)
    if not error and not _CODE.fullmatch(code):
        return None
    seen = parameters.get("iss")
    if seen is None and iss_supported:
        return IssuerMismatch(issuer, None)
    if seen is not None and seen != issuer:
        return IssuerMismatch(issuer, shown(seen, 200))
    if error:
        return Denied(error, shown(parameters.get("error_description", ""), 300), _uri(parameters.get("error_uri", "")))
    return Granted(code)


def _parameters(query: str) -> dict[str, str]:
    """The parameters that have a value (RFC 6749 3.1); none if the query is malformed or repeats a parameter."""
    if len(query) > _MAX_QUERY or not query.isascii():
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS, errors="strict")
    except ValueError:
        return {}
    names = [name for name, _ in pairs if name in _ONCE]
    if len(names) != len(set(names)):
        return {}
    return {name: value for name, value in pairs if value}


def _uri(uri: str) -> str:
    try:
        return check_endpoint(uri, "error_uri")
    except MetadataError:
        return ""
