"""The device authorization grant: the user signs in on any device by entering a code there (RFC 8628).

The bridge requests a code. The user opens a page on any device and enters the code, or confirms it. Meanwhile the
bridge polls the token endpoint (3.5):

| answer | what the bridge does |
|---|---|
| tokens | is done |
| `authorization_pending` | polls again after the interval |
| `slow_down` | the same, with an interval that is 5 s longer from now on |
| none, or a temporary error (5xx, 429, no JSON) | the same, and doubles the pause until an answer comes |
| `access_denied` | raises `Refused` |
| `expired_token`, or the time is over | raises `TimedOut` |
| any other error | raises as `token_response` says |
"""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from bridge import PROGRAM
from bridge.oauth.addresses import check_endpoint
from bridge.oauth.client import Client
from bridge.oauth.errors import (
    GrantRejected,
    MetadataError,
    SignInError,
    SignInRefused,
    TimedOut,
    TokenEndpointUnavailable,
)
from bridge.oauth.grants import DEVICE_CODE
from bridge.oauth.grants.token_response import (
    Tokens,
    error_of,
    heard_in,
    members_of,
    read_answer,
    read_tokens,
    seconds_of,
)
from bridge.oauth.metadata import AuthorizationServer
from bridge.oauth.providers import member_of
from bridge.protocol.backoff import Backoff
from bridge.protocol.sanitize import address, with_words

_CODE = re.compile(r"[\x20-\x7e]{1,8192}")
# What a user can read and type (RFC 8628 6.1), and too short for a sentence that a model could take as the bridge's.
_USER_CODE = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z -]{0,22}[0-9A-Za-z])?")
_FRAGMENT = re.compile(r"[\x21-\x7e]{0,200}")
_INTERVAL, _SHORTEST_INTERVAL, _LONGEST_INTERVAL = 5.0, 1.0, 300.0
_SLOWER = 5.0
_LONGEST_PAUSE = 60.0
_LONGEST_LIFETIME = 86400.0


class DeviceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for a code. `scope` is as on the wire, empty for none."""

    server: AuthorizationServer
    client: Client
    scope: str
    resource: str | None


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """The device authorization response (RFC 8628 3.2).

    `device_code` is a secret. `expires_in` and `interval` are in seconds.
    """

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str = ""
    expires_in: float
    interval: float = _INTERVAL

    def __repr__(self) -> str:
        """Without the codes."""
        return f"DeviceCode({self.verification_uri!r})"

    @property
    def url(self) -> str:
        """The page to open: the one that already contains the code, if there is one."""
        return self.verification_uri_complete or self.verification_uri


def device_endpoint(server: AuthorizationServer) -> str:
    """The device authorization endpoint. Raises `SignInError` for a server without one."""
    if server.device_authorization_endpoint is None:
        raise SignInError(
            f"{address(server.issuer)} does not support --grant device-code: its metadata has no usable "
            "device_authorization_endpoint.",
            hint="Leave --grant out. You can use a browser on another machine: when it ends at a page that cannot be "
            f"opened, run here: {PROGRAM} callback 'ITS ADDRESS'",
        )
    return server.device_authorization_endpoint


def device_form(request: DeviceRequest) -> dict[str, str]:
    """The device authorization request, without the client (RFC 8628 3.1, RFC 8707 2)."""
    form = {"scope": request.scope} if request.scope else {}
    if request.resource is not None:
        form["resource"] = request.resource
    return form


def device_token_form(request: DeviceRequest, code: DeviceCode) -> dict[str, str]:
    """The token request, without the client (RFC 8628 3.4, RFC 8707 2.2)."""
    form = {"grant_type": DEVICE_CODE.value, "device_code": code.device_code}
    if request.resource is not None:
        form["resource"] = request.resource
    return form


def read_device_code(status: int, content_type: str, body: bytes, url: str) -> DeviceCode:
    """Read the answer of the device authorization endpoint `url` (RFC 8628 3.2).

    Raises as the table in `token_response` says, and `MetadataError` for a page that must not be opened.
    """
    endpoint = f"device authorization endpoint {address(url)}"
    members = read_answer(status, content_type, body, endpoint, "a device code")
    device_code, user_code = members.get("device_code"), members.get("user_code")
    if not isinstance(device_code, str) or not _CODE.fullmatch(device_code):
        raise _unusable(endpoint, "device_code")
    if not isinstance(user_code, str) or not _USER_CODE.fullmatch(user_code):
        raise _unusable(endpoint, "user_code")
    page = member_of(members, "verification_uri")
    if not isinstance(page, str):
        raise _unusable(endpoint, "verification_uri")
    if (expires_in := seconds_of(members.get("expires_in"))) is None:
        raise _unusable(endpoint, "expires_in")
    given = seconds_of(members.get("interval"))
    return DeviceCode(
        device_code=device_code,
        user_code=user_code,
        verification_uri=_page(page),
        verification_uri_complete=_page_or_none(members.get("verification_uri_complete")),
        expires_in=min(expires_in, _LONGEST_LIFETIME),
        interval=_INTERVAL if given is None else min(max(given, _SHORTEST_INTERVAL), _LONGEST_INTERVAL),
    )


class Pause(NamedTuple):
    """How many seconds to wait now. After that, poll again; give up if `is_last`."""

    seconds: float
    is_last: bool


class DevicePoll:
    """Polling the token endpoint. `now` is the time in seconds, by any monotonic clock.

    The user has `seconds` to finish, or less if the code expires earlier.
    """

    def __init__(self, request: DeviceRequest, code: DeviceCode, seconds: float, now: float) -> None:
        self.seconds = min(seconds, code.expires_in)
        """How many seconds the user has in all."""
        self._request = request
        self._is_codes_end = code.expires_in <= seconds
        self._ends = now + self.seconds
        self._interval = code.interval
        self._next = now + code.interval
        self._unanswered = 0
        self._trouble = ""

    def pause(self, now: float) -> Pause:
        """How long to wait before the next step."""
        is_last = self._next >= self._ends
        return Pause(max(0.0, (self._ends if is_last else self._next) - now), is_last)

    def answered(self, status: int, content_type: str, body: bytes, now: float) -> Tokens | None:
        """Read an answer: the tokens, or None to poll again. Raises as the table above says."""
        url = self._request.server.token_endpoint
        members = members_of(content_type, body) or {}
        error = error_of(members)
        try:
            if error == "slow_down":
                # Some servers name the new interval; see `providers`.
                named = seconds_of(members.get("interval")) or 0.0
                self._interval = min(max(self._interval + _SLOWER, named), _LONGEST_INTERVAL)
            elif error == "access_denied":
                raise self._refused(heard_in(body) or error)
            elif error == "expired_token":
                raise self.timed_out()
            elif error != "authorization_pending":
                return read_tokens(status, content_type, body, url)
        except TokenEndpointUnavailable as problem:
            self.unanswered(problem.message, now)
            return None
        except GrantRejected:
            if now + self._interval < self._ends:
                raise
            raise self.timed_out() from None  # Servers forget a code when it expires.
        self._unanswered, self._trouble = 0, ""
        self._next = now + self._interval
        return None

    def unanswered(self, trouble: str, now: float) -> None:
        """Note that no usable answer came; `trouble` is a sentence that says why."""
        self._unanswered += 1
        self._trouble = trouble
        # The pause is never shorter than the interval.
        pauses = Backoff(self._interval, max(self._interval, _LONGEST_PAUSE))
        self._next = now + pauses.before(self._unanswered + 1)

    def timed_out(self) -> TimedOut:
        """The error for a time limit that is over."""
        more = (
            "the server allows no more time for one code."
            if self._is_codes_end
            else "--login-timeout allows more time."
        )
        return TimedOut(
            f"The sign-in at {address(self._request.server.issuer)} was not finished within {self.seconds:g} seconds."
            + (f" The last problem was: {self._trouble}" if self._trouble else ""),
            hint=f"Try again; {more}",
        )

    def _refused(self, heard: str) -> SignInRefused:
        return SignInRefused(
            with_words(f"{address(self._request.server.issuer)} did not grant access", heard),
            hint="Try again to start a new sign-in.",
        )


def _unusable(endpoint: str, name: str) -> SignInError:
    return SignInError(
        f"The {endpoint} answered without a usable {name}.", hint="The server is at fault; tell its operator."
    )


def _page(url: str) -> str:
    # This page may have a fragment; no other URL that `check_endpoint` checks has one.
    page, _, fragment = url.partition("#")
    check_endpoint(page, "verification_uri")
    if not _FRAGMENT.fullmatch(fragment):
        raise MetadataError(
            f"The verification_uri {address(url)} was refused: its fragment is too long or has characters that are not "
            "allowed in a URL.",
            hint="Only the server's operator can fix that.",
        )
    return url


def _page_or_none(url: object) -> str:
    try:
        return _page(url) if isinstance(url, str) and url else ""
    except MetadataError:
        return ""
