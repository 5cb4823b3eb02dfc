"""The answer to an authorization request, as the browser brings it (RFC 6749 4.1.2, RFC 9207 2.4).

Anyone on the machine, and any page in the browser, can send something to the callback. So first comes `state`: what
does not bear this sign-in's is not its answer, and nothing else in it is looked at. Then the issuer (MCP 2026-07-28,
Authorization Response Validation), before a code or an error is believed:

| server says it sends `iss` | `iss` | |
|---|---|---|
| any | there | must be the issuer, character for character |
| yes | not there | `IssuerMismatch` |
| no | not there | goes on |
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
# RFC 6749, appendix A.11, allows the space too; a "+" that a server forgot to encode arrives as one.
_CODE = re.compile(r"[\x20-\x7e]{1,4096}")


class Granted(msgspec.Struct, frozen=True):
    """Access was granted. `code` is a secret."""

    code: str

    def __repr__(self) -> str:
        """Without the code."""
        return "Granted(...)"


class Denied(msgspec.Struct, frozen=True):
    """The server said no; all texts are fit to be shown. `uri` may be opened, and is empty where there is none."""

    error: str
    description: str = ""
    uri: str = ""


class IssuerMismatch(msgspec.Struct, frozen=True):
    """The answer comes from another server than was asked, or does not say. `seen` is fit to be shown."""

    expected: str
    seen: str | None


def read_callback(
    query: str, *, state: str, issuer: str, iss_supported: bool
) -> Granted | Denied | IssuerMismatch | None:
    """Judge a callback's query, which stands after the "?"; None for whatever is not the answer to this sign-in."""
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
    """The parameters that have a value (RFC 6749 3.1); none where the query is malformed or says a thing twice."""
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
