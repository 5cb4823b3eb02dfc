"""The device authorization grant: signing in by a code that is typed in on any device (RFC 8628).

The bridge asks for a code, a person opens a page anywhere and confirms it there, and meanwhile the token endpoint is
asked again and again. What its answers mean (3.5):

| answer | |
|---|---|
| tokens | done |
| `authorization_pending` | asked again after the interval |
| `slow_down` | the same, and from now on the interval is 5 s longer |
| none, or one that may pass (5xx, 429, no JSON) | the same, and the pause is doubled until an answer comes |
| `access_denied` | `Refused` |
| `expired_token`, or no time is left | `TimedOut` |
| any other error | as `oauth/grants` says |
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
from bridge.protocol.sanitize import address, with_words

_CODE = re.compile(r"[\x20-\x7e]{1,8192}")
# What a user can read and type (RFC 8628 6.1), and no sentence that a model would take for one of the bridge's.
_USER_CODE = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z -]{0,22}[0-9A-Za-z])?")
_FRAGMENT = re.compile(r"[\x21-\x7e]{0,200}")
_INTERVAL, _SHORTEST_INTERVAL, _LONGEST_INTERVAL = 5.0, 1.0, 300.0
_SLOWER = 5.0
_LONGEST_PAUSE = 60.0
_LONGEST_LIFETIME = 86400.0


class DeviceRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks which server for what. `scope` as on the wire, empty for none."""

    server: AuthorizationServer
    client: Client
    scope: str
    resource: str | None


class DeviceCode(msgspec.Struct, frozen=True, kw_only=True):
    """What the server gave (RFC 8628 3.2). `device_code` is a secret; `expires_in` and `interval` are in seconds."""

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
        """The page to open: the one that knows the code already, where there is one."""
        return self.verification_uri_complete or self.verification_uri


def device_endpoint(server: AuthorizationServer) -> str:
    """Where a code is to be had. Raises `SignInError` for a server that gives none."""
    if server.device_authorization_endpoint is None:
        raise SignInError(
            f"{address(server.issuer)} offers no sign-in by a code: its metadata names no usable "
            "device_authorization_endpoint, which --grant device-code needs.",
            hint=f"Leave --grant out; a browser elsewhere can be used too, with {PROGRAM} callback 'URL'.",
        )
    return server.device_authorization_endpoint


def device_form(request: DeviceRequest) -> dict[str, str]:
    """The device authorization request, but for the client (RFC 8628 3.1, RFC 8707 2)."""
    form = {"scope": request.scope} if request.scope else {}
    if request.resource is not None:
        form["resource"] = request.resource
    return form


def device_token_form(request: DeviceRequest, code: DeviceCode) -> dict[str, str]:
    """The token request, but for the client (RFC 8628 3.4, RFC 8707 2.2)."""
    form = {"grant_type": DEVICE_CODE.value, "device_code": code.device_code}
    if request.resource is not None:
        form["resource"] = request.resource
    return form


def read_device_code(status: int, content_type: str, body: bytes, url: str) -> DeviceCode:
    """The answer of the device authorization endpoint `url` (RFC 8628 3.2).

    Raises as the table of `oauth/grants` says; `MetadataError` for a page that may not be opened.
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
    """How many seconds to wait now; then ask, or where it `is_last`, give up."""

    seconds: float
    is_last: bool


class DevicePoll:
    """Asking for the tokens again and again. `now` is the time in seconds of any clock that only goes on.

    A person has until the code ends, and at most `seconds`. `request` and `code` are for what is said to people.
    """

    def __init__(self, request: DeviceRequest, code: DeviceCode, seconds: float, now: float) -> None:
        self.seconds = min(seconds, code.expires_in)
        """How long there is, from the beginning."""
        self._request = request
        self._is_codes_end = code.expires_in <= seconds
        self._ends = now + self.seconds
        self._interval = code.interval
        self._next = now + code.interval
        self._unanswered = 0
        self._trouble = ""

    def pause(self, now: float) -> Pause:
        """What to do next."""
        is_last = self._next >= self._ends
        return Pause(max(0.0, (self._ends if is_last else self._next) - now), is_last)

    def answered(self, status: int, content_type: str, body: bytes, now: float) -> Tokens | None:
        """Tokens, or None where it is to be asked again. Raises as the table above says."""
        url = self._request.server.token_endpoint
        members = members_of(content_type, body) or {}
        error = error_of(members)
        try:
            if error == "slow_down":
                # GitHub says the new interval too.
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
            raise self.timed_out() from None  # It has forgotten the code by the time it ends.
        self._unanswered, self._trouble = 0, ""
        self._next = now + self._interval
        return None

    def unanswered(self, trouble: str, now: float) -> None:
        """No answer came, or none that says anything; `trouble` says why in a sentence."""
        self._unanswered += 1
        self._trouble = trouble
        # The pause never grows shorter than the interval, however long that is.
        longest = max(self._interval, _LONGEST_PAUSE)
        self._next = now + min(self._interval * 2.0 ** min(self._unanswered, 10), longest)

    def timed_out(self) -> TimedOut:
        """There is no more time."""
        more = "the server gives no more time for one code." if self._is_codes_end else "--login-timeout gives more."
        return TimedOut(
            f"The sign-in at {address(self._request.server.issuer)} was not finished within {self.seconds:g} seconds."
            + (f" Last, {self._trouble[0].lower()}{self._trouble[1:]}" if self._trouble else ""),
            hint=f"Try again; {more}",
        )

    def _refused(self, heard: str) -> SignInRefused:
        return SignInRefused(
            with_words(f"{address(self._request.server.issuer)} did not grant access", heard),
            hint="Try again to start a new sign-in.",
        )


def _unusable(endpoint: str, name: str) -> SignInError:
    return SignInError(
        f"The {endpoint} answered without a usable {name}.", hint="The fault is the server's; tell its operator."
    )


def _page(url: str) -> str:
    # A page may have a fragment, and no other address that is judged there has one.
    page, _, fragment = url.partition("#")
    check_endpoint(page, "verification_uri")
    if not _FRAGMENT.fullmatch(fragment):
        raise MetadataError(
            f"The verification_uri {address(url)} was refused: its fragment is too long or holds what no URL does.",
            hint="Only the server's operator can fix that.",
        )
    return url


def _page_or_none(url: object) -> str:
    try:
        return _page(url) if isinstance(url, str) and url else ""
    except MetadataError:
        return ""
