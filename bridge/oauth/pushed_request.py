"""Pushed authorization requests: the request goes to the server first, the browser brings a reference (RFC 9126).

| the server's metadata, or the client's registration (5, 6) | the request is pushed |
|---|---|
| requires it | always; what the server says against it is the error |
| names an endpoint | if that works; otherwise the browser brings the whole request |
| names none | never |

A reference has a short lifetime (2.2), often of a minute. It is renewed while the user is waited for, so that the link
that is shown, or opened once more, works.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from bridge.oauth.client import Client
from bridge.oauth.errors import MetadataError, SignInError
from bridge.oauth.grants.token_response import read_answer, seconds_of
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.request import AuthorizationRequest, authorization_url
from bridge.protocol.sanitize import address

_REQUEST_URI = re.compile(r"[\x21-\x7e]{1,2048}")
_LIFETIME = 60.0
_SHORTEST_PAUSE = 10.0


class Pushing(enum.Enum):
    """Whether a request is pushed; see the table above."""

    NEVER = enum.auto()
    OFFERED = enum.auto()
    REQUIRED = enum.auto()


class AuthorizationLink(msgspec.Struct, frozen=True):
    """The link that the user opens. `lifetime` is in seconds, None for the whole request, which has none."""

    url: str
    lifetime: float | None = None

    def __repr__(self) -> str:
        """Without the URL, which is as good as a secret."""
        return f"AuthorizationLink(lifetime={self.lifetime})"

    @property
    def renewed_after(self) -> float | None:
        """After how many seconds to push the request again; None for never."""
        return None if self.lifetime is None else max(_SHORTEST_PAUSE, self.lifetime * 0.8)


def pushing(server: AuthorizationServer, client: Client) -> Pushing:
    """Whether a request of this client to this server is pushed.

    Raises `MetadataError` if that is required, and the server does not say where to.
    """
    required = server.requires_pushed_requests or client.requires_pushed_requests
    if server.pushed_authorization_request_endpoint is not None:
        return Pushing.REQUIRED if required else Pushing.OFFERED
    if required:
        raise MetadataError(
            f"{address(server.issuer)} requires pushed authorization requests, but its metadata has no usable "
            "'pushed_authorization_request_endpoint'.",
            hint="The server is at fault; tell its operator.",
        )
    return Pushing.NEVER


def pushed_form(pending: AuthorizationRequest, extra: Iterable[tuple[str, str]] = ()) -> dict[str, list[str]]:
    """The form to push (2.1): what `authorization_url` would put into the link, without the endpoint's own query.

    The client authenticates beside it, as at the token endpoint.
    """
    form: dict[str, list[str]] = {}
    own = _pairs(pending.server.authorization_endpoint)
    for name, value in _pairs(authorization_url(pending, extra)):
        if (name, value) not in own:
            form.setdefault(name, []).append(value)
    return form


def read_pushed(
    status: int, content_type: str, body: bytes, pending: AuthorizationRequest, url: str
) -> AuthorizationLink:
    """The link with the reference in an answer of the endpoint `url` (2.2, 4). Raises as `token_response` says."""
    endpoint = f"pushed authorization request endpoint {address(url)}"
    members = read_answer(status, content_type, body, endpoint, "a request_uri")
    reference = members.get("request_uri")
    if not isinstance(reference, str) or not _REQUEST_URI.fullmatch(reference):
        raise SignInError(
            f"The {endpoint} answered without a usable request_uri.", hint="The server is at fault; tell its operator."
        )
    named = {"client_id": pending.client.client_id, "request_uri": reference}
    parts = urlsplit(pending.server.authorization_endpoint)
    # What the request holds must not stand beside the reference: a server could use either.
    others = [pair for pair in _pairs(parts.geturl()) if pair[0] not in {*named, *pushed_form(pending)}]
    link = urlunsplit(parts._replace(query=urlencode([*others, *named.items()])))
    return AuthorizationLink(link, seconds_of(members.get("expires_in")) or _LIFETIME)


def _pairs(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query, keep_blank_values=True)
